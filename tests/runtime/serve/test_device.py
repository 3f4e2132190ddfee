"""The page of a real daemon, and the addresses that it refuses."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from analyte.contract.errors import ProfileError
from analyte.contract.sections.serve import ServeSection
from analyte.runtime.serve.server import listen
from runtime.publish.brokers import broker, needs_mosquitto, until
from runtime.tiny_bundles import write_picture, write_profile


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "device.example"])
def test_beyond_loopback_without_protection_is_refused(host: str) -> None:
    with pytest.raises(ValidationError, match="needs tls and tokens"):
        ServeSection(host=host)


def test_an_address_in_use_is_one_clear_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ProfileError, match="cannot listen at") as raised:
            listen(ServeSection(port=port), Path("d.toml"))
    assert raised.value.exit_code == 3


def ask(port: int, path: str, csrf: str | None = None, given: object = None) -> bytes:
    headers = {} if csrf is None else {"x-csrf-token": csrf}
    if given is not None:
        headers["content-type"] = "application/json"
    data = None if csrf is None else b"" if given is None else json.dumps(given).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, headers)
    with urllib.request.urlopen(request, timeout=20) as answer:
        return bytes(answer.read())


@contextmanager
def served(folder: Path, bundle: Path, more: str = "") -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Run a daemon that sees one picture over and over; yield it and the port of its page."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (folder / "f").mkdir()
    write_picture(folder / "f" / "a.png", (10, 100, 200))
    profile = write_profile(folder / "d.toml", measure="interval_s = 0.05")
    profile.write_text(profile.read_text() + f"\n[serve]\nport = {port}\n{more}")
    words = ["--device", profile, "--bundle", bundle, "--source", f"sim:{folder / 'f'}"]
    daemon = subprocess.Popen(
        [sys.executable, "-m", "analyte.cli", "daemon", *map(str, words), "--store", str(folder / "s")],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert daemon.stdout is not None
        assert daemon.stdout.readline(), daemon.communicate()[1]
        yield daemon, port
    finally:
        daemon.terminate()
        daemon.communicate(timeout=20)


def test_a_daemon_serves_its_page_and_stops_when_told(tmp_path: Path, bundle: Path) -> None:
    with served(tmp_path, bundle) as (daemon, port):
        csrf = json.loads(ask(port, "/api/v1/session"))["csrf"]
        assert ask(port, "/api/v1/picture.jpg").startswith(b"\xff\xd8")
        assert json.loads(ask(port, "/api/v1/readings"))["readings"][0]["refused"] is False
        ask(port, "/api/v1/stop", csrf)
        assert json.loads(ask(port, "/api/v1/status"))["status"]["measuring"] is False
        ask(port, "/api/v1/measure", csrf)
    assert daemon.returncode == 0


def test_a_standard_corrects_the_readings_that_follow_and_can_be_taken_back(
    tmp_path: Path, bundle: Path
) -> None:
    # Stopped, so that a reading is made when it is asked for and at no other time.
    def newest() -> dict[str, Any]:
        return dict(json.loads(ask(port, "/api/v1/readings?limit=1"))["readings"][0])

    def next_reading() -> dict[str, Any]:
        before = newest()["sequence"]
        ask(port, "/api/v1/measure", csrf)
        until(lambda: newest()["sequence"] > before, "a reading")
        return newest()

    with served(tmp_path, bundle) as (_, port):
        csrf = json.loads(ask(port, "/api/v1/session"))["csrf"]
        ask(port, "/api/v1/stop", csrf)
        before = next_reading()
        known = before["value"] + 2.0
        ask(port, "/api/v1/standards", csrf, {"known": known})
        (one,) = json.loads(ask(port, "/api/v1/standards"))["standards"]
        same = pytest.approx(before["value"], abs=0.1)  # the simulated camera has noise
        assert (one["known"], one["reading"], one["used"]) == (known, same, False)
        wish = {"method": "offset", "standards": [one["id"]], "why": "new lamp"}
        ask(port, "/api/v1/recalibrations", csrf, wish)
        after = next_reading()
        assert after["value"] == pytest.approx(known, abs=0.1)
        assert after["upper"] - after["lower"] > before["upper"] - before["lower"]
        assert after["recalibration"] == "1"
        assert json.loads(ask(port, "/api/v1/standards"))["standards"][0]["used"] is True
        ask(port, "/api/v1/recalibrations/undo", csrf, {"why": "wrong standard"})
        assert next_reading()["value"] == same


@needs_mosquitto
def test_sending_stands_in_status_and_metrics(tmp_path: Path, bundle: Path) -> None:
    def status() -> dict[str, Any]:
        return dict(json.loads(ask(port, "/api/v1/status"))["status"]["mqtt"])

    with broker(tmp_path / "b") as b:
        more = f'[mqtt]\nhost = "127.0.0.1"\nport = {b.port}\n'
        with served(tmp_path, bundle, more) as (_, port):
            until(lambda: status()["connected"], "the broker")
            assert b"analyte_mqtt_connected 1" in ask(port, "/metrics")
            b.stop()
            until(lambda: status()["waiting"] > 5 and not status()["connected"], "readings that wait")
            assert status()["remark"]
            assert b"analyte_mqtt_connected 0" in ask(port, "/metrics")


def test_drift_of_controls_stands_in_the_metrics(tmp_path: Path, bundle: Path) -> None:
    more = '[[control.materials]]\nname = "low"\ntarget = 1.0\ns = 40.0\n[control.drift]\nmethod = "ewma"\n'
    with served(tmp_path, bundle, more) as (_, port):
        csrf = json.loads(ask(port, "/api/v1/session"))["csrf"]
        assert b"analyte_control_drift" not in ask(port, "/metrics")
        ask(port, "/api/v1/controls", csrf, {"material": "low"})
        status = json.loads(ask(port, "/api/v1/status"))["status"]
        (control,) = json.loads(ask(port, "/api/v1/controls"))["controls"]
        z = (control["value"] - 1.0) / 40.0
        assert status["drift"] == {"low": pytest.approx(0.2 * z)}
        assert b'analyte_control_drift{material="low"}' in ask(port, "/metrics")
