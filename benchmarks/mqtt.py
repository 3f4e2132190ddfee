"""How fast a full outbox reaches a broker, and what a reading takes from the store to a subscriber.

    python benchmarks/mqtt.py [--readings 5000] [--json]

A real mosquitto on the loopback, the store in SQLite as the daemon uses it, readings of some 900 bytes, by
window: readings that may be on their way without an acknowledgement. Mosquitto itself allows 20 unless its
``max_inflight_messages`` says otherwise; here it allows 1000.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import closing
from pathlib import Path

import click

from analyte.contract.reading import Reading
from analyte.runtime.publish.access import Access
from analyte.runtime.publish.mqtt import MqttPublisher
from analyte.runtime.publish.state import Running
from analyte.runtime.publish.topics import topics_of
from analyte.runtime.store.outbox import SqliteOutbox
from analyte.runtime.store.sqlite import SqliteStore
from analyte.runtime.tables import format_table

RUNNING = Running("bench", "dye", "mg/L", "ab" * 32, "onnx-int8", "onnx", "cpu", "benchmark")
WINDOWS = (1, 8, 20, 64, 256)


def reading(number: int) -> Reading:
    return Reading(
        value=number / 8,
        unit="mg/L",
        lower=0.0,
        upper=9.0,
        coverage=0.95,
        sigma=0.5,
        flags=(),
        refused=False,
        reason=None,
        detail="",
        analyte="dye",
        source="0",
        frames=1,
        bundle="ab" * 32,
        artifact="onnx-int8",
        engine="onnx",
        provider="cpu",
        device="bench",
        captured_at="2026-01-01T00:00:00.000000+00:00",
        capture_age_ms=1.0,
        id=f"00000000-0000-4000-8000-{number:012d}",
    )


def start_broker(folder: Path) -> tuple[subprocess.Popen[bytes], int]:
    program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    config = folder / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_inflight_messages 1000\n")
    broker = subprocess.Popen([program, "-c", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return broker, port


def seconds_to_empty(store: Path, port: int, window: int, readings: int) -> float:
    """Return how long a receiver that is new takes to get everything, seconds."""
    topics = topics_of("analyte", "bench")
    access = Access("127.0.0.1", port, f"w{window}", None, None, None, 30, 0, topics, b"{}")
    publisher = MqttPublisher(
        access, RUNNING, lambda: closing(SqliteOutbox(store, f"w{window}")), lambda text: None, window=window
    )
    while not publisher.status().acknowledged:
        time.sleep(0.0005)
    first, start_s = publisher.status().acknowledged, time.monotonic()
    while publisher.status().acknowledged < readings:
        time.sleep(0.0005)
    taken_s = time.monotonic() - start_s
    publisher.close()
    return taken_s * readings / (readings - first)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--readings", default=5000, show_default=True)
@click.option("--json", "as_json", is_flag=True)
def main(readings: int, as_json: bool) -> None:
    """Measure the throughput."""
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        store = SqliteStore(folder / "s.sqlite")
        store.append([reading(number) for number in range(readings)])
        broker, port = start_broker(folder)
        try:
            taken_s = {
                window: seconds_to_empty(folder / "s.sqlite", port, window, readings) for window in WINDOWS
            }
        finally:
            broker.terminate()
            broker.wait()
            store.close()
    rates = {window: readings / seconds for window, seconds in taken_s.items()}
    if as_json:
        print(json.dumps({"readings": readings, "per_second": rates}))
        return
    rows = [(str(window), f"{rate:.0f}") for window, rate in rates.items()]
    print(format_table(("window", "readings per second"), rows, right=frozenset({0, 1})))


if __name__ == "__main__":
    main()
