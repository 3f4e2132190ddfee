"""Learned limits as a section of a profile, as a table and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import numpy as np

from analyte.contract.tables import format_table, printable
from analyte.runtime.quality.collecting import Collected
from analyte.runtime.quality.learning import Learned

_WORST = 5
_LEFT_OUT = 5


@dataclass(frozen=True, slots=True)
class Odd:
    """A photograph far from the others by one figure."""

    name: str
    figure: str
    value: float
    """In the figure's unit."""
    distance: float
    """From the median, 1 at the limit of a flag."""
    verdict: str
    """``refused``, ``flagged`` or ``good``."""


def odd_ones(collected: Collected, learned: Sequence[Learned]) -> list[Odd]:
    """Return the figure of each photograph that is farthest out, the farthest first."""
    found: list[Odd] = []
    for at, name in enumerate(collected.names):
        findings = [finding for one in learned if (finding := one.finding(at)) is not None]
        verdict = "refused" if any(f.refused for f in findings) else "flagged" if findings else "good"
        by_figure = {one.name: one.worst(at) for one in learned}
        figure = max(by_figure, key=lambda name: by_figure[name][1])
        found.append(Odd(name, figure, *by_figure[figure], verdict))
    return sorted(found, key=lambda odd: -odd.distance)


def to_toml(learned: Sequence[Learned], source: str, photographs: int, false_alarms: float) -> str:
    """Return the section for a device profile, with what it rests on."""
    today = datetime.now(UTC).date().isoformat()
    lines = [
        f"# Learned by analyte quality from {photographs} photographs, {printable(source)}, on {today},",
        f"# for a share of {false_alarms:g} of good ones flagged. They hold for this camera and lamp.",
        "[quality]",
    ]
    for one in learned:
        limits = {name: limit for name, limit in one.limits if limit is not None}
        lines.append(
            f"{one.name} = {{ {', '.join(f'{name} = {limit:g}' for name, limit in limits.items())} }}"
        )
    return "\n".join(lines) + "\n"


def to_table(collected: Collected, learned: Sequence[Learned], odd: Sequence[Odd]) -> str:
    """Return the figures, how many photographs the limits would flag or refuse, and the worst of them."""
    header = ("figure", "lowest", "1 %", "median", "99 %", "highest", "refused below", "flagged below",
              "flagged above", "refused above")  # fmt: skip
    rows = [
        (
            one.name,
            *(f"{figure:.4g}" for figure in np.quantile(one.lows, (0, 0.01, 0.5))),
            *(f"{figure:.4g}" for figure in np.quantile(one.highs, (0.99, 1))),
            *(_shown(one, limit) for limit in ("refuse_below", "flag_below", "flag_above", "refuse_above")),
        )
        for one in learned
    ]
    verdicts = [one.verdict for one in odd]
    lines = [
        format_table(header, rows, right=frozenset(range(1, 10))),
        f"{len(verdicts)} photographs; by these limits {verdicts.count('flagged')} would be flagged and "
        f"{verdicts.count('refused')} refused. Farthest out (1 is the limit of a flag):",
        format_table(
            ("photograph", "figure", "value", "distance", ""),
            [(o.name, o.figure, f"{o.value:.4g}", f"{o.distance:.2f}", o.verdict) for o in odd[:_WORST]],
            right=frozenset((2, 3)),
        ),
    ]
    if collected.copies:
        lines.append(f"{len(collected.copies)} are copies of others and do not count:")
        lines += [f"  {printable(what)}" for what in collected.copies[:_LEFT_OUT]]
    if collected.left_out:
        lines.append(f"{len(collected.left_out)} could not be used:")
        lines += [f"  {printable(why)}" for why in collected.left_out[:_LEFT_OUT]]
    return "\n".join(lines)


def as_record(
    collected: Collected, learned: Sequence[Learned], odd: Sequence[Odd], false_alarms: float
) -> dict[str, object]:
    """Return all of it for JSON."""
    return {
        "photographs": len(odd),
        "false_alarms": false_alarms,
        "flagged": sum(one.verdict == "flagged" for one in odd),
        "refused": sum(one.verdict == "refused" for one in odd),
        "limits": {one.name: one.limits.model_dump(exclude_none=True) for one in learned},
        "figures": {
            one.name: {
                "lowest": float(one.lows.min()),
                "median": float(np.median(one.lows)),
                "highest": float(one.highs.max()),
            }
            for one in learned
        },
        "worst": [asdict(one) for one in odd[:_WORST]],
        "left_out": list(collected.left_out),
        "copies": list(collected.copies),
    }


def _shown(one: Learned, name: str) -> str:
    limit: float | None = getattr(one.limits, name)
    return "-" if limit is None else f"{limit:.4g}"
