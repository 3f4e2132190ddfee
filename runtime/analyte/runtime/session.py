"""A run of the daemon in the record: opens the store as the profile says, and writes down start and stop."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from analyte.contract.errors import AnalyteError
from analyte.contract.event import JsonValue
from analyte.contract.profile import DeviceProfile
from analyte.contract.redaction import redact
from analyte.runtime.store.heads import load_signer
from analyte.runtime.store.outbox import SqliteOutbox
from analyte.runtime.store.retention import Retention, Rules
from analyte.runtime.store.rows import device_event
from analyte.runtime.store.sqlite import SqliteStore


@dataclass(slots=True)
class Session:
    """What is kept while the daemon runs."""

    store: SqliteStore
    reason: str = ""
    """Why the daemon stopped, to be set before the session ends; an error says so itself."""


@contextmanager
def recorded_session(
    profile: DeviceProfile,
    where: Path,
    path: Path,
    ran: dict[str, JsonValue],
    report: Callable[[str], None],
) -> Iterator[Session]:
    """Open the store at ``path``, record ``daemon.started``, delete what is too old meanwhile, and record
    ``daemon.stopped`` at the end.

    ``where``: the profile's file. ``ran``: bundle and artifact.
    Raises: InputError for the device key, UnavailableError, IntegrityError, OutputError.
    """
    security, storage = profile.security, profile.storage
    key = security.device_key
    signer = None if key is None else load_signer(where.parent / key)
    store = SqliteStore(path, signer=signer, report=report)
    session = Session(store)
    retention = Retention(store, Rules(storage.keep_days, storage.keep_mb), report)
    try:
        new: dict[str, JsonValue] = {**ran, "profile_sha256": hashlib.sha256(where.read_bytes()).hexdigest()}
        store.add(device_event("daemon.started", now_s=store.clock.wall(), new=new))
        if profile.mqtt is not None:
            # Before anything is deleted: the thread that sends may open its outbox later.
            SqliteOutbox(path).close()
        if retention.rules.any:
            retention.start()
        yield session
    except BaseException as error:
        session.reason = error.what if isinstance(error, AnalyteError) else type(error).__name__
        raise
    finally:
        retention.close()
        _stop(store, session.reason, report)


def _stop(store: SqliteStore, reason: str, report: Callable[[str], None]) -> None:
    """Record the end. A full disk must not hide why the daemon stopped."""
    try:
        store.add(device_event("daemon.stopped", now_s=store.clock.wall(), why=redact(reason)))
    except AnalyteError as error:
        report(f"the stop is not recorded: {error.line()}")
    try:
        store.close()
    except AnalyteError as error:
        report(f"the end of the record is not signed: {error.line()}")
