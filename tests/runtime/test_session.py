"""A run of the daemon in the record."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from analyte.contract.errors import CameraError, InputError, OutputError
from analyte.contract.profile import load_profile
from analyte.runtime.session import Session, recorded_session
from analyte.runtime.signing import make_key
from analyte.runtime.store.heads import heads_path
from analyte.runtime.store.retention import DELETED
from analyte.runtime.store.sqlite import SqliteStore
from analyte.runtime.store.verifying import verify_store
from runtime.store.readings import fill, opened, varied
from runtime.tiny_bundles import write_profile


def run(profile: Path, store: Path, work: Callable[[Session], None]) -> list[str]:
    said: list[str] = []
    with recorded_session(load_profile(profile), profile, store, {"bundle": "b1"}, said.append) as session:
        work(session)
    return said


def measure(session: Session) -> None:
    session.store.append([varied(1)])
    session.reason = "end of folder http://kim:s3cret@x/y"


def test_start_and_stop_are_recorded_and_signed(tmp_path: Path) -> None:
    profile, store = write_profile(tmp_path / "p.toml"), tmp_path / "r.sqlite"
    key = make_key("device", tmp_path).key
    with profile.open("a") as file:
        file.write('\n[security]\ndevice_key = "device.key"\n')
    assert run(profile, store, measure) == []
    with opened(store) as again:
        started, stopped = (one.event for one in again.events("daemon."))
    assert (started.what, started.who) == ("daemon.started", "device")
    digest = hashlib.sha256(profile.read_bytes()).hexdigest()
    assert started.new == {"bundle": "b1", "profile_sha256": digest}
    assert (stopped.what, stopped.why) == ("daemon.stopped", "end of folder http://***@x/y")
    found = verify_store(store, heads_path(store), [key])
    assert (found.passed, found.signed_up_to, found.last) == (True, 3, 3)


def test_an_error_is_recorded_as_the_reason(tmp_path: Path) -> None:
    profile, store = write_profile(tmp_path / "p.toml"), tmp_path / "r.sqlite"

    def fail(session: Session) -> None:
        raise CameraError("the camera is gone")

    with pytest.raises(CameraError):
        run(profile, store, fail)
    with opened(store) as again:
        assert again.events("daemon.")[-1].event.why == "the camera is gone"


def test_a_full_disk_does_not_hide_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    profile = write_profile(tmp_path / "p.toml")

    def full(*_: object) -> None:
        raise OutputError("the disk is full")

    def fail(session: Session) -> None:
        monkeypatch.setattr(SqliteStore, "add", full)
        monkeypatch.setattr("analyte.runtime.store.sqlite.append_head", full)
        raise CameraError("the camera is gone")

    with pytest.raises(CameraError, match="the camera is gone"):
        run(profile, tmp_path / "r.sqlite", fail)


def test_old_readings_are_deleted_meanwhile(tmp_path: Path) -> None:
    profile, store = write_profile(tmp_path / "p.toml"), tmp_path / "r.sqlite"
    with profile.open("a") as file:
        file.write("\n[storage]\nkeep_days = 1\n")
    fill(store, [varied(number) for number in range(1540)])

    def wait(session: Session) -> None:
        while not session.store.events(DELETED):
            pass

    run(profile, store, wait)
    assert verify_store(store, heads_path(store)).deleted_up_to == 108


@pytest.mark.parametrize(("file", "said"), [("device.pub", "public key"), ("none.key", "cannot be read")])
def test_a_key_that_cannot_sign(tmp_path: Path, file: str, said: str) -> None:
    profile, store = write_profile(tmp_path / "p.toml"), tmp_path / "r.sqlite"
    make_key("device", tmp_path)
    with profile.open("a") as text:
        text.write(f'\n[security]\ndevice_key = "{file}"\n')
    with pytest.raises(InputError, match=said):
        run(profile, store, measure)
    assert not store.exists()


def test_what_a_new_receiver_waits_for_is_not_deleted(tmp_path: Path) -> None:
    profile, store = write_profile(tmp_path / "p.toml"), tmp_path / "r.sqlite"
    fill(store, [varied(number) for number in range(1540)])
    with profile.open("a") as file:
        file.write('\n[storage]\nkeep_days = 1\n[mqtt]\nhost = "127.0.0.1"\n')

    def wait(session: Session) -> None:
        while not any("mqtt" in line for line in said):
            assert not session.store.events(DELETED)

    said: list[str] = []
    with recorded_session(load_profile(profile), profile, store, {"bundle": "b1"}, said.append) as session:
        wait(session)
