"""Brokers that refuse, and brokers that are not to be trusted: said plainly and once, and nothing is lost."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from runtime.publish.brokers import Broker, broker, needs_mosquitto, subscriber, until
from runtime.publish.certificates import Authority, authority
from runtime.publish.outboxes import MemoryOutbox
from runtime.publish.publishers import access, publishing

pytestmark = needs_mosquitto
SECRET = "s3cret-w0rd"
LOST = "the connection to the broker is lost"


@pytest.fixture
def lab(tmp_path: Path) -> Authority:
    return authority(tmp_path / "lab.pem")


def tls_config(files: tuple[Path, Path], *more: str) -> str:
    return "\n".join(("allow_anonymous true", f"certfile {files[0]}", f"keyfile {files[1]}", *more))


def write_password(folder: Path, text: str = SECRET) -> Path:
    path = folder / "password"
    path.write_text(f"{text}\n")
    path.chmod(0o600)
    return path


def fails(folder: Path, b: Broker, more: str, *, host: str = "127.0.0.1") -> str:
    """Return what the status says after three attempts; nothing may be lost, and it may be said only once."""
    outbox, said = MemoryOutbox(3), list[str]()
    with publishing(access(folder, b.port, host=host, more=more), outbox.opened, said) as publisher:
        until(lambda: publisher.attempts >= 3, "three attempts")
        status = publisher.status()
    assert (outbox.depth(), status.connected, status.acknowledged) == (3, False, 0)
    # Mosquitto closes behind a refusal: what was on its way may hide it once.
    lines = [line for line in said if f"{LOST};" not in line]
    assert len(lines) == 1, said
    assert status.last_error in lines[0]
    assert SECRET not in repr(status) + "".join(said)
    return status.last_error


class TestEncryption:
    def test_good_certificate(self, tmp_path: Path, lab: Authority) -> None:
        outbox = MemoryOutbox(50)
        config = tls_config(lab.issue(tmp_path / "broker", "127.0.0.1"))
        with (
            broker(tmp_path / "b", config) as b,
            subscriber(b.port, setup=lambda c: c.tls_set(str(lab.file))) as found,
            publishing(access(tmp_path, b.port, more='tls = { ca = "lab.pem" }'), outbox.opened),
        ):
            until(lambda: len(found.readings) == 50, "the readings")
        assert found.readings == list(range(1, 51))

    def test_certificate_of_another_authority(self, tmp_path: Path, lab: Authority) -> None:
        other = authority(tmp_path / "other.pem")
        with broker(tmp_path / "b", tls_config(other.issue(tmp_path / "broker", "127.0.0.1"))) as b:
            error = fails(tmp_path, b, 'tls = { ca = "lab.pem" }')
        assert error.startswith("the broker's certificate is not trusted")

    def test_certificate_that_the_system_does_not_know(self, tmp_path: Path, lab: Authority) -> None:
        with broker(tmp_path / "b", tls_config(lab.issue(tmp_path / "broker", "127.0.0.1"))) as b:
            assert "not trusted" in fails(tmp_path, b, "tls = {}")

    def test_certificate_of_another_host(self, tmp_path: Path, lab: Authority) -> None:
        with broker(tmp_path / "b", tls_config(lab.issue(tmp_path / "broker", "broker.lab"))) as b:
            error = fails(tmp_path, b, 'tls = { ca = "lab.pem" }')
        assert "not trusted" in error
        assert "127.0.0.1" in error

    def test_certificate_that_has_expired(self, tmp_path: Path, lab: Authority) -> None:
        with broker(tmp_path / "b", tls_config(lab.issue(tmp_path / "broker", "127.0.0.1", days=-1))) as b:
            assert "expired" in fails(tmp_path, b, 'tls = { ca = "lab.pem" }')

    def test_device_without_tls(self, tmp_path: Path, lab: Authority) -> None:
        with broker(tmp_path / "b", tls_config(lab.issue(tmp_path / "broker", "127.0.0.1"))) as b:
            assert fails(tmp_path, b, "").endswith("does it demand TLS?")

    def test_broker_without_tls(self, tmp_path: Path, lab: Authority) -> None:
        with broker(tmp_path / "b") as b:
            fails(tmp_path, b, 'tls = { ca = "lab.pem" }')

    def test_certificate_of_the_device(self, tmp_path: Path, lab: Authority) -> None:
        config = tls_config(
            lab.issue(tmp_path / "broker", "127.0.0.1"), f"cafile {lab.file}", "require_certificate true"
        )
        lab.issue(tmp_path / "device", "bench-1")
        outbox = MemoryOutbox(3)
        mine = 'tls = { ca = "lab.pem", certificate = "device.crt", key = "device.key" }'
        with broker(tmp_path / "b", config) as b:
            assert fails(tmp_path, b, 'tls = { ca = "lab.pem" }').endswith("a certificate of the device?")
            with publishing(access(tmp_path, b.port, more=mine), outbox.opened):
                until(lambda: outbox.depth() == 0, "an empty outbox")


class TestPassword:
    @pytest.fixture
    def config(self, tmp_path: Path) -> str:
        tool = shutil.which("mosquitto_passwd")
        if tool is None:
            pytest.skip("mosquitto_passwd is not installed")
        subprocess.run([tool, "-c", "-b", tmp_path / "users", "bench", SECRET], check=True, timeout=30)
        return f"allow_anonymous false\npassword_file {tmp_path / 'users'}"

    @pytest.mark.parametrize("given", ["wrong-one", None])
    def test_wrong_or_none(self, tmp_path: Path, config: str, given: str | None) -> None:
        more = ""
        if given is not None:
            write_password(tmp_path, given)
            more = 'username = "bench"\npassword_file = "password"'
        with broker(tmp_path / "b", config) as b:
            error = fails(tmp_path, b, more)
        assert "user name" in error
        assert "wrong-one" not in error

    def test_right(self, tmp_path: Path, config: str) -> None:
        write_password(tmp_path)
        outbox = MemoryOutbox(3)
        more = 'username = "bench"\npassword_file = "password"'
        with broker(tmp_path / "b", config) as b:
            to = access(tmp_path, b.port, more=more)
            assert SECRET not in repr(to)
            with publishing(to, outbox.opened):
                until(lambda: outbox.depth() == 0, "an empty outbox")


class TestTopicThatMayNotBeWritten:
    @pytest.mark.parametrize("topic", ["readings", "state"])
    def test_refused_is_not_acknowledged(self, tmp_path: Path, topic: str) -> None:
        other = {"readings": "state", "state": "readings"}[topic]
        rights = tmp_path / "rights"
        rights.write_text(f"topic write analyte/bench-1/{other}\n")
        with broker(tmp_path / "b", f"allow_anonymous true\nacl_file {rights}") as b:
            error = fails(tmp_path, b, "")
        assert error == (
            f"the broker does not let this device write (topic analyte/bench-1/{topic}) [reason code 0x87]"
        )

    def test_allowed_later_arrives_in_order(self, tmp_path: Path) -> None:
        rights = tmp_path / "rights"
        rights.write_text("topic write analyte/bench-1/state\ntopic read analyte/#\n")
        outbox = MemoryOutbox(200)
        with (
            broker(tmp_path / "b", f"allow_anonymous true\nacl_file {rights}") as b,
            subscriber(b.port) as found,
            publishing(access(tmp_path, b.port), outbox.opened) as publisher,
        ):
            until(lambda: publisher.attempts >= 2, "two attempts")
            rights.write_text("topic readwrite analyte/#\n")
            b.reload()
            until(lambda: len(found.readings) == 200, "the readings")
            until(lambda: publisher.status().last_error == "", "a mended status")
        assert found.readings == list(range(1, 201))


def test_two_devices_of_one_client_id(tmp_path: Path) -> None:
    with broker(tmp_path / "b") as b:
        first, second = MemoryOutbox(1), MemoryOutbox(1)
        with publishing(access(tmp_path, b.port), first.opened) as one:
            until(lambda: first.depth() == 0, "the first's reading")
            with publishing(access(tmp_path, b.port), second.opened):
                until(
                    lambda: "does another client use the client id 'bench-1'?" in one.status().last_error,
                    "an error",
                )


def test_something_else_listens_there(tmp_path: Path) -> None:
    """A server that speaks first, and not MQTT."""
    outbox, said = MemoryOutbox(2), list[str]()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        threading.Thread(target=greet, daemon=True).start()
        with publishing(access(tmp_path, server.getsockname()[1]), outbox.opened, said) as publisher:
            until(lambda: publisher.attempts >= 3, "three attempts")
        server.shutdown(socket.SHUT_RDWR)
    assert outbox.depth() == 2
    assert len(said) == 1


def test_outbox_that_fails_is_said_and_opened_again(tmp_path: Path) -> None:
    outbox, said = MemoryOutbox(5), list[str]()
    failures = iter([OSError("the disk is gone")])
    plain = outbox.acknowledge

    def acknowledge(up_to: int) -> None:
        for failure in failures:
            raise failure
        plain(up_to)

    outbox.acknowledge = acknowledge  # type: ignore[method-assign]
    with broker(tmp_path / "b") as b, subscriber(b.port) as found:
        with publishing(access(tmp_path, b.port), outbox.opened, said):
            until(lambda: outbox.depth() == 0, "an empty outbox")
        until(lambda: len(found.readings) == 5, "the readings")
    assert found.readings == [1, 2, 3, 4, 5]
    assert any("the outbox cannot be used: OSError: the disk is gone" in line for line in said)
