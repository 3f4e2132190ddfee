"""The bundles that a device keeps, and which of them it runs: a folder that survives power cuts."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import BinaryIO

from analyte.contract.archive import looks_packed, write_archive
from analyte.contract.bundle import Bundle
from analyte.contract.bundle_files import FolderFiles
from analyte.contract.errors import AnalyteError, InputError, IntegrityError, SettingsError
from analyte.contract.output import from_os_error

SUFFIX = ".analyte.zip"
_STATE_FILE = "shelf.json"
_STATE_SCHEMA = 1
_LOCK_FILE = ".lock"
_ID = re.compile(r"[0-9a-f]{64}")

OpenBundle = Callable[[Path], Bundle]
"""Opens a bundle by the device's demands: signature first, every file verified; see `open_for_use`."""


@dataclass(frozen=True, slots=True)
class ShelfState:
    """What is run, by bundle id; None where there is none."""

    active: str | None = None
    previous: str | None = None
    """What was run before: the way back."""
    candidate: str | None = None
    """What is to be tried beside the active one."""


class Shelf:
    """A folder of packed bundles, named by their ids, for several threads and processes at once."""

    def __init__(self, folder: Path) -> None:
        """Make the folder where it is missing. Raises: OutputError."""
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise from_os_error(error, folder) from error

    def state(self) -> ShelfState:
        """Return what is run. Raises: IntegrityError when the file that says so is damaged."""
        path = self.folder / _STATE_FILE
        try:
            data = json.loads(path.read_bytes())
        except FileNotFoundError:
            return ShelfState()
        except OSError as error:
            raise from_os_error(error, path) from error
        except ValueError as error:
            raise IntegrityError("damaged", where=path, got=error) from error
        ids = {"active", "previous", "candidate"}
        if (
            not isinstance(data, dict)
            or data.pop("schema_version", None) != _STATE_SCHEMA
            or set(data) != ids
            or not all(one is None or (isinstance(one, str) and _ID.fullmatch(one)) for one in data.values())
        ):
            raise IntegrityError(
                "not the state of a shelf of bundles",
                where=path,
                expected=f"schema {_STATE_SCHEMA} with bundle ids",
                fix="Remove the file, and install the bundle again",
            )
        return ShelfState(**data)

    def stamp(self) -> tuple[int, int] | None:
        """Return what changes whenever `state` does, at the price of a look at a file's time."""
        try:
            found = (self.folder / _STATE_FILE).stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino

    def path(self, bundle_id: str) -> Path:
        """Return where a bundle is, or would be."""
        return self.folder / f"{bundle_id}{SUFFIX}"

    def ids(self) -> list[str]:
        """Return the ids of what is kept, the oldest first."""
        found = [path for path in self.folder.glob(f"*{SUFFIX}") if _ID.fullmatch(path.name[: -len(SUFFIX)])]
        return [path.name[: -len(SUFFIX)] for path in sorted(found, key=lambda path: path.stat().st_mtime_ns)]

    def add(self, path: Path, open_bundle: OpenBundle) -> Bundle:
        """Keep a packed copy of a bundle, a folder or a packed file, opened by the device's demands.

        Raises: InputError when it is no bundle, OutputError, and what ``open_bundle`` raises.
        """
        # Copied first: what is checked is what is kept, whoever writes to the original meanwhile.
        handle, name = tempfile.mkstemp(dir=self.folder, prefix=".incoming-", suffix=SUFFIX)
        staged = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                _pack(path, file)
                file.flush()
                os.fsync(file.fileno())
            try:
                bundle = open_bundle(staged)
            except AnalyteError as error:
                raise error.named(staged, path) from error
            staged.replace(self.path(bundle.id))
            self._sync()
        except OSError as error:
            raise from_os_error(error, self.folder) from error
        finally:
            staged.unlink(missing_ok=True)
        return open_bundle(self.path(bundle.id))

    def propose(self, bundle_id: str) -> None:
        """Say that a bundle is to be tried. Raises: SettingsError when it is not kept, OutputError."""
        with self._changing():
            self.demand(bundle_id)
            self._write(replace(self.state(), candidate=bundle_id))

    def withdraw(self) -> None:
        """Say that nothing is to be tried. Raises: OutputError."""
        with self._changing():
            self._write(replace(self.state(), candidate=None))

    def activate(self, bundle_id: str) -> None:
        """Say that a bundle is run from now on; the one before is the way back.

        Raises: SettingsError when it is not kept, OutputError.
        """
        with self._changing():
            self._activate(bundle_id)

    def roll_back(self) -> str:
        """Say that the one before is run again, and the one that was run is then the one before.

        Returns: its id. Raises: SettingsError when there is none, OutputError.
        """
        with self._changing():
            previous = self.state().previous
            if previous is None:
                raise SettingsError("there is no bundle to go back to", where=self.folder)
            self._activate(previous)
        return previous

    def remove(self, bundle_id: str) -> None:
        """Remove a bundle that is neither run nor the way back. Raises: SettingsError, OutputError."""
        self.demand(bundle_id)
        roles = [name for name, one in asdict(self.state()).items() if one == bundle_id]
        if roles:
            raise SettingsError("the bundle is in use", where=self.path(bundle_id), got=", ".join(roles))
        try:
            self.path(bundle_id).unlink()
        except OSError as error:
            raise from_os_error(error, self.path(bundle_id)) from error

    def _activate(self, bundle_id: str) -> None:
        self.demand(bundle_id)
        state = self.state()
        previous = state.previous if state.active == bundle_id else state.active
        self._write(ShelfState(active=bundle_id, previous=previous))

    @contextlib.contextmanager
    def _changing(self) -> Iterator[None]:
        """Keep other threads and processes from changing the state between reading and writing it."""
        path = self.folder / _LOCK_FILE
        try:
            with path.open("ab") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                yield
        except OSError as error:
            raise from_os_error(error, path) from error

    def demand(self, bundle_id: str) -> None:
        """Refuse an id of which no bundle is kept. Raises: SettingsError."""
        if not _ID.fullmatch(bundle_id) or not self.path(bundle_id).is_file():
            raise SettingsError(
                "no such bundle on the device",
                where=self.folder,
                expected=", ".join(one[:16] for one in self.ids()) or "one that was installed",
                got=bundle_id[:64],
            )

    def _write(self, state: ShelfState) -> None:
        path = self.folder / _STATE_FILE
        staged = path.with_suffix(".part")
        try:
            with staged.open("w", encoding="ascii") as file:
                json.dump({"schema_version": _STATE_SCHEMA, **asdict(state)}, file, indent=2)
                file.write("\n")
                file.flush()
                os.fsync(file.fileno())
            staged.replace(path)
            self._sync()
        except OSError as error:
            raise from_os_error(error, path) from error

    def _sync(self) -> None:
        """Make renamed files survive a power cut."""
        handle = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _pack(path: Path, file: BinaryIO) -> None:
    if path.is_dir():
        files = FolderFiles(path)
        write_archive(files.names(), files.read, file)
    elif path.is_file() and looks_packed(path):
        with path.open("rb") as source:
            shutil.copyfileobj(source, file, 1 << 20)
    else:
        raise InputError(
            "not a bundle", where=path, expected="a folder of 'analyte export', or a file of 'bundle pack'"
        )
