"""``analyte bundle install|promote|roll-back|installed``: the bundles of a device."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from analyte.runtime.commands.qc_options import (
    device_option,
    json_option,
    person,
    person_options,
    store_option,
)

if TYPE_CHECKING:
    from analyte.contract.profile import DeviceProfile
    from analyte.runtime.bundles.changes import BundleChanges, Person
    from analyte.runtime.bundles.shelf import Shelf


@click.command("install")
@click.argument("bundle", type=click.Path(readable=False, path_type=Path))
@device_option
@store_option
@person_options
def install(bundle: Path, device: Path, store: Path | None, who: str | None, why: str) -> None:
    """Put BUNDLE on a device: a running daemon tries it beside the bundle that it runs, on the same frames.

    Signature, every file, engine and self-test are looked at first. It takes over by itself where its
    readings differ by no more than bundles.max_difference; else 'bundle promote' does it. Where the device
    runs none yet, it is run.
    """
    with _changes(device, store) as changes:
        kept, state = changes.install(bundle, _person(who, why), _report)
    folder = kept.path.parent
    if state.active == kept.id and state.previous is None and not folder.is_absolute():
        _report(
            f"{folder.absolute()} held no bundle before. Is the daemon started in {Path.cwd()}? "
            "bundles.folder counts from there"
        )
    role = "is run" if state.active == kept.id else "will be tried beside the running one"
    click.echo(f"{kept.id} {role}: {kept.manifest.name}")


@click.command("promote")
@click.argument("bundle_id", required=False)
@device_option
@store_option
@person_options
def promote(bundle_id: str | None, device: Path, store: Path | None, who: str | None, why: str) -> None:
    """Have the bundle that is tried run from now on, or the one of this BUNDLE_ID or its beginning."""
    with _changes(device, store) as changes:
        chosen = None if bundle_id is None else _whole(_shelf(device)[1], bundle_id)
        click.echo(f"{changes.promote(_person(who, why), chosen)} is run")


@click.command("roll-back")
@device_option
@store_option
@person_options
def roll_back(device: Path, store: Path | None, who: str | None, why: str) -> None:
    """Have the bundle before run again."""
    with _changes(device, store) as changes:
        click.echo(f"{changes.roll_back(_person(who, why))} is run")


@click.command("installed")
@device_option
@json_option
def installed(device: Path, as_json: bool) -> None:
    """List the bundles of a device: what runs, what ran before, what is tried."""
    import json
    from dataclasses import asdict

    _, shelf = _shelf(device)
    roles = {one: role for role, one in asdict(shelf.state()).items() if one is not None}
    if as_json:
        click.echo(json.dumps([{"bundle": one, "role": roles.get(one)} for one in shelf.ids()]))
        return
    for one in shelf.ids():
        click.echo(f"{one}  {roles.get(one, 'kept')}")


@contextlib.contextmanager
def _changes(device: Path, store: Path | None) -> Iterator[BundleChanges]:
    from analyte.runtime.bundles.changes import BundleChanges
    from analyte.runtime.control.trails import opened_trail

    profile, shelf = _shelf(device)
    with opened_trail(store or profile.storage.path, profile, device, create=True) as trail:
        yield BundleChanges(shelf, profile, device, trail)


def _shelf(device: Path) -> tuple[DeviceProfile, Shelf]:
    from analyte.contract.errors import ProfileError
    from analyte.contract.profile import load_profile
    from analyte.runtime.bundles.shelf import Shelf

    profile = load_profile(device)
    if profile.bundles.folder is None:
        raise ProfileError(
            "bundles.folder: is not set",
            where=device,
            fix='The device runs --bundle and no other. Set [bundles] folder = "bundles" to change it',
        )
    return profile, Shelf(profile.bundles.folder)


def _whole(shelf: Shelf, beginning: str) -> str:
    """Return the id that begins so; what is none, or of several, as it was given."""
    found = [one for one in shelf.ids() if one.startswith(beginning)]
    return found[0] if len(found) == 1 else beginning


def _report(text: str) -> None:
    click.echo(f"analyte bundle: {text}", err=True)


def _person(who: str | None, why: str) -> Person:
    # Whoever may run this on the device could replace its files as well.
    from analyte.contract.event import Role
    from analyte.runtime.bundles.changes import Person

    return Person(person(who), Role.SUPERVISOR, why)
