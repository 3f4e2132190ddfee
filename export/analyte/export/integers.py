"""Numbers that hold for the integers of every format."""

from __future__ import annotations

MAX_WEIGHT = 127
"""Largest int8 weight; the smallest is its negative."""
LEAST_STEP = 1e-9
"""Least step and range of integers: of weights or activations that are all 0."""
SMALL = 128
"""Constants of fewer numbers stay as they are: their description weighs as much."""
