"""The daemon as a supervisor runs it: a process, signals, exit codes."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from analyte.runtime.recorder import QUEUE_LENGTH
from runtime.conftest import Analyte, analyte_command
from runtime.sources.mjpeg_server import mjpeg_camera
from runtime.tiny_bundles import (
    File,
    edit_manifest,
    onnx_model,
    value_of,
    write_bundle,
    write_picture,
    write_profile,
    write_video,
)


def stored(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [row[0] for row in connection.execute("SELECT json FROM readings ORDER BY sequence")]


def last_line(text: str) -> str:
    return text.rstrip("\n").rpartition("\n")[2]


@contextmanager
def running(folder: Path, *arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        analyte_command("daemon", *arguments),
        cwd=folder,
        env=os.environ | {"PYTHONUTF8": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    folder = tmp_path / "frames"
    folder.mkdir()
    for number in range(4):
        write_picture(folder / f"{number}.png", (0, 0, 10 + 40 * number))
    (folder / "2.png").write_bytes(b"damaged")
    return folder


def test_folder_to_its_end(
    analyte: Analyte, tmp_path: Path, profile: Path, bundle: Path, frames: Path
) -> None:
    result = analyte("daemon", "--device", profile, "--bundle", bundle, "--source", frames)
    assert result.returncode == 0
    assert last_line(result.stderr) == (
        f"analyte daemon: stopped: end of folder {frames} (4 readings, 1 refused)"
    )
    readings = [json.loads(line) for line in result.stdout.splitlines()]
    assert [r["refused"] for r in readings] == [False, False, True, False]
    assert readings[3]["value"] == pytest.approx(value_of((0, 0, 130)), abs=1e-4)
    assert readings[2]["reason"] == "bad_frame"
    assert {r["device"] for r in readings} == {"bench-1"}
    # What was printed is what was stored, to the letter.
    assert stored(tmp_path / "readings.sqlite") == result.stdout.splitlines()


def test_video_to_its_end(analyte: Analyte, tmp_path: Path, bundle: Path) -> None:
    video = write_video(tmp_path / "clip.avi", 21)
    profile = write_profile(tmp_path / "p.toml", camera=f'source = "{video}"', measure="interval_s = 0.5")
    result = analyte("daemon", "--device", profile, "--bundle", bundle, "--store", tmp_path / "s.sqlite")
    assert result.returncode == 0
    assert last_line(result.stderr).endswith(f"end of video {video} (5 readings, 0 refused)")
    assert [json.loads(line)["source"] for line in result.stdout.splitlines()] == [
        f"{video}#{index}" for index in (0, 5, 10, 15, 20)
    ]
    assert len(stored(tmp_path / "s.sqlite")) == 5


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_stops_cleanly(tmp_path: Path, bundle: Path, profile: Path, number: signal.Signals) -> None:
    with mjpeg_camera() as server:
        url = f"http://admin:s3cret@{server.address}/stream"
        with running(tmp_path, "--device", profile, "--bundle", bundle, "--source", url) as daemon:
            assert daemon.stdout is not None
            lines = [daemon.stdout.readline() for _ in range(3)]
            daemon.send_signal(number)
            rest, err = daemon.communicate(timeout=10)
    assert daemon.returncode == 0
    assert f"analyte daemon: stopped: {number.name} (" in last_line(err)
    printed = [line.rstrip("\n") for line in lines] + rest.splitlines()
    assert stored(tmp_path / "readings.sqlite") == printed
    assert not (tmp_path / "readings.sqlite-wal").exists()
    assert "s3cret" not in err + "".join(printed)
    assert json.loads(printed[0])["source"].startswith("http://***@127.0.0.1")


def test_interval_by_the_clock(tmp_path: Path, bundle: Path) -> None:
    profile = write_profile(tmp_path / "p.toml", measure="interval_s = 0.4")
    with mjpeg_camera() as server:
        url = f"http://{server.address}/"
        with running(
            tmp_path, "--device", profile, "--bundle", bundle, "--source", url, "--max-readings", "3"
        ) as daemon:
            out, err = daemon.communicate(timeout=20)
    assert "stopped: 3 readings were asked for (3 readings, 0 refused)" in last_line(err)
    sources = [json.loads(line)["source"] for line in out.splitlines()]
    indices = [int(source.rpartition("#")[2]) for source in sources]
    # About 20 frames per interval at 50 frames per second; a loaded machine may give fewer.
    assert all(after - before > 5 for before, after in itertools.pairwise(indices))
    ages = [json.loads(line)["capture_age_ms"] for line in out.splitlines()]
    assert max(ages) < 500.0


def test_camera_that_stalls_is_exit_6(tmp_path: Path, bundle: Path) -> None:
    profile = write_profile(tmp_path / "p.toml", camera="stall_s = 0.7\nreopen_attempts = 0")
    with mjpeg_camera() as server:
        url = f"http://{server.address}/"
        with running(tmp_path, "--device", profile, "--bundle", bundle, "--source", url) as daemon:
            assert daemon.stdout is not None
            daemon.stdout.readline()
            server.frozen.set()
            _, err = daemon.communicate(timeout=15)
    assert daemon.returncode == 6
    assert "analyte daemon: stopped: the camera stalled (" in err
    assert "Traceback" not in err


def test_kill_9_loses_nothing_that_was_printed(
    analyte: Analyte, tmp_path: Path, bundle: Path, profile: Path
) -> None:
    with mjpeg_camera() as server:
        url = f"http://{server.address}/"
        with running(tmp_path, "--device", profile, "--bundle", bundle, "--source", url) as daemon:
            assert daemon.stdout is not None
            printed = [daemon.stdout.readline().rstrip("\n") for _ in range(5)]
            daemon.kill()
            rest, _ = daemon.communicate()
    whole, _, _ = rest.rpartition("\n")
    printed += whole.splitlines()
    found = stored(tmp_path / "readings.sqlite")
    assert found[: len(printed)] == printed
    # What waited together was stored together, and may not have been printed yet.
    assert 0 <= len(found) - len(printed) <= QUEUE_LENGTH
    log = analyte("log", "verify", "--store", "readings.sqlite")
    assert (log.returncode, log.stdout.endswith("\nverified\n")) == (0, True)


def test_reader_of_stdout_goes_away(tmp_path: Path, bundle: Path, profile: Path) -> None:
    video = write_video(tmp_path / "clip.avi", 120)
    with running(tmp_path, "--device", profile, "--bundle", bundle, "--source", video) as daemon:
        assert daemon.stdout is not None
        assert daemon.stderr is not None
        daemon.stdout.close()
        err = daemon.stderr.read()
        daemon.wait(timeout=10)
    assert daemon.returncode == 0
    assert last_line(err).startswith("analyte daemon: stopped: the reader of stdout is gone")
    assert "Exception ignored" not in err


class TestRefusesToStart:
    """What is wrong is said in one line, with the exit code of its kind."""

    def start(self, analyte: Analyte, profile: Path, bundle: Path, *more: str | Path) -> tuple[int, str]:
        result = analyte("daemon", "--device", profile, "--bundle", bundle, *more)
        assert result.stdout == ""
        assert "Traceback" not in result.stderr
        return result.returncode, last_line(result.stderr)

    @pytest.mark.parametrize("source", ["gone.avi", "97", "rtsp://u:s3cret@127.0.0.1:9/x"])
    def test_no_source(self, analyte: Analyte, profile: Path, bundle: Path, source: str) -> None:
        code, line = self.start(analyte, profile, bundle, "--source", source)
        assert code == 6
        assert "cannot be opened" in line
        assert "s3cret" not in line

    def test_source_not_set(self, analyte: Analyte, profile: Path, bundle: Path) -> None:
        code, line = self.start(analyte, profile, bundle)
        assert (code, "camera.source" in line, "device.toml" in line) == (3, True, True)

    def test_no_bundle(self, analyte: Analyte, profile: Path, tmp_path: Path, frames: Path) -> None:
        assert self.start(analyte, profile, tmp_path / "none", "--source", frames)[0] == 3

    @pytest.mark.parametrize("file", ["onnx.onnx", "golden.npz"])
    @pytest.mark.parametrize("damage", ["altered", "missing"])
    def test_damaged_bundle(
        self,
        analyte: Analyte,
        profile: Path,
        bundle: Path,
        tmp_path: Path,
        frames: Path,
        file: str,
        damage: str,
    ) -> None:
        copy = tmp_path / "copy.analyte"
        shutil.copytree(bundle, copy)
        if damage == "missing":
            (copy / file).unlink()
        else:
            data = bytearray((copy / file).read_bytes())
            data[len(data) // 2] ^= 1
            (copy / file).write_bytes(data)
        code, line = self.start(analyte, profile, copy, "--source", frames)
        assert (code, file in line) == (7, True)

    def test_newer_schema(
        self, analyte: Analyte, profile: Path, bundle: Path, tmp_path: Path, frames: Path
    ) -> None:
        copy = tmp_path / "copy.analyte"
        shutil.copytree(bundle, copy)
        edit_manifest(copy, schema_version=99)
        code, line = self.start(analyte, profile, copy, "--source", frames)
        assert (code, "newer analyte" in line) == (7, True)

    def test_self_test_fails(self, analyte: Analyte, profile: Path, tmp_path: Path, frames: Path) -> None:
        bad = write_bundle(tmp_path / "bad.analyte", [File("onnx", "onnx", onnx_model(1))], golden_error=0.01)
        code, line = self.start(analyte, profile, bad, "--source", frames)
        assert (code, "self-test failed" in line) == (4, True)
        assert "expected a deviation of at most 0.001 mg/L; got 0.01 mg/L" in line

    def test_provider_that_is_not_there(
        self, analyte: Analyte, bundle: Path, tmp_path: Path, frames: Path
    ) -> None:
        profile = write_profile(tmp_path / "p.toml", provider="cuda")
        code, line = self.start(analyte, profile, bundle, "--source", frames)
        assert (code, "analyte[cuda]" in line) == (5, True)

    def test_artifact_that_the_bundle_lacks(
        self, analyte: Analyte, bundle: Path, tmp_path: Path, frames: Path
    ) -> None:
        profile = write_profile(tmp_path / "p.toml", artifacts=["onnx-int8"])
        code, line = self.start(analyte, profile, bundle, "--source", frames)
        assert (code, "expected onnx-int8; got onnx" in line) == (3, True)

    def test_views_without_regions(
        self, analyte: Analyte, profile: Path, two_view_bundle: Path, frames: Path
    ) -> None:
        code, line = self.start(analyte, profile, two_view_bundle, "--source", frames)
        assert (code, "no region for view reference, sample" in line) == (3, True)

    def test_foreign_store(
        self, analyte: Analyte, profile: Path, bundle: Path, tmp_path: Path, frames: Path
    ) -> None:
        (tmp_path / "notes.txt").write_text("mine\n" * 1000)
        code, _ = self.start(analyte, profile, bundle, "--source", frames, "--store", tmp_path / "notes.txt")
        assert code == 7
        assert (tmp_path / "notes.txt").read_text() == "mine\n" * 1000


def test_fallback_is_used_and_said(analyte: Analyte, bundle: Path, tmp_path: Path, frames: Path) -> None:
    profile = write_profile(tmp_path / "p.toml", provider="cuda", fallback=["cpu"])
    result = analyte("daemon", "--device", profile, "--bundle", bundle, "--source", frames)
    assert result.returncode == 0
    assert "using fallback provider 'cpu'" in result.stderr
    assert {json.loads(line)["provider"] for line in result.stdout.splitlines()} == {"cpu"}


def test_first_reading_is_early(tmp_path: Path, bundle: Path, profile: Path, frames: Path) -> None:
    start = time.monotonic()
    with running(tmp_path, "--device", profile, "--bundle", bundle, "--source", frames) as daemon:
        assert daemon.stdout is not None
        assert daemon.stdout.readline()
        # Measured 0.6 s; part 1 asks for 1.5 s; the rest is for a busy machine.
        assert time.monotonic() - start < 5.0


def test_what_is_wrong_with_a_profile_is_said_once(
    analyte: Analyte, tmp_path: Path, bundle: Path, frames: Path
) -> None:
    profile = write_profile(tmp_path / "p.toml", measure="framse = 3")
    result = analyte("daemon", "--device", profile, "--bundle", bundle, "--source", frames)
    assert result.returncode == 3
    assert result.stderr.count("\n") == result.stderr.count("framse") == 1


def test_an_empty_source_is_not_the_profiles(analyte: Analyte, bundle: Path, tmp_path: Path) -> None:
    """As of a variable of the shell that is not set."""
    profile = write_profile(tmp_path / "p.toml", camera='source = "0"')
    done = analyte("daemon", "--device", profile, "--bundle", bundle, "--source", "")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--source" in done.stderr
    assert "is empty" in done.stderr


def test_certificates_that_are_not_there_are_named(analyte: Analyte, bundle: Path, tmp_path: Path) -> None:
    pytest.importorskip("uvicorn", reason="needs analyte[serve]")
    frame = write_picture(tmp_path / "a.png", (1, 2, 3))
    profile = write_profile(tmp_path / "p.toml", camera=f'source = "{frame}"')
    page = '[serve]\nport = 1\ntls = { certificate = "c.pem", key = "k.pem" }\n'
    free = socket.create_server(("127.0.0.1", 0))
    port = free.getsockname()[1]
    free.close()
    profile.write_text(profile.read_text("utf-8") + page.replace("= 1\n", f"= {port}\n"), "utf-8")
    done = analyte("daemon", "--device", profile, "--bundle", bundle)
    assert done.returncode == 3
    assert "serve.tls: cannot be used; expected PEM files; got " in done.stderr
    assert "c.pem, " in done.stderr
