"""Readings on their way to a real broker: order, acknowledgement, state, and a broker that comes and goes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from runtime.publish.brokers import Broker, broker, needs_mosquitto, subscriber, until
from runtime.publish.outboxes import FileOutbox, MemoryOutbox, waiting
from runtime.publish.publishers import RUNNING, access, publishing

pytestmark = needs_mosquitto
TESTS = Path(__file__).parents[2]


def test_readings_arrive_in_order_and_leave_the_outbox(tmp_path: Path) -> None:
    outbox = MemoryOutbox(300)
    with broker(tmp_path / "b") as b, subscriber(b.port) as found:
        with publishing(access(tmp_path, b.port), outbox.opened) as publisher:
            until(lambda: len(found.readings) == 300, "the readings that waited")
            outbox.add(10)
            until(lambda: len(found.readings) == 310, "those that came later")
            until(lambda: outbox.depth() == 0, "an empty outbox")
            until(lambda: publisher.status().waiting == 0, "a status that says so")
            status = publisher.status()
        assert found.readings == list(range(1, 311))
    assert (status.connected, status.acknowledged, status.last_error, status.note) == (True, 310, "", "")
    assert status.broker == f"127.0.0.1:{b.port}"
    first = found.of("/readings")[0]
    assert first.topic == "analyte/bench-1/readings"
    assert (first.content_type, first.retained) == ("application/json", False)
    assert first.about == {"id": waiting(1).id, "sequence": "1"}


class TestState:
    def test_birth_and_clean_end(self, tmp_path: Path) -> None:
        with broker(tmp_path / "b") as b, subscriber(b.port) as found:
            with publishing(access(tmp_path, b.port), MemoryOutbox().opened):
                until(lambda: found.states == ["online"], "the birth")
            until(lambda: len(found.states) == 2, "the end")
        birth, end = (message.body for message in found.of("/state"))
        assert birth == {
            "state": "online",
            **{name: getattr(RUNNING, name) for name in RUNNING.__slots__},
        }
        assert end == {"state": "offline", "device": "bench-1", "why": "stopped"}

    def test_is_retained_for_who_comes_later(self, tmp_path: Path) -> None:
        with broker(tmp_path / "b") as b, publishing(access(tmp_path, b.port), MemoryOutbox(1).opened) as p:
            until(lambda: p.status().acknowledged == 1, "a reading")
            with subscriber(b.port) as found:
                until(lambda: found.messages, "the state")
        (state,) = found.of("/state")
        assert (state.retained, state.body["state"]) == (True, "online")

    def test_last_will_of_a_process_that_was_killed(self, tmp_path: Path) -> None:
        FileOutbox(tmp_path / "outbox.sqlite").close()
        with broker(tmp_path / "b") as b, subscriber(b.port) as found:
            process = start_process(tmp_path, b)
            until(lambda: found.states == ["online"], "the birth")
            process.kill()
            process.communicate()
            until(lambda: len(found.states) == 2, "the will")
        will = found.of("/state")[1]
        assert will.body == {"state": "offline", "device": "bench-1", "why": "lost"}

    def test_no_will_for_a_device_that_is_back_in_time(self, tmp_path: Path) -> None:
        FileOutbox(tmp_path / "outbox.sqlite").close()
        to = access(tmp_path, 1, more="offline_after_s = 600")
        assert to.offline_after_s == 600
        with broker(tmp_path / "b") as b, subscriber(b.port) as found:
            to = access(tmp_path, b.port, more="offline_after_s = 600")
            for number in (1, 2):
                process = start_process(tmp_path, b, more="offline_after_s = 600")
                until(lambda n=number: len(found.states) == n, "the birth")
                process.kill()
                process.communicate()
        assert found.states == ["online", "online"]


class TestBrokerThatComesAndGoes:
    def test_is_not_there_yet(self, tmp_path: Path) -> None:
        outbox, said = MemoryOutbox(5), list[str]()
        with broker(tmp_path / "b") as b, subscriber(b.port) as found:
            b.stop()
            with publishing(access(tmp_path, b.port), outbox.opened, said) as publisher:
                until(lambda: publisher.status().last_error, "an error")
                until(lambda: publisher.status().waiting == 5, "a count")
                assert "Connection refused" in publisher.status().last_error
                assert not publisher.status().connected
                b.start()
                until(lambda: found.readings == [1, 2, 3, 4, 5], "the readings")
                until(lambda: publisher.status().last_error == "", "a mended status")
        assert len(said) == 2, said
        assert "they wait in the store" in said[0]
        assert said[1] == f"mqtt: readings are sent to 127.0.0.1:{b.port}, topic analyte/bench-1/readings"

    def test_is_stopped_and_started_in_the_midst(self, tmp_path: Path) -> None:
        outbox = MemoryOutbox(2000)
        with (
            broker(tmp_path / "b") as b,
            subscriber(b.port) as found,
            publishing(access(tmp_path, b.port), outbox.opened),
        ):
            for stop_at in (300, 900):
                until(lambda n=stop_at: outbox.gone > n, "some progress")
                b.stop()
                outbox.add(500)
                b.start()
            until(lambda: len(found.readings) == 3000, "everything")
            until(lambda: outbox.depth() == 0, "an empty outbox")
        assert found.readings == list(range(1, 3001))

    def test_end_without_a_broker_is_quick_and_loses_nothing(self, tmp_path: Path) -> None:
        outbox = MemoryOutbox(7)
        with broker(tmp_path / "b") as b:
            b.stop()
            with publishing(access(tmp_path, b.port), outbox.opened) as publisher:
                until(lambda: publisher.status().last_error, "an error")
        assert outbox.depth() == 7


def start_process(folder: Path, b: Broker, more: str = "") -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "runtime.publish.publisher_process", str(folder), str(b.port), more],
        env=os.environ | {"PYTHONPATH": f"{TESTS}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    return process


def test_broker_down_for_thousands_and_process_killed_twice(tmp_path: Path) -> None:
    outbox = FileOutbox(tmp_path / "outbox.sqlite")
    with broker(tmp_path / "b") as b, subscriber(b.port) as found:
        b.stop()
        outbox.add(1, 3000)
        process = start_process(tmp_path, b)
        process.kill()  # with the broker down
        process.communicate()
        outbox.add(3001, 1000)
        process = start_process(tmp_path, b)
        b.start()
        until(lambda: len(found.readings) > 500, "the first ones")
        process.kill()  # with readings on their way
        process.communicate()
        assert 0 < outbox.depth() < 4000
        process = start_process(tmp_path, b)
        until(lambda: len(found.readings) == 4000, "everything")
        until(lambda: outbox.depth() == 0, "an empty outbox")
        process.communicate("")
    assert process.returncode == 0
    outbox.close()
    assert found.readings == list(range(1, 4001))


def test_nobody_listens_is_said_once(tmp_path: Path) -> None:
    outbox, said = MemoryOutbox(20), list[str]()
    with broker(tmp_path / "b") as b, publishing(access(tmp_path, b.port), outbox.opened, said) as publisher:
        until(lambda: outbox.depth() == 0, "an empty outbox")
        until(lambda: publisher.status().note, "a note")
        assert "nobody subscribes to analyte/bench-1/readings" in publisher.status().note
        with subscriber(b.port):
            outbox.add(1)
            until(lambda: not publisher.status().note, "no note")
    assert sum("nobody subscribes" in line for line in said) == 1
    assert sum("somebody subscribes" in line for line in said) == 1
