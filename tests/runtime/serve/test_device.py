"""The page of a real daemon, and the addresses that it refuses."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from pydantic import ValidationError

from analyte.contract.errors import ProfileError
from analyte.contract.sections.serve import ServeSection
from analyte.runtime.serve.server import listen
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


def ask(port: int, path: str, csrf: str | None = None) -> bytes:
    headers = {} if csrf is None else {"x-csrf-token": csrf}
    data = None if csrf is None else b""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, headers)
    with urllib.request.urlopen(request, timeout=20) as answer:
        return bytes(answer.read())


def test_a_daemon_serves_its_page_and_stops_when_told(tmp_path: Path, bundle: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (tmp_path / "f").mkdir()
    write_picture(tmp_path / "f" / "a.png", (10, 100, 200))
    profile = write_profile(tmp_path / "d.toml", measure="interval_s = 0.05")
    profile.write_text(profile.read_text() + f"\n[serve]\nport = {port}\n")
    words = [
        "--device",
        profile,
        "--bundle",
        bundle,
        "--source",
        f"sim:{tmp_path / 'f'}",
        "--store",
        tmp_path / "s",
    ]
    daemon = subprocess.Popen(
        [sys.executable, "-m", "analyte.cli", "daemon", *map(str, words)],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert daemon.stdout is not None
        assert daemon.stdout.readline(), daemon.communicate()[1]
        csrf = json.loads(ask(port, "/api/v1/session"))["csrf"]
        assert ask(port, "/api/v1/picture.jpg").startswith(b"\xff\xd8")
        assert json.loads(ask(port, "/api/v1/readings"))["readings"][0]["refused"] is False
        ask(port, "/api/v1/stop", csrf)
        assert json.loads(ask(port, "/api/v1/status"))["status"]["measuring"] is False
        ask(port, "/api/v1/measure", csrf)
    finally:
        daemon.terminate()
        daemon.communicate(timeout=20)
    assert daemon.returncode == 0
