"""``analyte log hold|release|holds|forget``: what a person says about keeping readings."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from analyte.runtime.commands.log_store import span, store_options

if TYPE_CHECKING:
    from analyte.runtime.store.sqlite import SqliteStore


def _reason(ctx: click.Context, param: click.Parameter, text: str) -> str:
    if not text.strip():
        raise click.BadParameter("a reason is needed; it is empty", ctx, param)
    return text


_WHY = click.option(
    "--why", required=True, callback=_reason, help="The reason; it stands in the audit trail."
)


@click.command()
@store_options
@click.option("--since", help="Captured at this time or later (UTC); else from the beginning.")
@click.option("--until", help="Captured before this time; else without an end.")
@_WHY
def hold(store: Path, device: Path | None, since: str | None, until: str | None, why: str) -> None:
    """Keep readings from being deleted, whatever keep_days and keep_mb say. Prints the hold's id."""
    from analyte.runtime.store.holds import placed

    first, end = span(since, until)
    with closing(_open(store, device)) as opened, opened.writing() as writer:
        event = writer.add_event(placed(opened.clock.now(), _who(), why, first, end))
    click.echo(event.id)


@click.command()
@store_options
@click.argument("hold_id")
@_WHY
def release(store: Path, device: Path | None, hold_id: str, why: str) -> None:
    """End a hold, by its id or the beginning of it."""
    from analyte.runtime.store.holds import find_hold, released

    with closing(_open(store, device)) as opened, opened.writing() as writer:
        found = find_hold(writer.connection, hold_id)
        writer.add_event(released(opened.clock.now(), _who(), why, found))
    click.echo(f"released {found.id}")


@click.command()
@store_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
def holds(store: Path, device: Path | None, as_json: bool) -> None:
    """List the holds."""
    import dataclasses
    import json

    from analyte.runtime.store.connecting import connect_to_read
    from analyte.runtime.store.holds import active_holds

    with closing(connect_to_read(store)) as connection:
        found = active_holds(connection)
    for one in found:
        span = f"{one.since or 'the beginning'} to {one.until or 'no end'}"
        text = f"{one.id}  {span}  {one.who}: {one.why}"
        click.echo(json.dumps(dataclasses.asdict(one), ensure_ascii=False) if as_json else text)


@click.command()
@store_options
@click.argument("receiver")
@_WHY
def forget(store: Path, device: Path | None, receiver: str, why: str) -> None:
    """Give up a receiver of readings, such as mqtt: what waits for it may then be deleted."""
    from analyte.contract.errors import InputError
    from analyte.contract.event import Event, Role

    with closing(_open(store, device)) as opened, opened.writing() as writer:
        known = dict(writer.connection.execute("SELECT name, up_to FROM receivers").fetchall())
        if receiver not in known:
            raise InputError(
                "no such receiver", expected=", ".join(known) or "one; there is none", got=receiver
            )
        writer.connection.execute("DELETE FROM receivers WHERE name = ?", (receiver,))
        old = {"receiver": receiver, "acknowledged_up_to": known[receiver]}
        now = opened.clock.now()
        writer.add_event(Event(now, _who(), Role.SUPERVISOR, "receiver.forgotten", why, old=old))
    click.echo(f"forgot {receiver}")


def _open(store: Path, device: Path | None) -> SqliteStore:
    """Open for writing, beside the daemon perhaps; signed where the profile names the device's key."""
    from analyte.contract.errors import InputError
    from analyte.contract.profile import load_profile
    from analyte.runtime.store.heads import load_signer
    from analyte.runtime.store.sqlite import SqliteStore

    if not store.is_file():
        raise InputError("there is no store", where=store, fix="Name it with --store or --device")
    key = None if device is None else load_profile(device).security.device_key
    signer = None if key is None or device is None else load_signer(device.parent / key)
    return SqliteStore(store, signer=signer, is_open_elsewhere=True)


def _who() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown user"
