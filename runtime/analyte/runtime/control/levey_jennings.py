"""The Levey-Jennings chart, as SVG written by hand: a device has no plotting library.

Levey S, Jennings ER, The use of control charts in the clinical laboratory, Am J Clin Pathol
1950;20:1059-1066.
Every material has a panel of its own: distance from the target in s against the controls in their order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from analyte.contract.numbers import number
from analyte.contract.sections.control import MaterialSection
from analyte.runtime.control.events import RECALIBRATED, RELEASED, UNDONE, Outcome
from analyte.runtime.control.ledger import Control, Mark

_WIDTH, _PANEL = 820, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 92, 24, 40, 34
_END = 4.0
"""Half-height of a panel in s; what lies beyond is drawn at the edge and says its value."""
_COLOURS: dict[Outcome, str] = {"accepted": "#1d5f8a", "warning": "#a15c00", "failed": "#b3261e"}
"""Told apart by shape as well: circle, triangle, square."""
_MARKS = {RELEASED: "released", RECALIBRATED: "recalibrated", UNDONE: "recalibration undone"}
_STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#222}.small{font-size:10px}.head{font-weight:600}"
    ".target{stroke:#2e7d32;stroke-width:1.5}.one{stroke:#d5d5d5}.two{stroke:#a15c00;stroke-dasharray:5 4}"
    ".three{stroke:#b3261e}.mark{stroke:#555;stroke-dasharray:2 3}"
    ".line{fill:none;stroke:#7a8b99;stroke-width:1}"
)
_LINES = {0: "target", 1: "one", 2: "two", 3: "three"}


def draw(
    materials: Sequence[MaterialSection], series: Mapping[str, Sequence[Control]], marks: Sequence[Mark]
) -> str:
    """Return the chart of ``series``, controls by the name of their material, oldest first.

    ``marks``: what began the series anew, drawn between the controls that it lies between.
    """
    height = _PANEL * len(materials)
    described = " ".join(_described(material, series[material.name]) for material in materials)
    panels = "".join(
        f'<g transform="translate(0 {at * _PANEL})">{_panel(material, series[material.name], marks)}</g>'
        for at, material in enumerate(materials)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" '
        f'height="{height}" role="img" aria-labelledby="lj-title lj-desc">'
        '<title id="lj-title">Levey-Jennings chart</title>'
        f'<desc id="lj-desc">{_text(described)}</desc><style>{_STYLE}</style>'
        f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>{_legend()}{panels}</svg>\n'
    )


def _described(material: MaterialSection, controls: Sequence[Control]) -> str:
    failed = sum(one.record.outcome == "failed" for one in controls)
    warned = sum(one.record.outcome == "warning" for one in controls)
    return (
        f"Control {material.name}: {len(controls)} values, {failed} failed, {warned} with a warning; "
        f"target {number(material.target)}, s {number(material.s)}."
    )


def _panel(material: MaterialSection, controls: Sequence[Control], marks: Sequence[Mark]) -> str:
    unit = controls[-1].record.unit if controls else ""
    lot = f", lot {material.lot}" if material.lot else ""
    head = f"{material.name}{lot}: target {number(material.target)} {unit}, s {number(material.s)} {unit}"
    parts = [f'<text class="head" x="{_LEFT}" y="22">{_text(head)}</text>']
    for at in range(-3, 4):
        y = _y(at)
        name = "target" if at == 0 else f"{at:+d} s"
        value = number(material.target + at * material.s)
        parts.append(
            f'<line class="{_LINES[abs(at)]}" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text class="small" x="{_LEFT - 6}" y="{y + 3.5:.1f}" text-anchor="end">{value} ({name})</text>'
        )
    if not controls:
        parts.append(f'<text x="{_LEFT + 12}" y="{_y(0.4):.1f}">No control was measured yet.</text>')
        return "".join(parts)
    xs = [_x(at, len(controls)) for at in range(len(controls))]
    parts += _mark_lines(controls, xs, marks)
    path = " ".join(f"{x:.1f},{_y(one.record.z):.1f}" for x, one in zip(xs, controls, strict=True))
    parts.append(f'<polyline class="line" points="{path}"/>')
    parts += [_point(one, x) for x, one in zip(xs, controls, strict=True)]
    below = _PANEL - 10
    parts.append(
        f'<text class="small" x="{xs[0]:.1f}" y="{below}">{controls[0].at:%Y-%m-%d %H:%M}</text>'
        f'<text class="small" x="{_WIDTH - _RIGHT}" y="{below}" text-anchor="end">'
        f"{controls[-1].at:%Y-%m-%d %H:%M} UTC</text>"
    )
    return "".join(parts)


def _mark_lines(controls: Sequence[Control], xs: Sequence[float], marks: Sequence[Mark]) -> list[str]:
    """Return one line for all that happened between the same two controls."""
    groups: dict[int, list[Mark]] = {}
    for mark in marks:
        groups.setdefault(sum(one.sequence < mark.sequence for one in controls), []).append(mark)
    # What lies before the first control that is shown parts nothing.
    groups.pop(0, None)
    step = xs[1] - xs[0] if len(xs) > 1 else 24.0
    return [_mark_line(group, xs[after - 1] + min(step / 2, 12.0)) for after, group in groups.items()]


def _mark_line(marks: Sequence[Mark], x: float) -> str:
    said = "; ".join(f"{_MARKS[one.event.what]} by {one.event.who}{_because(one)}" for one in marks)
    names = ", ".join(dict.fromkeys(_MARKS[one.event.what] for one in marks))
    anchor = "end" if x > _WIDTH / 2 else "start"
    return (
        f'<g><title>{_text(said)}</title><line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" '
        f'y2="{_PANEL - _BOTTOM}"/><text class="small" x="{x:.1f}" y="{_PANEL - _BOTTOM + 10}" '
        f'text-anchor="{anchor}">{_text(names)}</text></g>'
    )


def _because(mark: Mark) -> str:
    return f": {mark.event.why}" if mark.event.why else ""


def _legend() -> str:
    """Return the shapes and what they mean, right above the first panel."""
    parts: list[str] = []
    for at, (outcome, colour) in enumerate(_COLOURS.items()):
        x = _WIDTH - 240.0 + 80.0 * at
        parts.append(
            f'{_shape(outcome, x, 18.0, colour)}<text class="small" x="{x + 10:.0f}" y="22">{outcome}</text>'
        )
    return "".join(parts)


def _shape(outcome: Outcome, x: float, y: float, colour: str) -> str:
    return {
        "accepted": f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>',
        "warning": f'<path d="M{x:.1f} {y - 6:.1f}l6 10h-12z" fill="{colour}"/>',
        "failed": f'<path d="M{x - 5:.1f} {y - 5:.1f}h10v10h-10z" fill="{colour}"/>',
    }[outcome]


def _point(control: Control, x: float) -> str:
    record = control.record
    y = _y(record.z)
    shape = _shape(record.outcome, x, y, _COLOURS[record.outcome])
    broken = f"; {', '.join(record.broken)}" if record.broken else ""
    said = (
        f"{control.at:%Y-%m-%d %H:%M} UTC: {number(record.value)} {record.unit}, {record.z:+.2f} s, "
        f"{record.outcome}{broken}"
    )
    note = "/".join(record.rules) if record.outcome == "failed" else ""
    if abs(record.z) > _END:
        note = f"{note} {record.z:+.1f} s".strip()
    above = y - 9 if y > _TOP + 16 else y + 18
    label = (
        f'<text class="small" x="{x:.1f}" y="{above:.1f}" text-anchor="middle">{_text(note)}</text>'
        if note
        else ""
    )
    return f"<g><title>{_text(said)}</title>{shape}{label}</g>"


def _x(at: int, count: int) -> float:
    first, last = _LEFT + 14.0, _WIDTH - _RIGHT - 14.0
    return first if count == 1 else first + (last - first) * at / (count - 1)


def _y(z: float) -> float:
    middle, half = (_TOP + _PANEL - _BOTTOM) / 2, (_PANEL - _BOTTOM - _TOP) / 2
    return middle - half * max(-_END, min(_END, z)) / _END


def _text(text: str) -> str:
    """Escape text, and replace what XML cannot hold."""
    return escape("".join(c if c.isprintable() else "?" for c in text), quote=False)
