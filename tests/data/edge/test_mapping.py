"""Mapping files are read strictly: an error names file, line and field."""

from pathlib import Path

import pytest

from cityops.data.contract.installed import installed_contracts
from cityops.data.edge.mapping import (
    MappingError,
    Place,
    SourceMapping,
    Time,
    Value,
    parse_mapping,
    read_mapping,
    shipped_mappings,
)

CONTRACTS = installed_contracts()
GOOD = """\
id: demo
contract: AirQualityObserved
time_zone: Asia/Shanghai
fields:
  station_id: site
  observed_at: {from: [day, hour], format: "%Y-%m-%d %H"}
  co: {from: CO, unit: ug/m3}
  wind_direction: {from: wd, compass: true}
  location: {from: site, places: sites}
tables:
  sites:
    A: [116.4, 39.9]
"""


def read(text: str, contract: str | None = None) -> SourceMapping:
    return parse_mapping(text, Path("demo.yaml"), CONTRACTS, contract)


def test_a_mapping_is_read() -> None:
    mapping = read(GOOD)
    rules = {f.target.name: f.rule for f in mapping.fields}
    assert rules["station_id"] == Value("site", "text")
    assert rules["observed_at"] == Time(("day", "hour"), "%Y-%m-%d %H", "Asia/Shanghai")
    assert rules["location"] == Place("site", {"A": (116.4, 39.9)})
    assert next(f for f in mapping.fields if f.target.name == "co").conversion.scale == 0.001
    assert mapping.sources == {"site": "text", "day": "text", "hour": "text", "CO": "number", "wd": "text"}


def test_places_in_a_shifted_system_become_wgs84() -> None:
    shifted = read(GOOD.replace("places: sites", "places: sites, system: GCJ-02"))
    rule = next(f.rule for f in shifted.fields if f.target.name == "location")
    assert isinstance(rule, Place)
    longitude, latitude = rule.places["A"]
    assert 400 < abs(longitude - 116.4) * 85_000 < 700  # some 500 m in Beijing
    assert 100 < abs(latitude - 39.9) * 111_000 < 300


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            ("  wind_direction:", "  wind_directio:"),
            "demo.yaml:8: fields.wind_directio: unknown key (did you mean wind_direction?)",
        ),
        (("unit: ug/m3", "unit: km"), "demo.yaml:7: fields.co.unit: 'km' and 'mg/m3' do not measure the same"),
        (("unit: ug/m3", "units: ug/m3"), "demo.yaml:7: fields.co.units: unknown key (did you mean unit?)"),
        (("Asia/Shanghai", "Asia/Shanghigh"), "demo.yaml:3: time_zone: 'Asia/Shanghigh' is no time zone"),
        (("time_zone: Asia/Shanghai\n", ""), "demo.yaml:5: fields.observed_at: the times have no zone"),
        (
            ("places: sites", "places: sites, system: GCJ-20"),
            "fields.location.system: 'GCJ-20' is no coordinate system",
        ),
        (("places: sites", "places: spots"), "demo.yaml:9: fields.location.places: no table 'spots' among `tables`"),
        (("[116.4, 39.9]", "[39.9, 116.4]"), "[longitude, latitude] in degrees is wanted"),
        (("  station_id: site\n", ""), "requires `station_id`, which no field gives"),
        (("contract: Air", "contract: Are"), "demo.yaml:2: contract: 'AreQualityObserved' is not one of"),
        (("compass: true", "compass: true, codes: {N: 0}"), "`compass: true` stands without `codes`"),
        (("%Y-%m-%d %H", "yyyy-mm-dd"), "is none of iso, epoch_s, epoch_ms, nor a pattern"),
        (("fields:", "fields: ["), "demo.yaml:6: not YAML"),
    ],
)
def test_an_error_names_its_place(change: tuple[str, str], problem: str) -> None:
    with pytest.raises(MappingError) as found:
        read(GOOD.replace(*change))
    assert problem in str(found.value)


def test_a_mapping_for_another_contract_is_refused() -> None:
    with pytest.raises(MappingError, match="this mapping is for AirQualityObserved, not for WeatherObserved"):
        read(GOOD, "WeatherObserved")


def test_every_shipped_mapping_is_valid_and_named_as_its_file() -> None:
    assert shipped_mappings()
    for id_ in shipped_mappings():
        assert read_mapping(id_, CONTRACTS).id == id_


def test_a_mapping_nobody_knows_names_those_that_are_known() -> None:
    with pytest.raises(MappingError, match="beijing-air-quality"):
        read_mapping("bejing-air-quality", CONTRACTS)
