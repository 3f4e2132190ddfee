"""A real mosquitto on a free port of the loopback, and a subscriber that notes what it gets."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

MOSQUITTO = shutil.which("mosquitto") or shutil.which("/usr/sbin/mosquitto")
PATIENCE_S = 30.0
needs_mosquitto = pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        assert isinstance(port, int)
        return port


def until(holds: Callable[[], object], what: str) -> None:
    """Wait until something holds; fails after a time that only a broken program needs."""
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end, f"waited in vain: {what}"
        time.sleep(0.01)


class Broker:
    """Keeps sessions and what waits for them over a stop, as a broker in use would be set to do."""

    def __init__(self, folder: Path, config: str = "allow_anonymous true") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = free_port()
        self._file = folder / "mosquitto.conf"
        self._file.write_text(
            f"user root\nlistener {self.port} 127.0.0.1\npersistence true\npersistence_location {folder}/\n"
            f"max_queued_messages 0\n{config}\n"
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        assert MOSQUITTO is not None
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen([MOSQUITTO, "-c", self._file], stdout=log, stderr=log)
        until(self._listens, "mosquitto listens")

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / "log").read_text()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def reload(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)


@contextmanager
def broker(folder: Path, config: str = "allow_anonymous true") -> Iterator[Broker]:
    made = Broker(folder, config)
    made.start()
    try:
        yield made
    finally:
        made.stop()


@dataclass
class Message:
    topic: str
    body: dict[str, Any]
    retained: bool
    content_type: str
    about: dict[str, str]


@dataclass
class Subscriber:
    """Everything that came, in its order; ``readings`` passes over ids that it knows, as receivers should."""

    messages: list[Message] = field(default_factory=list)

    def of(self, topic: str) -> list[Message]:
        return [message for message in self.messages if message.topic.endswith(topic)]

    @property
    def readings(self) -> list[int]:
        """Sequence numbers by first arrival."""
        seen: dict[str, int] = {}
        for message in self.of("/readings"):
            assert message.about["id"] == message.body["id"]
            seen.setdefault(message.about["id"], int(message.about["sequence"]))
        return list(seen.values())

    @property
    def states(self) -> list[str]:
        return [message.body["state"] for message in self.of("/state")]


@contextmanager
def subscriber(
    port: int,
    topic: str = "analyte/#",
    setup: Callable[[Client], None] = lambda client: None,
    name: str = "subscriber",
) -> Iterator[Subscriber]:
    """Subscribe with a session that the broker keeps while the subscriber cannot be reached."""
    found, ready = Subscriber(), threading.Event()
    client = Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=MQTTProtocolVersion.MQTTv5)
    client.reconnect_delay_set(0.05, 0.2)  # type: ignore[arg-type]

    def on_message(_: Client, __: object, message: MQTTMessage) -> None:
        properties = message.properties
        found.messages.append(
            Message(
                message.topic,
                json.loads(message.payload),
                message.retain,
                getattr(properties, "ContentType", ""),
                dict(getattr(properties, "UserProperty", [])),
            )
        )

    client.on_message = on_message

    def on_connect(*_: object) -> None:
        client.subscribe(topic, qos=1)

    client.on_connect = on_connect
    client.on_subscribe = lambda *_: ready.set()
    setup(client)
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = 3600
    client.connect("127.0.0.1", port, clean_start=False, properties=properties)
    client.loop_start()
    try:
        assert ready.wait(PATIENCE_S)
        yield found
    finally:
        client.disconnect()
        client.loop_stop()
