"""``analyte qc measure``: measure a control sample and judge it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from analyte.runtime.commands.qc_options import (
    bundle_option,
    device_option,
    json_option,
    opened_control,
    person,
    prepared,
    store_option,
)

if TYPE_CHECKING:
    from analyte.contract.reading import Reading
    from analyte.runtime.control.events import ControlRecord


@click.command("measure")
@click.argument("images", metavar="[IMAGE...]", nargs=-1, type=click.Path(readable=False, path_type=Path))
@device_option
@bundle_option
@store_option
@click.option("--material", required=True, help="Control material, as the profile names it.")
@click.option("--source", help="Camera, video, folder or URL; else the profile's. Not with IMAGEs.")
@click.option("--well", help="Well that holds the control, where a frame shows several.")
@click.option("--who", help="Who measures; else the login name.")
@json_option
@click.pass_context
def measure(
    ctx: click.Context,
    images: tuple[Path, ...],
    device: Path,
    bundle: Path,
    store: Path | None,
    material: str,
    source: str | None,
    well: str | None,
    who: str | None,
    as_json: bool,
) -> None:
    """Measure a control sample, in IMAGEs (the median of several) or with the camera, and judge it.

    Exit code 0 where it is accepted, with or without a warning; 4 where it failed; 3 where it gave no value,
    which counts as not measured. Also measures while readings are refused.
    """
    from analyte.contract.event import Role
    from analyte.runtime.control.bench import Bench

    if images and source is not None:
        raise click.UsageError("IMAGEs and --source exclude each other")
    name = person(who)
    with (
        prepared(device, bundle, str(images[0]) if images else source) as ready,
        opened_control(ready.profile, device, store, ready.opened.bundle.id, create=True) as control,
    ):
        # Before anybody waits for a camera.
        control.material(material)
        bench = Bench(ready, well, control.recalibration)
        reading = bench.pictures(images) if images else bench.source()
        record = control.measured(material, reading, name, Role.SUPERVISOR)
        status = control.status()
    outcome = "not_measured" if record is None else record.outcome
    if as_json:
        shown = {
            "outcome": outcome,
            "control": None if record is None else record.model_dump(mode="json"),
            "reading": json.loads(reading.to_json()),
            "admitted": status.admitted,
            "reason": None if status.reason is None else str(status.reason),
        }
        click.echo(json.dumps(shown, indent=2, ensure_ascii=False).encode())
    else:
        refused = "" if status.admitted else f"\nReadings are refused ({status.reason}): {status.detail}"
        click.echo(f"{_text(material, reading, record)}{refused}".encode())
    ctx.exit({"failed": 4, "not_measured": 3}.get(outcome, 0))


def _text(material: str, reading: Reading, record: ControlRecord | None) -> str:
    from analyte.contract.numbers import number

    if record is None:
        why = f"{reading.reason}: {reading.detail}" if reading.refused else reading.detail
        return f"Control {material}: not measured ({why})"
    lines = [
        f"Control {material}: {number(record.value)} {record.unit}, target {number(record.target)}, "
        f"s {number(record.s)}: z = {record.z:+.2f}",
        *(f"  broken: {one}" for one in record.broken),
        record.outcome.upper() if record.outcome == "failed" else record.outcome,
    ]
    return "\n".join(lines)
