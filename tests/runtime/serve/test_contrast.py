"""The page's colours, for eyes that see less contrast."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("fastapi")
from analyte.runtime.serve.routes.page import STATIC

COLOURS = ("text", "soft", "main", "bad", "warn", "good")


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    digits = colour if len(colour) == 6 else "".join(2 * one for one in colour)
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    """WCAG 2.2, contrast ratio."""
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_of_the_known_extremes() -> None:
    assert contrast("000", "ffffff") == pytest.approx(21.0)
    assert contrast("777777", "fff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_stands_out(scheme: int) -> None:
    blocks = re.findall(r":root \{[^}]*\}", (STATIC / "app.css").read_text("utf-8"))
    found = dict(re.findall(r"--([\w-]+): #(\w+)", blocks[scheme]))
    for name in COLOURS:
        for ground in ("card", "back"):
            assert contrast(found[name], found[ground]) >= 4.5, (name, ground)
    assert contrast(found["on-main"], found["main"]) >= 4.5
