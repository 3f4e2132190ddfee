"""``analyte qc``: control samples, what they stop, and recalibration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from analyte.runtime.commands.qc_measure import measure
from analyte.runtime.commands.qc_options import (
    device_option,
    json_option,
    opened_control,
    person,
    person_options,
    store_option,
)
from analyte.runtime.commands.qc_recalibrate import recalibrate

if TYPE_CHECKING:
    from analyte.contract.profile import DeviceProfile
    from analyte.runtime.control.status import MaterialStatus, Status

_bundle_option = click.option(
    "--bundle",
    type=click.Path(readable=False, path_type=Path),
    help="Bundle that the device runs; else that of the newest control.",
)


@click.group("qc")
def command() -> None:
    """Measure control samples, see what they say, release a lock-out, recalibrate.

    What happened stands in the audit trail of the store. Whoever may run this on the device counts as a
    supervisor.
    """


command.add_command(measure)
command.add_command(recalibrate)


@command.command("status")
@device_option
@_bundle_option
@store_option
@json_option
def status(device: Path, bundle: Path | None, store: Path | None, as_json: bool) -> None:
    """Say whether readings are given, and where every control material stands."""
    profile, path, bundle_id = _opened(device, bundle)
    with opened_control(profile, path, store, bundle_id, create=False) as control:
        found = control.status()
    shown = json.dumps(found.to_json(), indent=2, ensure_ascii=False) if as_json else _status_text(found)
    click.echo(shown.encode())


@command.command("chart")
@device_option
@store_option
@click.option("--material", help="Only this one; else all.")
@click.option("--last", type=click.IntRange(1, 1000), default=60, show_default=True, help="Controls of each.")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(readable=False, path_type=Path),
    help="SVG file to write.",
)
@click.option("--overwrite", is_flag=True, help="Replace it.")
@json_option
def chart(
    device: Path,
    store: Path | None,
    material: str | None,
    last: int,
    output: Path,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Draw the Levey-Jennings chart of the controls as SVG."""
    from analyte.contract.errors import SettingsError
    from analyte.contract.output_file import staged_file

    if output.suffix.lower() != ".svg":
        raise SettingsError("not a kind of picture that is drawn", where=output, expected=".svg")
    profile, path, _ = _opened(device, None)
    with opened_control(profile, path, store, "", create=False) as control:
        text = control.chart(material, last=last)
    with staged_file(output, overwrite=overwrite) as file:
        file.write(text.encode())
    click.echo(json.dumps({"written": str(output)}) if as_json else f"Written to {output}.")


@command.command("release")
@device_option
@store_option
@person_options
@json_option
def release(device: Path, store: Path | None, who: str | None, why: str, as_json: bool) -> None:
    """Let the device give readings again after a failed control; --why is required."""
    from analyte.contract.event import Role

    profile, path, _ = _opened(device, None)
    with opened_control(profile, path, store, "", create=False) as control:
        control.release(person(who), Role.SUPERVISOR, why)
        found = control.status()
    if as_json:
        click.echo(json.dumps({"released": True, **found.to_json()}, indent=2, ensure_ascii=False).encode())
    else:
        click.echo("Released.\n" + _status_text(found))


def _opened(device: Path, bundle: Path | None) -> tuple[DeviceProfile, Path, str]:
    """Return the profile, its file, and the bundle's id, empty where none is given."""
    from analyte.contract.profile import load_profile
    from analyte.runtime.trust import open_for_use

    profile = load_profile(device)
    return profile, device, "" if bundle is None else open_for_use(bundle, profile, where=device).id


def _status_text(found: Status) -> str:
    from analyte.runtime.tables import format_table, printable

    lines = [
        "Readings are given." if found.admitted else f"Readings are refused ({found.reason}): {found.detail}"
    ]
    if found.lock is not None:
        lines.append("Find the cause, then: analyte qc release --device PROFILE --why TEXT")
    if found.materials:
        header = ("material", "lot", "target", "s", "last", "z", "outcome", "due")
        lines.append(format_table(header, list(map(_row, found.materials)), right=frozenset({2, 3, 5})))
    held = found.recalibration
    lines.append(
        "No recalibration is in force."
        if held is None
        else f"Recalibration {held.version} is in force ({held.method}): "
        f"{held.correction.intercept:+.4g} {held.unit} {held.correction.slope:+.4g} x reading."
    )
    if found.remark:
        lines.append(f"{found.remark[:1].upper()}{found.remark[1:]}.")
    return "\n".join(printable(line) if "\n" not in line else line for line in lines)


def _row(one: MaterialStatus) -> tuple[str, ...]:
    record = None if one.last is None else one.last.record
    due = f"{one.due_at:%Y-%m-%d %H:%M}" if one.due_at is not None else "now" if one.due else "-"
    return (
        one.material.name,
        one.material.lot,
        f"{one.material.target:g}",
        f"{one.material.s:g}",
        "never" if one.last is None else f"{one.last.at:%Y-%m-%d %H:%M}",
        "" if record is None else f"{record.z:+.2f}",
        "" if record is None else record.outcome,
        f"{due}, expired" if one.expired else due,
    )
