"""What systemd is told, by the real daemon, on a socket as systemd has."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from analyte.runtime.service.supervisor import Supervisor
from runtime.conftest import analyte_command
from runtime.service.sockets import Listener, listening
from runtime.sources.mjpeg_server import mjpeg_camera
from runtime.tiny_bundles import write_picture, write_profile

TESTS = Path(__file__).parents[2]
WATCHDOG_S = 2.0


def start(folder: Path, command: list[str], notify: str, **environment: str) -> subprocess.Popen[str]:
    path = f"{TESTS}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    return subprocess.Popen(
        command,
        cwd=folder,
        env=os.environ | {"PYTHONUTF8": "1", "NOTIFY_SOCKET": notify, "PYTHONPATH": path, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def is_ready(message: list[str]) -> bool:
    return "READY=1" in message


@pytest.mark.parametrize("abstract", [False, True], ids=["path", "abstract"])
def test_start_readiness_and_stop(tmp_path: Path, bundle: Path, profile: Path, abstract: bool) -> None:
    name = f"analyte-{os.getpid()}-{tmp_path.name}" if abstract else str(tmp_path / "n")
    with mjpeg_camera() as server, listening(f"\0{name}" if abstract else name) as systemd:
        daemon = start(
            tmp_path,
            analyte_command(
                "daemon", "--device", profile, "--bundle", bundle, "--source", f"http://{server.address}/"
            ),
            f"@{name}" if abstract else name,
        )
        started = systemd.until(is_ready)
        daemon.send_signal(signal.SIGTERM)
        stopped = systemd.until(lambda message: "STOPPING=1" in message)
        _, err = daemon.communicate(timeout=20)
    assert daemon.returncode == 0, err
    steps = [message[0] for message in started[:-1] if message[0].startswith("STATUS=starting")]
    assert steps == [
        "STATUS=starting: bundle and engine",
        "STATUS=starting: store",
        "STATUS=starting: camera",
    ]
    assert all(message[1].startswith("EXTEND_TIMEOUT_USEC=") for message in started[:3])
    assert started[-1][1].startswith("STATUS=measuring: ")
    # Nobody asked for a watchdog.
    assert not any("WATCHDOG=1" in message for message in [*started, *stopped])


def test_not_ready_before_a_frame_that_can_be_measured(tmp_path: Path, bundle: Path, profile: Path) -> None:
    frames = tmp_path / "frames"
    frames.mkdir()
    (frames / "0.png").write_bytes(b"damaged")
    with listening(str(tmp_path / "n")) as systemd:
        command = analyte_command("daemon", "--device", profile, "--bundle", bundle, "--source", frames)
        for is_good in (False, True):
            if is_good:
                write_picture(frames / "1.png", (0, 0, 100))
            start(tmp_path, command, str(tmp_path / "n")).communicate(timeout=30)
            told = systemd.until(lambda message: "STOPPING=1" in message)
            assert any(map(is_ready, told)) is is_good


def test_camera_that_is_not_there_is_never_ready(tmp_path: Path, bundle: Path, profile: Path) -> None:
    with listening(str(tmp_path / "n")) as systemd:
        command = analyte_command("daemon", "--device", profile, "--bundle", bundle, "--source", "gone.avi")
        daemon = start(tmp_path, command, str(tmp_path / "n"))
        daemon.communicate(timeout=30)
        assert daemon.returncode == 6
        assert not any(map(is_ready, systemd.rest()))


class TestWatchdog:
    def hanging(
        self, tmp_path: Path, bundle: Path, systemd: Listener, more: str = ""
    ) -> subprocess.Popen[str]:
        profile = write_profile(tmp_path / "p.toml", measure=more)
        hang = str(tmp_path / "hang")
        command = [sys.executable, "-m", "runtime.service.hanging_daemon", hang, "daemon"]
        command += ["--device", str(profile), "--bundle", str(bundle), "--source", "0"]
        daemon = start(tmp_path, command, str(tmp_path / "n"), WATCHDOG_USEC=str(round(1e6 * WATCHDOG_S)))
        systemd.until(is_ready)
        return daemon

    def test_is_fed_while_it_measures_and_not_when_it_hangs(self, tmp_path: Path, bundle: Path) -> None:
        with listening(str(tmp_path / "n")) as systemd:
            daemon = self.hanging(tmp_path, bundle, systemd)
            fed = [systemd.until(lambda message: "WATCHDOG=1" in message)[-1] for _ in range(3)]
            assert all(line.startswith("STATUS=measuring: ") for _, line in fed)
            (tmp_path / "hang").touch()
            # As systemd does: an interval without a message, and it is over.
            systemd.silent_for(WATCHDOG_S)
            assert (tmp_path / "hang.begun").exists()
            assert daemon.poll() is None
            daemon.send_signal(signal.SIGABRT)
            _, err = daemon.communicate(timeout=20)
        assert daemon.returncode == -signal.SIGABRT
        # The log says where it hung.
        assert "hang_in_the_driver" in err

    def test_is_fed_between_readings_that_are_far_apart(self, tmp_path: Path, bundle: Path) -> None:
        with listening(str(tmp_path / "n")) as systemd:
            daemon = self.hanging(tmp_path, bundle, systemd, "interval_s = 3600.0")
            for _ in range(4):
                systemd.until(lambda message: "WATCHDOG=1" in message)
            daemon.send_signal(signal.SIGTERM)
            systemd.until(lambda message: "STOPPING=1" in message)
            daemon.communicate(timeout=20)
        assert daemon.returncode == 0

    @pytest.mark.parametrize(
        ("environment", "watched"),
        [
            ({"WATCHDOG_USEC": "1000000"}, True),
            ({"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": str(os.getpid())}, True),
            ({"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"}, False),
            ({"WATCHDOG_USEC": "0"}, False),
            ({"WATCHDOG_USEC": "often"}, False),
            ({"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": ""}, False),
            ({}, False),
        ],
    )
    def test_whose_it_is(self, tmp_path: Path, environment: dict[str, str], watched: bool) -> None:
        with listening(str(tmp_path / "n")) as systemd:
            supervisor = Supervisor(
                {"NOTIFY_SOCKET": str(tmp_path / "n"), **environment}, lambda: "well", pytest.fail
            )
            supervisor.ready()
            supervisor.alive()
            supervisor.ready()
            assert systemd.next() == ["READY=1", "STATUS=well"]
            assert systemd.next() == (["WATCHDOG=1"] if watched else []) + ["STATUS=well"]
            with pytest.raises(TimeoutError):
                systemd.next(0.05)
        assert supervisor.watched is watched


@pytest.mark.parametrize("address", ["", "@", "vsock:2:1", "relative"])
def test_no_socket_is_silence(address: str) -> None:
    supervisor = Supervisor({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "1"}, str, pytest.fail)
    supervisor.start("x", 1.0)
    supervisor.alive()
    supervisor.ready()
    assert not supervisor.watched


def test_socket_that_is_gone_is_said_once(tmp_path: Path) -> None:
    said: list[str] = []
    supervisor = Supervisor({"NOTIFY_SOCKET": str(tmp_path / "gone")}, str, said.append)
    supervisor.ready()
    supervisor.alive()
    supervisor.stop()
    assert said == ["the supervisor cannot be told: No such file or directory (NOTIFY_SOCKET)"]
