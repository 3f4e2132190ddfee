"""``analyte qc recalibrate``: correct readings by standards, look at it, take it back."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

import click

from analyte.runtime.commands.qc_options import (
    bundle_option,
    device_option,
    json_option,
    opened_control,
    person,
    person_options,
    prepared,
    store_option,
)

if TYPE_CHECKING:
    from analyte.contract.event import Event
    from analyte.runtime.control.events import RecalibrationRecord
    from analyte.runtime.control.recalibration import Method


@click.command("recalibrate")
@device_option
@bundle_option
@store_option
@click.option("--method", type=click.Choice(["offset", "two-point", "regression"]), help="What is fitted.")
@click.option(
    "--standard",
    "given",
    multiple=True,
    metavar="VALUE=IMAGE",
    help="A photographed standard and its known value, bundle's unit; repeatable, replicates too.",
)
@click.option("--weighted", is_flag=True, help="Weigh each standard by 1 / sigma^2 of its reading.")
@click.option("--well", help="Well that holds the standards, where a frame shows several.")
@click.option("--undo", is_flag=True, help="Take the newest recalibration back; needs --why.")
@click.option("--show", is_flag=True, help="Only show what is in force and how it came.")
@person_options
@json_option
def recalibrate(
    device: Path,
    bundle: Path,
    store: Path | None,
    method: Method | None,
    given: tuple[str, ...],
    weighted: bool,
    well: str | None,
    undo: bool,
    show: bool,
    who: str | None,
    why: str,
    as_json: bool,
) -> None:
    """Correct every later reading by standards of known value, for this bundle only.

    Each recalibration is a numbered version in the audit trail; --undo brings the one before back. Controls
    are due anew after either.
    """
    from analyte.contract.event import Role

    if undo + show + (method is not None) != 1:
        raise click.UsageError("give one of --method, --undo and --show")
    if (given or weighted or well is not None) and method is None:
        raise click.UsageError("--standard, --weighted and --well go with --method")
    standards = [_standard(text) for text in given]
    if method is not None and not standards:
        raise click.UsageError("--method needs --standard VALUE=IMAGE")
    if method is None:
        _change(device, bundle, store, who, why, undo=undo, as_json=as_json)
        return
    from analyte.runtime.control.bench import Bench

    name = person(who)
    with prepared(device, bundle, str(standards[0][1])) as ready:
        bench = Bench(ready, well, lambda: None)
        readings = [(known, bench.pictures([path])) for known, path in standards]
        with opened_control(ready.profile, device, store, ready.opened.bundle.id, create=True) as control:
            found = [control.standard_of(known, reading) for known, reading in readings]
            label = ready.opened.bundle.manifest.label
            record = control.recalibrate(method, found, label, name, Role.SUPERVISOR, why, weighted=weighted)
    click.echo(record.model_dump_json(indent=2) if as_json else _text(record).encode())


def _change(
    device: Path, bundle: Path, store: Path | None, who: str | None, why: str, *, undo: bool, as_json: bool
) -> None:
    """Undo, or only show."""
    from analyte.contract.event import Role
    from analyte.contract.profile import load_profile
    from analyte.runtime.trust import open_for_use

    profile = load_profile(device)
    opened = open_for_use(bundle, profile, where=device)
    with opened_control(profile, device, store, opened.id, create=False) as control:
        if undo:
            control.undo(person(who), Role.SUPERVISOR, why)
        record, remark, history = control.recalibration(), control.invalid_recalibration(), control.history()
    changes = [event for event in history if event.what.startswith("recalibration.")]
    if as_json:
        shown = {
            "in_force": None if record is None else record.model_dump(mode="json"),
            "remark": remark,
            "history": [json.loads(event.to_json()) for event in changes],
        }
        click.echo(json.dumps(shown, indent=2, ensure_ascii=False).encode())
        return
    lines = ["No recalibration is in force." if record is None else _text(record), remark]
    click.echo("\n".join([*filter(None, lines), *map(_line, changes)]).encode())


def _standard(text: str) -> tuple[float, Path]:
    from analyte.contract.errors import SettingsError

    value, _, image = text.partition("=")
    try:
        known = float(value)
    except ValueError:
        known = math.nan
    if not math.isfinite(known) or not image:
        raise SettingsError(
            f"--standard: not a standard: {text!r}", expected="VALUE=IMAGE, such as 50=s50.png"
        )
    return known, Path(image)


def _text(record: RecalibrationRecord) -> str:
    from analyte.contract.numbers import number

    line, unit = record.correction, record.unit
    sd = "no standard is left over" if record.residual_sd is None else f"{number(record.residual_sd)} {unit}"
    return (
        f"Recalibration {record.version} ({record.method}{', weighted' if record.weighted else ''}, "
        f"{len(record.standards)} standards), for bundle {record.bundle[:12]} only:\n"
        f"  slope      {line.slope:.5f} +- {line.slope_se:.5f} (standard error)\n"
        f"  intercept  {number(line.intercept)} +- {number(line.intercept_se)} {unit}\n"
        f"  residuals  at most {number(record.largest_residual)} {unit}; standard deviation {sd}"
    )


def _line(event: Event) -> str:
    new = event.new if isinstance(event.new, dict) else {}
    old = event.old if isinstance(event.old, dict) else {}
    why = f": {event.why}" if event.why else ""
    change = f"{old.get('version') or 'none'} -> {new.get('version') or 'none'}"
    return f"{event.at}  {event.what}  {change}  {event.who}{why}"
