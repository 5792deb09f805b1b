"""How smoke and dust spread: the Gaussian plume over a city, as a matrix from sources to receptors."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

CALM = 0.5
"""Slowest wind (m/s) the plume equation is used with; below it the formula has no meaning."""


class Stability(Enum):
    """Pasquill's classes as Briggs groups them over cities: (a, b) of sigma_y and (c, d, power) of sigma_z."""

    UNSTABLE = (0.32, 4e-4, 0.24, 1e-3, 0.5)  # A, B
    SLIGHTLY_UNSTABLE = (0.22, 4e-4, 0.20, 0.0, 0.0)  # C
    NEUTRAL = (0.16, 4e-4, 0.14, 3e-4, -0.5)  # D
    STABLE = (0.11, 4e-4, 0.08, 1.5e-3, -0.5)  # E, F


def stability(wind_speed: float, sun_elevation: float, cloud: float) -> Stability:
    """Return the class by Turner's scheme (1964): sun against wind by day, cloud against wind by night."""
    if sun_elevation > 0:
        strength = sun_elevation * (1 - 0.6 * cloud)
        if strength > 35 and wind_speed < 4:
            return Stability.UNSTABLE
        if strength > 15 and wind_speed < 5:
            return Stability.SLIGHTLY_UNSTABLE
        return Stability.NEUTRAL
    return Stability.STABLE if wind_speed < 3 and cloud < 0.6 else Stability.NEUTRAL


def mixing_height(sun_elevation: float, wind_speed: float) -> float:
    """Return the height in metres of the layer that is stirred: 200-400 m at night, up to 1500 m under a high sun."""
    return float(180 + 40 * min(wind_speed, 6) + 1200 * np.clip(np.sin(np.radians(sun_elevation)), 0, 1) ** 0.8)


def spread(distance: Floats, kind: Stability, width: float = 0.0, depth: float = 0.0) -> tuple[Floats, Floats]:
    """Return sigma_y and sigma_z (m) `distance` m downwind (Briggs 1973, urban) of a source `width` m wide.

    A source of size adds its own spread, width / 4.3 and depth / 2.15 (EPA ISC3 user's guide, vol. II, table 1-6).
    """
    a, b, c, d, power = kind.value
    x = np.maximum(distance, 0.0)
    sigma_y = a * x / np.sqrt(1 + b * x)
    sigma_z = c * x * (1 + d * x) ** power
    return np.hypot(sigma_y, width / 4.3), np.hypot(sigma_z, depth / 2.15)


class Mixing(NamedTuple):
    """How the air carries and stirs: where it goes (m/s east and north), its stability, the height it is stirred to."""

    wind: tuple[float, float]
    stability: Stability
    lid: float

    @property
    def speed(self) -> float:
        """Wind speed for the plume equation, m/s."""
        return max(CALM, float(np.hypot(*self.wind)))


def plume(downwind: Floats, crosswind: Floats, height: Floats, mixing: Mixing, width: float, depth: float) -> Floats:
    """Return concentration per source strength (s/m³) of a source on the ground, centred at the origin.

    The Gaussian plume with reflection at the ground and at the lid (Turner 1970, eq. 3.1 and 3.3): what leaves the
    source passes every plane downwind of it undiminished. Within half a `width` of the source it grows in linearly,
    since only the part of the source that lies upwind is felt. Distances in metres.
    """
    fetch, lid = downwind + width / 2, mixing.lid
    sigma_y, sigma_z = spread(np.maximum(fetch, 1.0), mixing.stability, width, depth)
    across = np.exp(-0.5 * (crosswind / sigma_y) ** 2) / (np.sqrt(2 * np.pi) * sigma_y)
    images = sum(np.exp(-0.5 * ((height - 2 * n * lid) / sigma_z) ** 2) for n in range(-2, 3))
    upward = np.where(sigma_z > lid, 1 / lid, 2 * images / (np.sqrt(2 * np.pi) * sigma_z))
    share = np.clip(fetch / width, 0.0, 1.0) if width > 0 else (downwind > 0).astype(np.float64)
    return np.asarray(share * across * upward / mixing.speed, np.float64)


def transfer(receptors: Floats, sources: Floats, mixing: Mixing, width: float, depth: float = 4.0) -> Floats:
    """Return the matrix (receptors x sources) of concentration per emission, s/m³.

    `receptors` and `sources` are metres east and north, shape (n, 2); every source is a square `width` m wide stirred
    over `depth` m. Receptors breathe at 3 m.
    """
    toward = np.asarray(mixing.wind) / max(float(np.hypot(*mixing.wind)), 1e-9)
    gap = receptors[:, None, :] - sources[None, :, :]
    downwind = gap @ toward
    crosswind = gap @ np.array([-toward[1], toward[0]])
    return plume(downwind, crosswind, np.full_like(downwind, 3.0), mixing, width, depth)
