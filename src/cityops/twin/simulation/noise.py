"""Random processes that are plain functions of time: the same at any speed, after any restart, for the same seed."""

from __future__ import annotations

import numpy as np

from cityops.twin.simulation.chance import generator

_WAVES = 96


class OrnsteinUhlenbeck:
    """A stationary Gaussian process of mean 0 with covariance sigma² exp(-|dt| / memory_s): `process(t)`.

    Made of cosines whose frequencies follow the process's spectrum, a Cauchy density (random Fourier features,
    Rahimi & Recht 2007), drawn one to a stratum, so no past has to be kept. `t` is seconds since the epoch.
    """

    def __init__(self, memory_s: float, sigma: float, seed: int, *words: object) -> None:
        chance = generator(seed, "noise", *words)
        strata = (np.arange(_WAVES) + chance.random(_WAVES)) / _WAVES
        # The fastest strata reach far into the Cauchy tail; nothing faster than a fortieth of the memory is wanted.
        self._omega = np.minimum(np.tan(strata * np.pi / 2), 40.0) / memory_s
        self._phase = chance.random(_WAVES) * 2 * np.pi
        self._amplitude = sigma * np.sqrt(2 / _WAVES)

    def __call__(self, t: float) -> float:
        """Return the value at `t`."""
        return float(self._amplitude * np.cos(self._omega * t + self._phase).sum())
