"""Quality control over the store itself: two processes' worth of connections, and what is left on disk."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from analyte.contract.errors import IntegrityError, OutputError
from analyte.contract.event import Event, Role
from analyte.contract.profile import load_profile
from analyte.contract.reading import Reason
from analyte.runtime.control.quality_control import QualityControl
from analyte.runtime.control.recalibration import Standard
from analyte.runtime.control.trails import opened_trail
from analyte.runtime.signing import make_key
from analyte.runtime.store.heads import heads_path, last_head
from analyte.runtime.store.sqlite import SqliteStore
from runtime.control.memory_trail import BUNDLE, LABEL, SECTION, read
from runtime.tiny_bundles import write_profile


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "readings.sqlite"


def test_a_daemon_sees_what_a_command_writes(path: Path, tmp_path: Path) -> None:
    profile_file = write_profile(tmp_path / "p.toml")
    profile = load_profile(profile_file)
    section = SECTION.model_copy(update={"interval_h": None})
    with closing(SqliteStore(path)) as store:
        daemon = QualityControl(store, section, BUNDLE)
        store.append([read(50.0)])  # readings and events share one sequence
        with opened_trail(path, profile, profile_file, create=False) as trail:
            QualityControl(trail, section, BUNDLE).measured("low", read(25.0), "ann", Role.OPERATOR)
        (refused,) = daemon.admitted([read(50.0)])
        assert refused.reason is Reason.CONTROL_FAILED
        with opened_trail(path, profile, profile_file, create=False) as trail:
            command = QualityControl(trail, section, BUNDLE)
            command.release("bob", Role.SUPERVISOR, "tube changed")
            command.recalibrate("offset", [Standard(20, 21, 0.5)], LABEL, "bob", Role.SUPERVISOR)
        assert daemon.recalibration() is None  # as of the last look, within one reading
        (given,) = daemon.admitted([read(50.0)])
        assert given.value == 50.0
        held = daemon.recalibration()
        assert held is not None
        assert held.correction.intercept == -1.0


def test_numbers_come_back_as_they_were(path: Path) -> None:
    with closing(SqliteStore(path)) as store:
        control = QualityControl(store, SECTION, BUNDLE)
        record = control.measured("low", read(20.1 + 1e-13), "ann", Role.OPERATOR)
    with closing(SqliteStore(path)) as store:
        status = QualityControl(store, SECTION, BUNDLE).status()
    last = status.materials[0].last
    assert last is not None
    assert last.record == record


def test_a_failed_control_cannot_be_removed_unseen(path: Path) -> None:
    with closing(SqliteStore(path)) as store:
        QualityControl(store, SECTION, BUNDLE).measured("low", read(25.0), "ann", Role.OPERATOR)
    with closing(sqlite3.connect(path)) as connection, pytest.raises(sqlite3.IntegrityError, match="append"):
        connection.execute("DELETE FROM events")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DROP TRIGGER events_no_delete")
        connection.execute("DELETE FROM events WHERE what = 'control.measured'")
    with pytest.raises(IntegrityError):
        SqliteStore(path)


def test_no_store_is_an_empty_trail(path: Path, tmp_path: Path) -> None:
    profile_file = write_profile(tmp_path / "p.toml")
    with opened_trail(path, load_profile(profile_file), profile_file, create=False) as trail:
        assert trail.events() == ()
        with pytest.raises(OutputError, match="no such store"):
            trail.add(Event("", "x", Role.DEVICE, "x"))
    assert not path.exists()
    with opened_trail(path, load_profile(profile_file), profile_file, create=True):
        assert path.exists()


def test_the_device_key_signs(path: Path, tmp_path: Path) -> None:
    pytest.importorskip("cryptography")
    key = make_key("device", tmp_path)
    profile_file = write_profile(tmp_path / "p.toml")
    security = f'[security]\ndevice_key = "{key.private.name}"\n'
    profile_file.write_text(profile_file.read_text("utf-8") + security, "utf-8")
    with opened_trail(path, load_profile(profile_file), profile_file, create=True) as trail:
        QualityControl(trail, SECTION, BUNDLE).measured("low", read(20.0), "ann", Role.OPERATOR)
    head = last_head(heads_path(path))
    assert head is not None
    assert head.is_signed_well()
