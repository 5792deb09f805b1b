"""Curves that look grown rather than drawn: wobbling closed lines, smooth paths, a plane gently warped."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely
from scipy.interpolate import CubicSpline

Floats = npt.NDArray[np.float64]


def wobble(angles: Floats, rng: np.random.Generator, amplitude: float, harmonics: int = 6) -> Floats:
    """Return a smooth periodic noise over `angles` (radians), about ±amplitude, its spectrum falling as 1/k."""
    total = np.zeros_like(angles)
    for k in range(2, 2 + harmonics):
        total += rng.normal() / k * np.sin(k * angles + rng.uniform(0, 2 * np.pi))
    return amplitude * 1.4 * total


def closed(
    radius: float,
    rng: np.random.Generator,
    *,
    amplitude: float,
    exponent: float = 2.0,
    stretch: float = 1.0,
    step: float = 40.0,
) -> Floats:
    """Return a closed curve about the origin, shape (n, 2), first point repeated last.

    A superellipse (exponent 2 is an ellipse, 4 nearly a rectangle) stretched along x and wobbling by `amplitude`.
    """
    angles = np.linspace(0, 2 * np.pi, max(int(2 * np.pi * radius / step), 24), endpoint=False)
    base = (np.abs(np.cos(angles)) ** exponent + np.abs(np.sin(angles)) ** exponent) ** (-1 / exponent)
    r = radius * base * (1 + wobble(angles, rng, amplitude))
    xy = np.column_stack([r * np.cos(angles) * stretch, r * np.sin(angles)])
    return np.vstack([xy, xy[:1]])


def blob(
    center: Floats, radius: float, rng: np.random.Generator, *, amplitude: float, angle: float = 0.0
) -> shapely.Polygon:
    """Return a lake-like polygon: an ellipse at `center` turned by `angle`, its shore wobbling."""
    xy = rotate(closed(radius, rng, amplitude=amplitude, stretch=rng.uniform(1.1, 1.7), step=25.0), angle) + center
    shape = shapely.Polygon(xy).buffer(0)
    parts = shapely.get_parts(shape)
    return parts[np.argmax(shapely.area(parts))]


def smooth(points: npt.ArrayLike, step: float) -> Floats:
    """Return a smooth path through `points`, shape (n, 2), resampled about every `step` metres."""
    knots = np.asarray(points, np.float64)
    along = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(knots, axis=0).T))])
    return np.asarray(
        CubicSpline(along, knots)(np.linspace(0, along[-1], max(int(along[-1] / step), 2) + 1)), np.float64
    )


def rotate(xy: Floats, angle: float) -> Floats:
    """Return points turned about the origin by `angle` radians, anticlockwise."""
    c, s = np.cos(angle), np.sin(angle)
    return np.asarray(xy @ np.array([[c, s], [-s, c]]), np.float64)


def resample(line: shapely.LineString, step: float) -> Floats:
    """Return points along `line` about every `step` metres, both ends kept."""
    count = max(round(line.length / step), 1)
    return np.asarray(
        shapely.get_coordinates(shapely.line_interpolate_point(line, np.linspace(0, line.length, count + 1))),
        np.float64,
    )


@dataclass(frozen=True)
class Warp:
    """A smooth displacement of the plane: a sum of sine waves of long wavelength."""

    waves: Floats
    """Rows of kx, ky, phase, dx, dy."""

    @classmethod
    def random(cls, rng: np.random.Generator, *, amplitude: float, wavelength: float, count: int = 5) -> Warp:
        """Return a warp that moves points by about `amplitude` metres."""
        angle = rng.uniform(0, 2 * np.pi, count)
        k = 2 * np.pi / (wavelength * rng.uniform(0.8, 1.8, count))
        size = rng.normal(0, amplitude / np.sqrt(count), (count, 2)) * 1.4
        return cls(np.column_stack([k * np.cos(angle), k * np.sin(angle), rng.uniform(0, 2 * np.pi, count), size]))

    def __call__(self, xy: Floats) -> Floats:
        """Return `xy` (n, 2) displaced."""
        phase = xy @ self.waves[:, :2].T + self.waves[:, 2]
        return np.asarray(xy + np.sin(phase) @ self.waves[:, 3:], np.float64)
