"""Air quality between stations: ordinary kriging on a grid, drawn as a transparent image for the map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from cityops.apps.environment.png import png

Floats = npt.NDArray[np.float64]

WIDTH: Final = 160
"""Columns of the grid; rows follow from the shape of the area."""
NUGGET: Final = 0.05
"""Part of the variance that is noise between neighbours."""
MIN_STATIONS: Final = 3

# Index, then red, green, blue, alpha: nothing is drawn where the air is good, colour is for the abnormal.
_RAMP: Final = np.array(
    [
        (0, 222, 190, 80, 0),
        (95, 222, 190, 80, 0),
        (110, 222, 190, 80, 50),
        (150, 232, 132, 46, 100),
        (200, 214, 60, 60, 125),
        (300, 150, 60, 130, 140),
        (500, 110, 30, 50, 155),
    ],
    np.float64,
)


@dataclass(frozen=True)
class Grid:
    """Cell centres over bounds (west, south, east, north): equal steps in Web Mercator, as a map stretches an image."""

    bounds: tuple[float, float, float, float]
    lon: Floats
    lat: Floats

    @classmethod
    def over(cls, bounds: tuple[float, float, float, float]) -> Grid:
        """Return a grid WIDTH columns wide over `bounds`; `lat` runs from north to south."""
        west, south, east, north = bounds
        top, bottom = _mercator(np.array([north, south]))
        height = int(np.clip(round(WIDTH * np.degrees(top - bottom) / (east - west)), 16, 4 * WIDTH))
        lon = west + (np.arange(WIDTH) + 0.5) * (east - west) / WIDTH
        y = top - (np.arange(height) + 0.5) * (top - bottom) / height
        return cls(bounds, lon, np.degrees(2 * np.arctan(np.exp(y)) - np.pi / 2))

    def plane(self) -> tuple[Floats, Floats]:
        """Return x and y of all cells in degrees of latitude (east-west shortened), each shape (rows, columns)."""
        x, y = np.meshgrid(self.lon * self.squeeze, self.lat)
        return x, y

    @property
    def squeeze(self) -> float:
        """Length of a degree of longitude over one of latitude in the middle of the grid."""
        return float(np.cos(np.radians((self.bounds[1] + self.bounds[3]) / 2)))


def interpolate(grid: Grid, lon: Floats, lat: Floats, value: Floats) -> Floats:
    """Return the kriged value of every cell, shape (rows, columns), never outside the stations' range.

    Ordinary kriging with an exponential variogram whose range is half the grid's diagonal. Raises ValueError below
    MIN_STATIONS. Stations at one place are averaged, for two rows alike have no solution.
    """
    places, place = np.unique(np.column_stack([lon * grid.squeeze, lat]).round(6), axis=0, return_inverse=True)
    value = np.bincount(place, value) / np.bincount(place)
    n = len(places)
    if n < MIN_STATIONS:
        raise ValueError(f"{n} stations: at least {MIN_STATIONS} are needed for a surface")
    x, y = grid.plane()
    reach = 0.5 * float(np.hypot(x.max() - x.min(), y.max() - y.min()))
    between = np.hypot(*(places[:, None, :] - places[None, :, :]).transpose(2, 0, 1))
    system = np.ones((n + 1, n + 1))
    system[:n, :n] = _variogram(between, reach)
    np.fill_diagonal(system, 0.0)
    # Solving for the data once (dual kriging) leaves one product a cell.
    weights = np.linalg.solve(system, np.append(value, 0.0))
    to_cells = np.hypot(x.reshape(-1, 1) - places[:, 0], y.reshape(-1, 1) - places[:, 1])
    kriged = _variogram(to_cells, reach) @ weights[:n] + weights[n]
    return np.asarray(np.clip(kriged, value.min(), value.max())).reshape(x.shape)


def picture(grid: Grid, index: Floats) -> bytes:
    """Return the PNG of an index surface, fading out towards the edges of the grid."""
    channels = [np.interp(index, _RAMP[:, 0], _RAMP[:, c]) for c in range(1, 5)]
    rows, columns = index.shape
    fade = np.minimum(_edge(rows)[:, None], _edge(columns)[None, :])
    channels[3] = channels[3] * fade
    return png(np.stack(channels, axis=-1).round().astype(np.uint8))


def _variogram(distance: Floats, reach: float) -> Floats:
    sill = NUGGET + (1 - NUGGET) * (1 - np.exp(-3 * distance / reach))
    return np.asarray(np.where(distance > 0, sill, 0.0))


def _edge(n: int) -> Floats:
    """Return a ramp 0 … 1 … 0 over `n` cells, an eighth of them on either side, without a kink."""
    inward = np.minimum(np.arange(n), np.arange(n)[::-1]) / max(1, n // 8)
    t = np.clip(inward, 0.0, 1.0)
    return t * t * (3 - 2 * t)


def _mercator(lat: Floats) -> Floats:
    phi = np.radians(lat)
    return np.log(np.tan(np.pi / 4 + phi / 2))
