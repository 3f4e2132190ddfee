"""Numbers as people read them."""

from __future__ import annotations

import pytest

from analyte.contract.numbers import coverage_percent


@pytest.mark.parametrize(
    ("coverage", "text"),
    [
        (0.95, "95 %"),
        (10 / 11, "91 %"),
        (0.9, "90 %"),
        (0.5, "50 %"),
        (0.997, "99.7 %"),
        (0.994, "99 %"),
        (1.0, "100 %"),
    ],
)
def test_coverage(coverage: float, text: str) -> None:
    assert coverage_percent(coverage) == text
