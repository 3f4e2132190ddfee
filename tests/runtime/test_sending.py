"""The daemon with ``[mqtt]`` in its profile: everything that was stored arrives, once by id and in order."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from runtime.conftest import Analyte, analyte_command
from runtime.publish.brokers import broker, needs_mosquitto, subscriber, until
from runtime.sources.mjpeg_server import mjpeg_camera
from runtime.tiny_bundles import write_picture, write_profile, write_video

FRAMES = 1600
BEFORE_KILL = 1200


def profile_for(folder: Path, mqtt: str) -> Path:
    path = write_profile(folder / "device.toml")
    path.write_text(f"{path.read_text()}\n[mqtt]\n{mqtt}\n")
    return path


def stored(path: Path) -> list[tuple[int, str, str]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT sequence, id, json FROM readings ORDER BY sequence").fetchall()


@contextmanager
def running(folder: Path, *arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    with (folder / "err").open("a") as err:
        process = subprocess.Popen(
            analyte_command("daemon", *arguments), cwd=folder, stdout=subprocess.PIPE, stderr=err, text=True
        )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@needs_mosquitto
def test_broker_down_and_daemon_killed_twice(tmp_path: Path, bundle: Path) -> None:
    video = write_video(tmp_path / "clip.avi", FRAMES)
    with broker(tmp_path / "b") as b, subscriber(b.port) as found:
        profile = profile_for(tmp_path, f'host = "127.0.0.1"\nport = {b.port}')
        b.stop()
        for _ in range(2):
            with running(tmp_path, "--device", profile, "--bundle", bundle, "--source", video) as daemon:
                assert daemon.stdout is not None
                for _ in range(BEFORE_KILL):
                    assert daemon.stdout.readline()
                daemon.kill()
        assert not found.readings
        b.start()
        with mjpeg_camera() as server:
            url = f"http://{server.address}/"
            for is_last in (False, True):
                with running(tmp_path, "--device", profile, "--bundle", bundle, "--source", url) as daemon:
                    assert daemon.stdout is not None
                    assert daemon.stdout.readline()
                    already = len(found.readings)
                    until(lambda n=already: len(found.readings) > n, "readings on their way")
                    if not is_last:
                        daemon.kill()
                        continue
                    daemon.terminate()
                    daemon.communicate(timeout=30)
            assert daemon.returncode == 0
        # What the end had no time for is sent after the next start.
        with running(tmp_path, "--device", profile, "--bundle", bundle, "--source", video):
            kept = stored(tmp_path / "readings.sqlite")
            until(lambda: len(found.readings) >= len(kept), "everything")
    assert len(kept) > 2 * BEFORE_KILL
    assert found.readings[: len(kept)] == [sequence for sequence, _, _ in kept]
    first = {message.about["id"]: message for message in reversed(found.of("/readings"))}
    for _, id, text in kept:
        assert first[id].body == json.loads(text)
    assert "Connection refused; they wait in the store" in (tmp_path / "err").read_text()


@needs_mosquitto
def test_short_run_sends_everything_before_it_ends(analyte: Analyte, tmp_path: Path, bundle: Path) -> None:
    frames = tmp_path / "frames"
    frames.mkdir()
    for number in range(5):
        write_picture(frames / f"{number}.png", (0, 0, 10 * number))
    with broker(tmp_path / "b") as b, subscriber(b.port) as found:
        profile = profile_for(tmp_path, f'host = "127.0.0.1"\nport = {b.port}\nprefix = "lab/3"')
        with subscriber(b.port, "lab/3/#", name="second") as theirs:
            result = analyte("daemon", "--device", profile, "--bundle", bundle, "--source", frames)
            until(lambda: theirs.states == ["online", "offline"], "both states")
    assert result.returncode == 0, result.stderr
    assert not found.messages
    assert [message.body for message in theirs.of("/readings")] == [
        json.loads(line) for line in result.stdout.splitlines()
    ]
    birth = theirs.of("/state")[0].body
    assert (birth["analyte"], birth["artifact"], birth["engine"], birth["provider"]) == (
        "dye",
        "onnx",
        "onnx",
        "cpu",
    )


def test_broker_that_is_not_there_does_not_keep_from_measuring(
    analyte: Analyte, tmp_path: Path, bundle: Path
) -> None:
    (tmp_path / "frames").mkdir()
    write_picture(tmp_path / "frames" / "0.png", (0, 0, 100))
    profile = profile_for(tmp_path, 'host = "127.0.0.1"\nport = 9')
    result = analyte("daemon", "--device", profile, "--bundle", bundle, "--source", "frames")
    assert result.returncode == 0
    assert len(result.stdout.splitlines()) == 1


@pytest.mark.parametrize(
    ("mqtt", "says"),
    [
        ('host = "h"\nusername = "u"\npassword_file = "gone"', "mqtt.password_file: the password cannot be"),
        ('host = "mqtt://u:s3cret@h"', "mqtt: host must be a name or an IP address alone"),
    ],
)
def test_profile_that_cannot_send_is_refused(
    analyte: Analyte, tmp_path: Path, bundle: Path, mqtt: str, says: str
) -> None:
    (tmp_path / "frames").mkdir()
    write_picture(tmp_path / "frames" / "0.png", (0, 0, 100))
    profile = profile_for(tmp_path, mqtt)
    result = analyte("daemon", "--device", profile, "--bundle", bundle, "--source", "frames")
    assert (result.returncode, result.stdout) == (3, "")
    assert says in result.stderr
    assert "s3cret" not in result.stderr
