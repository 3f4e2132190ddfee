"""sRGB tables: known points, and nothing lost on the way there and back."""

from __future__ import annotations

import numpy as np
import pytest

from analyte.runtime.colour.srgb import decoding, to_linear, to_signal


def test_known_points() -> None:
    table = decoding()
    assert table[0] == 0.0
    assert table[255] == 1.0
    assert table[10] == pytest.approx(10 / 255 / 12.92, rel=1e-6)
    assert table[188] == pytest.approx(0.5028865, rel=1e-5)


def test_there_and_back_and_cut_off() -> None:
    every = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    np.testing.assert_array_equal(to_signal(to_linear(every)), every)
    np.testing.assert_array_equal(to_signal(np.array([-0.5, 2.0])), [0, 255])
