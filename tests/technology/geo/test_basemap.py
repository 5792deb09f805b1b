"""The basemap gives back what was written, and says what is wrong with what was not."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import shapely

from cityops.technology.geo.basemap import (
    DISTRICTS_SCHEMA,
    LINKS_SCHEMA,
    PLACES_SCHEMA,
    Basemap,
    BasemapError,
    City,
    write_basemap,
)


def city() -> City:
    return City(
        id="jiangcheng",
        name={"zh": "江城", "en": "Jiangcheng"},
        division_code="421400",
        center=(113.3, 30.2),
        bounds=(113.2, 30.1, 113.4, 30.3),
        timezone="Asia/Shanghai",
        population=300_000,
        source="seed:1",
    )


def tables() -> tuple[pa.Table, pa.Table, pa.Table]:
    links = [
        {
            "link_id": f"L{n:05d}",
            "fid": n,
            "name_zh": "解放大道",
            "name_en": "Jiefang Avenue",
            "highway": "primary",
            "lanes": 3,
            "length_m": 100.0,
            "free_speed_kmh": 60.0,
            "from_node": f"N{n}",
            "to_node": f"N{n + 1}",
            "district_id": "421402",
            "oneway": False,
            "geometry": shapely.to_wkb(shapely.LineString([(113.3, 30.2 + n / 100), (113.31, 30.2 + n / 100)])),
        }
        for n in (1, 2)
    ]
    places = [
        {"place_id": "H1", "kind": "hospital", "name_zh": "医院", "name_en": "Hospital", "lon": 113.3, "lat": 30.2}
        | {"district_id": "421402", "link_id": "", "attrs": "{}"}
    ]
    districts = [
        {"district_id": "421402", "name_zh": "城中区", "name_en": "Chengzhong", "population": 1}
        | {"geometry": shapely.to_wkb(shapely.box(113.2, 30.1, 113.4, 30.3))}
    ]
    return (
        pa.Table.from_pylist(links, LINKS_SCHEMA),
        pa.Table.from_pylist(places, PLACES_SCHEMA),
        pa.Table.from_pylist(districts, DISTRICTS_SCHEMA),
    )


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    links, places, districts = tables()
    write_basemap(tmp_path, city(), links, places, districts)
    read = Basemap.open(tmp_path)
    assert read.city.name["zh"] == "江城"
    assert read.city.counts == {"links": 2, "places": 1, "districts": 1, "hospital": 1}
    assert read.links.equals(links)
    assert read.places.equals(places)
    assert read.districts.equals(districts)
    assert read.link_index == {"L00001": 0, "L00002": 1}
    assert read.places_of("hospital").num_rows == 1
    assert read.places_of("school").num_rows == 0


def test_points_find_their_district_and_link(tmp_path: Path) -> None:
    write_basemap(tmp_path, city(), *tables())
    read = Basemap.open(tmp_path)
    assert read.districts_at([113.25, 0.0], [30.2, 0.0]).tolist() == [0, -1]
    assert read.nearest_links([113.305, 113.305], [30.2101, 30.2199]).tolist() == [0, 1]
    np.testing.assert_allclose(read.link_midpoints[0], [113.305, 30.21])


def test_an_absent_city_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(BasemapError, match="cityops up"):
        Basemap.open(tmp_path)


def test_fids_that_are_not_row_numbers_are_refused(tmp_path: Path) -> None:
    links, places, districts = tables()
    with pytest.raises(BasemapError, match="fid"):
        write_basemap(tmp_path, city(), links.slice(1), places, districts)


def test_a_truncated_table_names_its_file(tmp_path: Path) -> None:
    write_basemap(tmp_path, city(), *tables())
    (tmp_path / "links.parquet").write_bytes(b"PAR1")
    with pytest.raises(BasemapError, match=r"links\.parquet"):
        _ = Basemap.open(tmp_path).links
