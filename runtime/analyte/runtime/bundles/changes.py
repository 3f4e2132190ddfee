"""What a person does to the bundles of a device, with its line in the audit trail."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from analyte.contract.bundle import Bundle, open_bundle
from analyte.contract.errors import AnalyteError, InputError, SettingsError
from analyte.contract.event import Event, Role
from analyte.contract.profile import DeviceProfile
from analyte.runtime.bundles.runner import open_to_measure
from analyte.runtime.bundles.shelf import Shelf, ShelfState
from analyte.runtime.control.people import demand
from analyte.runtime.store.protocol import Trail
from analyte.runtime.trust import open_for_use


@dataclass(frozen=True, slots=True)
class Person:
    """Who does it."""

    name: str
    role: Role
    why: str = ""
    """The reason that the person gave."""


class BundleChanges:
    """Installs, promotes and goes back. A running daemon sees it on the shelf within a second."""

    def __init__(self, shelf: Shelf, profile: DeviceProfile, where: Path, trail: Trail) -> None:
        """``where``: the profile's file."""
        self._shelf = shelf
        self._profile = profile
        self._where = where
        self._trail = trail

    def install(self, path: Path, person: Person, report: Callable[[str], None]) -> tuple[Bundle, ShelfState]:
        """Keep a bundle and have it tried beside the running one; where none runs yet, it is run.

        It is opened as the daemon opens it first: signature, every hash, engine, self-test. It must measure
        what the running one does: profile, controls and limits are in that unit.
        Returns: the bundle, and what the shelf says then. Raises: RoleError for less than a supervisor;
        InputError, IntegrityError, ProfileError, UnavailableError, ParityError, OutputError.
        """
        demand(person.role, Role.SUPERVISOR, "installing a bundle")
        bundle = self._shelf.add(path, lambda kept: open_for_use(kept, self._profile, where=self._where))
        before = self._shelf.state()
        in_use = {before.active, before.previous, before.candidate}
        try:
            if before.active is not None:
                self._demand_alike(bundle, before.active, path, report)
            open_to_measure(bundle.path, self._profile, report, where=self._where).close()
        except BaseException as error:
            if bundle.id not in in_use:
                self._shelf.remove(bundle.id)
            if isinstance(error, AnalyteError):
                raise error.named(bundle.path, path) from error
            raise
        self._note("bundle.installed", person, None, bundle.id)
        if before.active is None:
            self._shelf.activate(bundle.id)
        elif before.active != bundle.id:
            self._shelf.propose(bundle.id)
        return bundle, self._shelf.state()

    def promote(self, person: Person, bundle_id: str | None = None) -> str:
        """Have the candidate run from now on, or the bundle of this id.

        Returns: its id. Raises: RoleError; SettingsError where there is none such; OutputError.
        """
        demand(person.role, Role.SUPERVISOR, "choosing a bundle")
        before = self._shelf.state()
        chosen = bundle_id or before.candidate
        if chosen is None:
            raise SettingsError(
                "no bundle is being tried",
                where=self._shelf.folder,
                fix="Name the one that is meant: analyte bundle installed lists them",
            )
        self._shelf.demand(chosen)
        self._note("bundle.chosen", person, before.active, chosen)
        self._shelf.activate(chosen)
        return chosen

    def roll_back(self, person: Person) -> str:
        """Have the bundle before run again.

        Returns: its id. Raises: RoleError; SettingsError where there is none; OutputError.
        """
        demand(person.role, Role.SUPERVISOR, "going back to another bundle")
        before = self._shelf.state()
        if before.previous is None:
            raise SettingsError("there is no bundle to go back to", where=self._shelf.folder)
        self._shelf.demand(before.previous)
        self._note("bundle.chosen", person, before.active, before.previous)
        self._shelf.activate(before.previous)
        return before.previous

    def _demand_alike(self, bundle: Bundle, running: str, given: Path, report: Callable[[str], None]) -> None:
        """Refuse a bundle of another analyte or unit than the running one's. Raises: InputError."""
        try:
            old = open_bundle(self._shelf.path(running)).manifest.label
        except AnalyteError as error:
            # A damaged one must not keep the one that mends it away.
            report(f"the running bundle cannot be compared with: {error.line()}")
            return
        new = bundle.manifest.label
        if (new.analyte, new.unit) != (old.analyte, old.unit):
            raise InputError(
                "the bundle measures something else than the device",
                where=given,
                expected=f"{old.analyte} in {old.unit}",
                got=f"{new.analyte} in {new.unit}",
                fix="Another instrument has a profile, a store and a bundles.folder of its own",
            )

    def _note(self, what: str, person: Person, old: str | None, new: str) -> None:
        at = datetime.now(UTC).isoformat(timespec="microseconds")
        self._trail.add(Event(at, person.name, person.role, what, person.why, old, new, str(uuid.uuid4())))
