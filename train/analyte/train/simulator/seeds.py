"""Independent random streams, one per purpose and index: none depends on how much another drew."""

from __future__ import annotations

import numpy as np

SESSION = 1
VALUE = 2
GEOMETRY = 3
TEXTURE = 4
NOISE = 5
REFERENCE_TEXTURE = 6
REFERENCE_NOISE = 7
CLIP_NOISE = 8


def generator(seed: int, purpose: int, index: int) -> np.random.Generator:
    """Return the stream of one purpose and index: PCG64, the same on every machine."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(purpose, index))))
