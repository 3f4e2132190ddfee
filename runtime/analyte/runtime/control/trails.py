"""The audit trail that a command works on."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from analyte.contract.errors import OutputError
from analyte.contract.event import Event
from analyte.contract.profile import DeviceProfile
from analyte.runtime.store.protocol import StoredEvent, Trail


class EmptyTrail:
    """The trail of a store that does not exist: nothing has happened yet, and looking makes no file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, event: Event) -> None:
        """Refuse: there is no store. Raises: OutputError."""
        raise OutputError("there is no such store", where=self._path)

    def events(self, what: str = "", *, after: int = 0, limit: int = 1000) -> Sequence[StoredEvent]:
        """Return nothing."""
        return ()


@contextlib.contextmanager
def opened_trail(path: Path, profile: DeviceProfile, where: Path, *, create: bool) -> Iterator[Trail]:
    """Give the audit trail of the store at ``path``, which the daemon may be using.

    ``profile``: names the key that signs it, relative to ``where``, the profile's file. ``create``: make the
    store where there is none; else its trail is empty.
    Raises: InputError for the key; IntegrityError for a foreign or damaged file; OutputError where it cannot
    be opened; UnavailableError where nothing can sign.
    """
    if not create and not path.exists():
        yield EmptyTrail(path)
        return
    from analyte.runtime.store.heads import load_signer
    from analyte.runtime.store.sqlite import SqliteStore

    key = profile.security.device_key
    signer = None if key is None else load_signer(where.parent / key)
    store = SqliteStore(path, signer=signer, is_open_elsewhere=path.exists())
    try:
        yield store
    finally:
        store.close()
