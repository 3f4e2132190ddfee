"""Findings and statistics as text for people; programs use ``--json``."""

from __future__ import annotations

import shutil
import textwrap
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from analyte.train.inspection.finding import SEVERITIES, Finding, count, listed, shown
from analyte.train.inspection.inspection import Inspection
from analyte.train.inspection.statistics import Exposure, Statistics, by_split

_MOST_SESSION_ROWS = 40
"""Rows of sessions beyond which a table is no longer read; all of them are in the JSON."""
_DETAILS = 6
_BAR = 40
"""Characters of the longest bar of a histogram."""


def describe_findings(findings: Sequence[Finding], inspection: Inspection) -> str:
    """Return one paragraph per finding, worst first, and how many there are."""
    parts = [_headline(inspection)]
    parts += [_paragraph(found) for found in findings]
    counts = Counter(found.severity for found in findings)
    found = ", ".join(count(counts[severity], severity) for severity in SEVERITIES)
    return "\n".join([*parts, f"{found}." if findings else "Nothing wrong was found."])


def _headline(inspection: Inspection) -> str:
    spec = inspection.dataset.spec
    splits = ", ".join(f"{n} {name}" for name, n in by_split(inspection.samples).items())
    views = f" of {len(spec.views)} views" if len(spec.views) > 1 else ""
    groups = count(len({sample.group for sample in inspection.samples}), "group")
    return printable(
        f"{spec.name}: {count(len(inspection.samples), 'sample')}{views} ({splits}), {groups}, "
        f"{spec.analyte} {shown(spec.range[0])} to {shown(spec.range[1])} {spec.unit}"
    )


def _paragraph(found: Finding) -> str:
    width = min(110, max(60, shutil.get_terminal_size((100, 24)).columns))
    indent = " " * 9
    lines = [f"{found.severity.upper():<8} {found.code}: {found.what}."]
    where = listed(found.details, _DETAILS, joint="; ") if found.details else listed(found.samples, _DETAILS)
    if where:
        lines.append(f"{indent}{where}.")
    lines.append(f"{indent}-> {found.fix}.")
    return "\n".join(
        textwrap.fill(printable(line), width, subsequent_indent=indent, break_on_hyphens=False)
        for line in lines
    )


def describe_statistics(statistics: Statistics) -> str:
    """Return counts, values and exposure as short tables."""
    groups = statistics.groups
    splits = ", ".join(f"{n} {name}" for name, n in statistics.splits.items())
    samples = f"{groups['smallest']} to {groups['largest']}"
    head = [
        f"{statistics.name}: {statistics.analyte}, {' to '.join(map(shown, statistics.range))} "
        f"{statistics.unit}",
        f"{count(statistics.samples, 'sample')}, {count(statistics.pictures, 'picture')} ({splits})",
        f"{count(groups['count'], 'group')} of "
        f"{samples if groups['smallest'] < groups['largest'] else groups['largest']} samples; "
        f"{count(len(statistics.sessions), 'session') if statistics.sessions else 'no sessions'}",
        _sizes(statistics),
    ]
    return "\n\n".join(["\n".join(map(printable, head)), _values(statistics), _exposure(statistics)])


def _sizes(statistics: Statistics) -> str:
    parts = []
    for view in statistics.views:
        sizes = [f"{s.width_px}x{s.height_px} px ({s.pictures})" for s in statistics.sizes if s.view == view]
        parts.append(f"{view}: {listed(sizes, 3)}")
    return "sizes of regions: " + "; ".join(parts)


def _values(statistics: Statistics) -> str:
    """Return a row per level, or per part of the range, with a bar."""
    splits = list(statistics.splits)
    if statistics.levels is not None:
        rows = [
            (shown(level.value), [level.samples.get(s, 0) for s in splits]) for level in statistics.levels
        ]
    else:
        edges = statistics.histogram.edges
        rows = [
            (f"{shown(low)} to {shown(high)}", [statistics.histogram.samples[s][index] for s in splits])
            for index, (low, high) in enumerate(pairwise(edges))
        ]
    most = max(sum(counts) for _, counts in rows)
    return table(
        (f"value, {statistics.unit}", *splits, ""),
        [(name, *map(str, counts), "#" * round(_BAR * sum(counts) / most)) for name, counts in rows],
        right=range(1, len(splits) + 1),
    )


def _exposure(statistics: Statistics) -> str:
    header = (
        "view",
        "split or session",
        "n",
        "R",
        "G",
        "B",
        "black %",
        "white %",
        "under",
        "over",
        "sharpness",
    )
    entries = [e for e in statistics.exposure if e.session is None]
    if len(statistics.splits) == 1:
        entries = [e for e in entries if e.split is None]
    by_session = [e for e in statistics.exposure if e.session is not None]
    hidden = ""
    if len(by_session) <= _MOST_SESSION_ROWS:
        entries = [e for view in statistics.views for e in [*entries, *by_session] if e.view == view]
    else:
        hidden = f"\n{len(statistics.sessions)} sessions: --json lists them, --picture draws them."
    text = table(header, [_exposure_row(e) for e in entries], right=range(2, len(header)))
    return (
        f"{text}\nR, G, B: mean, 0 to 255. black, white %: pixels clipped in the worst channel. under, "
        f"over: pictures so exposed.\nsharpness: variance of the Laplacian at {statistics.network_px} "
        f"px.{hidden}"
    )


def _exposure_row(exposure: Exposure) -> tuple[str, ...]:
    return (
        exposure.view,
        exposure.session or exposure.split or "all",
        str(exposure.pictures),
        *(f"{mean:.0f}" for mean in exposure.mean_rgb),
        f"{100 * max(exposure.black):.1f}",
        f"{100 * max(exposure.white):.1f}",
        str(exposure.under_exposed),
        str(exposure.over_exposed),
        f"{exposure.sharpness:.0f}",
    )


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, right: range) -> str:
    """Return columns two spaces apart; ``right``: columns that are aligned to the right."""
    cells = [[printable(cell) for cell in row] for row in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    )


def printable(text: str) -> str:
    """Return ``text`` with control characters, which a file name may hold, replaced by ``?``."""
    return "".join(c if c.isprintable() else "?" for c in text)
