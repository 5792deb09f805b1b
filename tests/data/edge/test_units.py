"""UCUM conversions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cityops.data.edge.units import UnitError, conversion


@pytest.mark.parametrize(
    ("found", "wanted", "value", "result"),
    [
        ("ug/m3", "mg/m3", 300.0, 0.3),
        ("m/s", "km/h", 10.0, 36.0),
        ("[kn_i]", "m/s", 1.0, 1852 / 3600),
        ("[mi_i]/h", "km/h", 60.0, 96.56064),
        ("[degF]", "Cel", 212.0, 100.0),
        ("K", "Cel", 273.15, 0.0),
        ("mbar", "hPa", 1013.25, 1013.25),
        ("mm[Hg]", "hPa", 760.0, 1013.250144354),
        ("%", "1", 55.0, 0.55),
        ("{veh}/(5.min)", "{veh}/h", 10.0, 120.0),
        ("{veh}/h", "/h", 7.0, 7.0),
        ("kW.h", "J", 1.0, 3.6e6),
        ("m3/s", "L/min", 1.0, 60000.0),
        ("deg", "rad", 180.0, 3.141592653589793),
    ],
)
def test_a_number_is_converted(found: str, wanted: str, value: float, result: float) -> None:
    c = conversion(found, wanted)
    assert value * c.scale + c.offset == pytest.approx(result, rel=1e-12, abs=1e-9)


@pytest.mark.parametrize(
    ("found", "wanted"),
    [("ug/m3", "m"), ("furlong", "m"), ("Cel/m", "K/m"), ("(m", "m"), ("m", "Cel"), ("5x", "m"), ("rad", "1")],
)
def test_units_that_do_not_fit_are_an_error(found: str, wanted: str) -> None:
    with pytest.raises(UnitError):
        conversion(found, wanted)


def test_the_same_unit_changes_nothing() -> None:
    assert not conversion("ug/m3", "ug/m3").changes


_UNITS = st.sampled_from(["m", "km", "cm", "[in_i]", "[ft_i]", "[mi_i]", "[nmi_i]", "um"])


@given(_UNITS, _UNITS, _UNITS, st.floats(-1e6, 1e6))
def test_conversions_chain(a: str, b: str, c: str, value: float) -> None:
    there = value * conversion(a, b).scale * conversion(b, c).scale
    assert there == pytest.approx(value * conversion(a, c).scale, rel=1e-9)
