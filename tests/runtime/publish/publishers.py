"""Publishers for tests, as a profile's text makes them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from analyte.contract.profile import load_profile
from analyte.runtime.publish.access import Access
from analyte.runtime.publish.mqtt import MqttPublisher, OpenOutbox
from analyte.runtime.publish.opening import access_of
from analyte.runtime.publish.patience import Patience
from analyte.runtime.publish.state import Running
from runtime.tiny_bundles import write_profile

RUNNING = Running("bench-1", "iron", "mg/L", "ab" * 32, "onnx", "onnx", "cpu", "0.1.0")
QUICK = Patience(first_s=0.05, longest_s=0.2, lasting_s=0.3)


def access(folder: Path, port: int, *, host: str = "127.0.0.1", more: str = "") -> Access:
    """Return the access of a profile in ``folder`` with these keys of ``[mqtt]``."""
    path = write_profile(folder / "device.toml")
    path.write_text(f'{path.read_text()}\n[mqtt]\nhost = "{host}"\nport = {port}\n{more}\n')
    profile = load_profile(path)
    assert profile.mqtt is not None
    return access_of(profile, profile.mqtt, where=path)


@contextmanager
def publishing(
    to: Access, outbox: OpenOutbox, said: list[str] | None = None, *, window: int = 64
) -> Iterator[MqttPublisher]:
    lines = said if said is not None else []
    publisher = MqttPublisher(to, RUNNING, outbox, lines.append, window=window, patience=QUICK)
    try:
        yield publisher
    finally:
        publisher.close()
