"""Bundles of a device: installed, tried by a running daemon, promoted and rolled back."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from analyte.contract.bundle import open_bundle
from analyte.runtime.store.sqlite import SqliteStore
from runtime.bundles.packing import packed
from runtime.conftest import Analyte
from runtime.tiny_bundles import (
    File,
    edit_manifest,
    onnx_model,
    write_bundle,
    write_picture,
    write_profile,
)


@pytest.fixture
def device(tmp_path: Path) -> Path:
    frames = tmp_path / "frames"
    frames.mkdir()
    write_picture(frames / "0.png", (0, 0, 100))
    profile = write_profile(tmp_path / "p.toml", camera='source = "sim:frames"\nsimulated = { fps = 50.0 }')
    with profile.open("a", encoding="utf-8") as file:
        file.write('[bundles]\nfolder = "bundles"\nshadow_readings = 5\nmax_difference = 0.5\n')
    return profile


@contextmanager
def running(device: Path, bundle: Path | None = None) -> Iterator[Iterator[dict[str, object]]]:
    """Run the daemon; give its readings as they come."""
    command = [sys.executable, "-m", "analyte.cli", "daemon", "--device", str(device)]
    command += [] if bundle is None else ["--bundle", str(bundle)]
    with (device.parent / "err").open("wb") as err:
        daemon = subprocess.Popen(command, cwd=device.parent, stdout=subprocess.PIPE, stderr=err)
    assert daemon.stdout is not None
    try:
        yield (json.loads(line) for line in daemon.stdout)
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.communicate(timeout=30)
        assert daemon.returncode == 0, (device.parent / "err").read_text("utf-8")


def until(readings: Iterator[dict[str, object]], bundle_id: str) -> int:
    """Read on until this bundle measures; return how many readings came before."""
    end = time.monotonic() + 60.0
    for count, reading in enumerate(readings):
        assert reading["refused"] is False
        if reading["bundle"] == bundle_id:
            return count
        assert time.monotonic() < end, "the bundle did not take over"
    pytest.fail("the daemon ended")


def events(device: Path) -> list[str]:
    store = SqliteStore(device.parent / "readings.sqlite")
    try:
        return [stored.event.what for stored in store.events("bundle.")]
    finally:
        store.close()


def test_swap_while_the_daemon_runs_and_the_way_back(analyte: Analyte, device: Path, tmp_path: Path) -> None:
    old, new = packed(tmp_path, "old"), packed(tmp_path, "new")
    old_id, new_id = open_bundle(old).id, open_bundle(new).id
    with running(device, old) as readings:
        assert until(readings, old_id) == 0
        installed = analyte("bundle", "install", new, "--device", device, "--who", "ada", "--why", "autumn")
        assert installed.returncode == 0, installed.stderr
        assert f"{new_id} will be tried" in installed.stdout
        assert until(readings, new_id) >= 5
        back = analyte("bundle", "roll-back", "--device", device, "--who", "ada", "--why", "reads high")
        assert (back.returncode, back.stdout) == (0, f"{old_id} is run\n")
        until(readings, old_id)
    assert events(device) == [
        "bundle.installed",
        "bundle.trial_started",
        "bundle.promoted",
        "bundle.chosen",
        "bundle.promoted",
    ]
    verified = analyte("log", "verify", "--store", tmp_path / "readings.sqlite")
    assert verified.returncode == 0, verified.stderr
    # The shelf says what runs after a restart.
    with running(device) as readings:
        assert until(readings, old_id) == 0
    listed = json.loads(analyte("bundle", "installed", "--device", device, "--json").stdout)
    assert {one["bundle"]: one["role"] for one in listed} == {old_id: "active", new_id: "previous"}


def test_bundle_that_fails_its_self_test_is_not_kept(analyte: Analyte, device: Path, tmp_path: Path) -> None:
    wrong = write_bundle(tmp_path / "wrong.analyte", [File("onnx", "onnx", onnx_model(1))], golden_error=5.0)
    result = analyte("bundle", "install", wrong, "--device", device)
    assert result.returncode == 4
    assert list((tmp_path / "bundles").iterdir()) == []


def test_device_without_a_shelf(analyte: Analyte, tmp_path: Path) -> None:
    profile = write_profile(tmp_path / "p.toml")
    for command in (("install", packed(tmp_path)), ("promote",), ("roll-back",), ("installed",)):
        result = analyte("bundle", *command, "--device", profile)
        assert result.returncode == 3
        assert "bundles.folder: is not set" in result.stderr


def test_nothing_to_promote_or_go_back_to(analyte: Analyte, device: Path) -> None:
    none_tried = analyte("bundle", "promote", "--device", device)
    assert none_tried.returncode == 2
    assert "no bundle is being tried. Name the one that is meant" in none_tried.stderr
    unknown = analyte("bundle", "promote", "abc", "--device", device).stderr
    assert "no such bundle on the device; expected one that was installed; got abc" in unknown
    assert "no bundle to go back to" in analyte("bundle", "roll-back", "--device", device).stderr
    assert analyte("daemon", "--device", device).returncode == 2


def test_the_first_bundle_says_which_folder_it_went_to(
    analyte: Analyte, device: Path, tmp_path: Path
) -> None:
    first = analyte("bundle", "install", packed(tmp_path, "a"), "--device", device)
    assert "is run" in first.stdout
    assert f"analyte bundle: {tmp_path / 'bundles'} held no bundle before" in first.stderr
    second = analyte("bundle", "install", packed(tmp_path, "b"), "--device", device)
    assert (second.returncode, second.stderr) == (0, "")


@pytest.mark.parametrize(("key", "value"), [("unit", "ug/L"), ("analyte", "iron")])
def test_a_bundle_of_another_analyte_or_unit_is_not_kept(
    analyte: Analyte, device: Path, tmp_path: Path, key: str, value: str
) -> None:
    assert analyte("bundle", "install", packed(tmp_path, "a"), "--device", device).returncode == 0
    other = write_bundle(tmp_path / "other.analyte", [File("onnx", "onnx", onnx_model(1))])
    label = open_bundle(other).manifest.label.model_dump(mode="json")
    edit_manifest(other, label=label | {key: value})
    result = analyte("bundle", "install", other, "--device", device)
    assert (result.returncode, result.stdout) == (3, "")
    assert "measures something else than the device; expected" in result.stderr
    assert value in result.stderr
    assert len(json.loads(analyte("bundle", "installed", "--device", device, "--json").stdout)) == 1


def test_a_damaged_running_bundle_does_not_keep_its_successor_away(
    analyte: Analyte, device: Path, tmp_path: Path
) -> None:
    first = packed(tmp_path, "a")
    assert analyte("bundle", "install", first, "--device", device).returncode == 0
    (kept,) = (tmp_path / "bundles").glob("*.zip")
    kept.write_bytes(kept.read_bytes()[:-5])
    result = analyte("bundle", "install", packed(tmp_path, "b"), "--device", device)
    assert result.returncode == 0, result.stderr
    assert "the running bundle cannot be compared with" in result.stderr
