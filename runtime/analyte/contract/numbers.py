"""Numbers as people read them, the same in reports, cards and terminals."""

from __future__ import annotations

import math

_DIGITS = 4
_LARGE, _SMALL = 1e7, 1e-4
"""Outside of these powers of ten stand instead of zeros."""


def number(value: float) -> str:
    """Return a number with four significant digits, or all that a whole one has."""
    if value == 0:
        return "0"
    size = abs(value)
    if not _SMALL <= size < _LARGE:
        return f"{value:.{_DIGITS - 1}e}"
    if value == round(value):
        return f"{value:.0f}"
    return f"{value:.{_decimals(size)}f}"


def fixed(value: float, like: float) -> str:
    """Return a number with the decimals that ``like`` has in `number`: for what stands side by side."""
    if not _SMALL <= abs(like) < _LARGE:
        return number(value)
    return f"{round(value, _decimals(abs(like))) + 0.0:.{_decimals(abs(like))}f}"


def _decimals(size: float) -> int:
    return max(0, _DIGITS - 1 - math.floor(math.log10(size)))


def coverage_percent(coverage: float) -> str:
    """Return the coverage of an interval, 0 to 1, in whole percent: 10 of 11 is 91 %.

    It comes from few groups: a decimal would say more than is known. Only what is below 100 % and would round
    to it keeps one more digit, 99.7 %.
    """
    whole = f"{100 * coverage:.0f}"
    return f"{100 * coverage:.1f} %" if whole == "100" and coverage < 1.0 else f"{whole} %"


def percent(share: float, digits: int = 1) -> str:
    """Return a share, 0 to 1, in percent."""
    text = f"{100 * share:.{digits}f}"
    return f"{text.rstrip('0').rstrip('.')} %"
