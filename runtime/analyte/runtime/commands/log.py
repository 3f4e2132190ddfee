"""``analyte log``: the record of a device: its end, whether it was altered, and copies for other programs."""

from __future__ import annotations

from pathlib import Path

import click

from analyte.runtime.commands import log_holds
from analyte.runtime.commands.log_store import span, store_options


@click.group()
def command() -> None:
    """Look at a device's record, verify it, export it, and hold readings back from deletion."""


@command.command()
@store_options
@click.option("-n", "--lines", default=20, show_default=True, type=click.IntRange(min=0), help="How many.")
@click.option("-f", "--follow", is_flag=True, help="Go on with what is stored from now on, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
def tail(store: Path, device: Path | None, lines: int, follow: bool, as_json: bool) -> None:
    """Show the newest readings and events."""
    from analyte.runtime.log_text import follow_log

    follow_log(store, lines, follow=follow, as_json=as_json, echo=click.echo)


@command.command()
@store_options
@click.option(
    "--key", "keys", multiple=True, help="Public key of the device, or the file of one; else any key will do."
)
@click.option(
    "--heads",
    type=click.Path(readable=False, path_type=Path),
    help="Heads that were kept elsewhere; else STORE.heads.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def verify(
    store: Path, device: Path | None, keys: tuple[str, ...], heads: Path | None, as_json: bool
) -> None:
    """Compute every hash again; exit 7 where a row was altered, deleted, inserted, moved or cut off."""
    from analyte.contract.errors import InputError, IntegrityError
    from analyte.runtime.log_text import verification_text
    from analyte.runtime.progress import progress
    from analyte.runtime.store.heads import heads_path
    from analyte.runtime.store.verifying import verify_store
    from analyte.runtime.trust import read_keys

    if heads is not None and not heads.is_file():
        raise InputError("--heads: there is no such file", where=heads, expected="a copy of STORE.heads")
    trusted = read_keys(keys, Path())
    with progress("verifying") as on_progress:
        found = verify_store(store, heads or heads_path(store), trusted, on_progress)
    click.echo(found.to_json() if as_json else verification_text(found))
    if not found.passed:
        place = f"row {found.bad_sequence} " if found.bad_sequence else ""
        raise IntegrityError(
            f"the record does not verify: {place}{found.problem}",
            where=store,
            fix="Keep the store and its .heads file as they are, and compare them with a backup",
        )


@command.command()
@store_options
@click.argument("out", type=click.Path(readable=False, path_type=Path))
@click.option("--since", help="Captured at this time or later, such as 2026-03-01 or 2026-03-01T08:30 (UTC).")
@click.option("--until", help="Captured before this time.")
@click.option("--refused/--valid", default=None, help="Only refused readings, or only those with a value.")
@click.option("--events", is_flag=True, help="The audit trail instead of the readings.")
@click.option("--overwrite", is_flag=True, help="Replace OUT.")
def export(
    store: Path,
    device: Path | None,
    out: Path,
    since: str | None,
    until: str | None,
    refused: bool | None,
    events: bool,
    overwrite: bool,
) -> None:
    """Write readings to OUT: .csv, .jsonl or .parquet, the oldest first."""
    from analyte.contract.errors import SettingsError
    from analyte.runtime.log_export import export_events, export_readings
    from analyte.runtime.progress import progress
    from analyte.runtime.store.protocol import ReadingFilter

    if events and refused is not None:
        raise SettingsError("--refused and --valid are of readings, not of --events", fix="Leave one out")
    first, end = span(since, until)
    with progress("exporting") as on_progress:
        if events:
            count = export_events(store, out, first, end, overwrite=overwrite)
        else:
            chosen = ReadingFilter(first, end, refused)
            count = export_readings(store, out, chosen, on_progress, overwrite=overwrite)
    click.echo(f"{out}: {count} {'events' if events else 'readings'}")


for _added in (log_holds.hold, log_holds.release, log_holds.holds, log_holds.forget):
    command.add_command(_added)
