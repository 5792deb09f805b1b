from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cityops.twin.simulation.dispersion import (
    Mixing,
    Stability,
    mixing_height,
    plume,
    spread,
    stability,
    transfer,
)

kinds = st.sampled_from(list(Stability))


@settings(deadline=None, max_examples=30)
@given(kind=kinds, wind=st.floats(0.6, 12), distance=st.floats(300, 15_000), width=st.sampled_from([0.0, 100.0, 500.0]))
def test_what_leaves_a_source_passes_every_plane_downwind(
    kind: Stability, wind: float, distance: float, width: float
) -> None:
    mixing = Mixing((wind, 0.0), kind, 800.0)
    sigma_y = spread(np.array([distance + width]), kind, width)[0][0]
    across = np.linspace(-6 * sigma_y, 6 * sigma_y, 121)
    upward = np.linspace(0, mixing.lid, 401)
    y, z = np.meshgrid(across, upward)
    concentration = plume(np.full_like(y, distance), y, z, mixing, width, 4.0)
    flux = np.trapezoid(np.trapezoid(concentration, across, axis=1), upward) * wind
    assert flux == pytest.approx(1.0, abs=0.02)


@given(kind=kinds, wind=st.floats(0.5, 12), angle=st.floats(0, 6.28))
def test_nothing_is_carried_against_the_wind(kind: Stability, wind: float, angle: float) -> None:
    way = np.array([np.cos(angle), np.sin(angle)])
    receptors = np.stack([-2000 * way, 2000 * way])
    upwind, downwind = transfer(receptors, np.zeros((1, 2)), Mixing(tuple(wind * way), kind, 800.0), 500.0)[:, 0]
    assert upwind == 0
    assert downwind > 0


@given(kind=kinds, wind=st.floats(0.6, 6))
def test_twice_the_wind_halves_the_concentration(kind: Stability, wind: float) -> None:
    receptor, source = np.array([[1500.0, 40.0]]), np.zeros((1, 2))
    slow, fast = (transfer(receptor, source, Mixing((w, 0.0), kind, 800.0), 200.0)[0, 0] for w in (wind, 2 * wind))
    assert fast == pytest.approx(slow / 2)


def test_a_still_night_holds_smoke_down_longer_than_a_sunny_noon() -> None:
    receptor, source = np.array([[1000.0, 0.0]]), np.zeros((1, 2))
    still, sunny = (
        transfer(receptor, source, Mixing((2.0, 0.0), kind, lid), 100.0)[0, 0]
        for kind, lid in ((Stability.STABLE, 250.0), (Stability.UNSTABLE, 1300.0))
    )
    assert still > 5 * sunny


def test_calm_air_gives_a_number_and_not_infinity() -> None:
    reach = transfer(np.array([[10.0, 0.0]]), np.zeros((1, 2)), Mixing((0.0, 0.0), Stability.STABLE, 200.0), 500.0)
    assert np.isfinite(reach).all()


def test_sun_stirs_and_clear_nights_do_not() -> None:
    assert stability(2.0, 60.0, 0.1) is Stability.UNSTABLE
    assert stability(8.0, 60.0, 0.1) is Stability.NEUTRAL
    assert stability(1.5, -20.0, 0.1) is Stability.STABLE
    assert mixing_height(60.0, 2.0) > 3 * mixing_height(-20.0, 2.0)
