"""The shelf: only what passes is kept, and what is run survives damage and power cuts."""

from __future__ import annotations

from pathlib import Path

import pytest

from analyte.contract.bundle import open_bundle
from analyte.contract.errors import InputError, IntegrityError, SettingsError
from analyte.runtime.bundles.shelf import Shelf, ShelfState
from analyte.runtime.trust import open_for_use
from runtime.bundles.packing import packed


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "device" / "bundles")


def test_nothing_is_run_at_first(shelf: Shelf) -> None:
    assert shelf.state() == ShelfState()
    assert shelf.ids() == []
    assert shelf.stamp() is None


def test_way_forward_and_way_back(shelf: Shelf, tmp_path: Path) -> None:
    first, second = (shelf.add(packed(tmp_path, name), open_for_use).id for name in ("a", "b"))
    assert set(shelf.ids()) == {first, second}
    shelf.activate(first)
    before = shelf.stamp()
    shelf.propose(second)
    assert shelf.state() == ShelfState(active=first, candidate=second)
    assert shelf.stamp() != before
    shelf.activate(second)
    assert shelf.state() == ShelfState(active=second, previous=first)
    assert shelf.roll_back() == first
    assert shelf.state() == ShelfState(active=first, previous=second)
    # Another instance, as after a restart.
    assert Shelf(shelf.folder).state() == ShelfState(active=first, previous=second)
    assert open_bundle(shelf.path(first)).id == first


def test_activating_what_runs_keeps_the_way_back(shelf: Shelf, tmp_path: Path) -> None:
    first, second = (shelf.add(packed(tmp_path, name), open_for_use).id for name in ("a", "b"))
    shelf.activate(first)
    shelf.activate(second)
    shelf.activate(second)
    assert shelf.state().previous == first


def test_no_way_back(shelf: Shelf) -> None:
    with pytest.raises(SettingsError, match="no bundle to go back to"):
        shelf.roll_back()


@pytest.mark.parametrize("harm", ["flip", "cut", "text", "missing"])
def test_what_is_no_sound_bundle_is_not_kept(shelf: Shelf, tmp_path: Path, harm: str) -> None:
    path = packed(tmp_path)
    data = bytearray(path.read_bytes())
    if harm == "flip":
        data[len(data) // 2] ^= 1
    path.write_bytes({"cut": bytes(data[:-9]), "text": b"hello"}.get(harm, bytes(data)))
    given = tmp_path / "none" if harm == "missing" else path
    with pytest.raises((InputError, IntegrityError)) as raised:
        shelf.add(given, open_for_use)
    # By the name that the person knows, not by that of a copy.
    assert raised.value.line().startswith(str(given))
    assert ".incoming" not in raised.value.line()
    assert list(shelf.folder.iterdir()) == []


def test_what_is_in_use_is_not_removed(shelf: Shelf, tmp_path: Path) -> None:
    first, second, third = (shelf.add(packed(tmp_path, name), open_for_use).id for name in "abc")
    shelf.activate(first)
    shelf.activate(second)
    for used in (first, second):
        with pytest.raises(SettingsError, match="in use"):
            shelf.remove(used)
    shelf.remove(third)
    assert set(shelf.ids()) == {first, second}


@pytest.mark.parametrize("bundle_id", ["../../etc/passwd", "0" * 64, "", "A" * 64])
def test_ids_that_are_none(shelf: Shelf, bundle_id: str) -> None:
    for act in (shelf.activate, shelf.propose, shelf.remove):
        with pytest.raises(SettingsError, match="no such bundle on the device"):
            act(bundle_id)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"schema_version": 2, "active": null, "previous": null, "candidate": null}',
        '{"schema_version": 1, "active": "x", "previous": null, "candidate": null}',
        '{"schema_version": 1, "active": 3, "previous": null, "candidate": null}',
        '{"schema_version": 1, "active": null, "previous": null}',
    ],
)
def test_damaged_state_is_said_and_not_taken_for_an_empty_shelf(shelf: Shelf, text: str) -> None:
    (shelf.folder / "shelf.json").write_text(text, "utf-8")
    with pytest.raises(IntegrityError) as caught:
        shelf.state()
    assert caught.value.exit_code == 7


def test_folder_is_packed(shelf: Shelf, tmp_path: Path) -> None:
    from_file = shelf.add(packed(tmp_path), open_for_use)
    data = shelf.path(from_file.id).read_bytes()
    assert shelf.add(tmp_path / "tiny.analyte", open_for_use).id == from_file.id
    assert shelf.path(from_file.id).read_bytes() == data
