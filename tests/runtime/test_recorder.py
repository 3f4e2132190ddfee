"""Readings beside the measuring: in order, none lost, nobody told before they are stored."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from analyte.contract.errors import OutputError
from analyte.contract.reading import Reading, Reason
from analyte.runtime.recorder import QUEUE_LENGTH, Recorder, Tally
from analyte.runtime.refused_frames import RefusedFrames
from analyte.runtime.sinks import SinkClosed
from runtime.store.readings import reading

PIXELS = np.full((8, 9, 3), 7, np.uint8)


class Ledger:
    """A store and a sink that write down what they were told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []
        self.stored: list[Reading] = []
        self.gate = threading.Event()
        self.gate.set()
        self.failure: Exception | None = None
        self.commits = 0

    def append(self, readings: Sequence[Reading]) -> None:
        self.gate.wait(10.0)
        if self.failure is not None:
            raise self.failure
        self.commits += 1
        self.stored += readings
        self.told += [("stored", one.id) for one in readings]

    def publish(self, one: Reading) -> None:
        self.told.append(("published", one.id))

    def close(self) -> None:
        pass


@contextmanager
def recording(ledger: Ledger, **more: object) -> Iterator[tuple[Recorder, Tally]]:
    tally = Tally()
    recorder = Recorder(ledger, ledger, tally, **more)  # type: ignore[arg-type]
    try:
        yield recorder, tally
    finally:
        ledger.gate.set()
        recorder.close()
        recorder.close()


def test_stored_before_published_and_in_order() -> None:
    ledger = Ledger()
    with recording(ledger) as (recorder, tally):
        recorder.record([reading(1), reading(2, refused=True)], None)
        recorder.wait()
        recorder.record([reading(3)], None)
        recorder.wait()
        ids = [reading(number).id for number in (1, 2, 3)]
        assert ledger.told == [
            ("stored", ids[0]), ("stored", ids[1]), ("published", ids[0]), ("published", ids[1]),
            ("stored", ids[2]), ("published", ids[2]),
        ]  # fmt: skip
        assert (tally.readings, tally.refused) == (3, 1)


def test_what_waits_is_stored_in_one_commit() -> None:
    ledger = Ledger()
    ledger.gate.clear()
    with recording(ledger) as (recorder, _):
        for number in range(20):
            recorder.record([reading(number)], None)
        ledger.gate.set()
        recorder.wait()
        assert ledger.commits <= 2
        assert [one.id for one in ledger.stored] == [reading(number).id for number in range(20)]


def test_what_was_handed_over_is_stored_at_the_end() -> None:
    ledger = Ledger()
    with recording(ledger) as (recorder, _):
        for number in range(20):
            recorder.record([reading(number)], None)
    assert [one.id for one in ledger.stored] == [reading(number).id for number in range(20)]


def test_slow_disk_holds_the_measuring_up_and_loses_nothing() -> None:
    ledger = Ledger()
    ledger.gate.clear()
    wanted = 2 * QUEUE_LENGTH + 5  # As many are being stored and as many wait.
    with recording(ledger) as (recorder, _):
        done = threading.Event()

        def measure() -> None:
            for number in range(wanted):
                recorder.record([reading(number)], None)
            done.set()

        thread = threading.Thread(target=measure)
        thread.start()
        assert not done.wait(0.2)
        ledger.gate.set()
        assert done.wait(10.0)
        thread.join()
        recorder.wait()
    assert [one.id for one in ledger.stored] == [reading(number).id for number in range(wanted)]


@pytest.mark.parametrize("failure", [OutputError("the disk is full"), SinkClosed("the reader is gone")])
def test_failure_reaches_the_measuring(failure: Exception) -> None:
    ledger = Ledger()
    ledger.failure = failure
    with recording(ledger) as (recorder, tally):
        recorder.record([reading(1)], None)
        with pytest.raises(type(failure)):
            recorder.wait()
        with pytest.raises(type(failure), match=str(failure)):
            recorder.record([reading(2)], None)
        assert tally.readings == 0
    assert ledger.told == []


def test_failure_after_the_measuring_ended_is_reported() -> None:
    """The camera is lost while readings wait for a disk that is full: nobody asks the recorder any more."""
    ledger, said = Ledger(), list[str]()
    ledger.gate.clear()
    ledger.failure = OutputError("the disk is full")
    with recording(ledger, report=said.append) as (recorder, _):
        recorder.record([reading(1), reading(2)], None)
        recorder.record([reading(3)], None)
    assert said == ["3 readings are not stored: the disk is full"]


def test_failure_that_was_raised_is_not_reported_as_well() -> None:
    ledger, said = Ledger(), list[str]()
    ledger.failure = OutputError("the disk is full")
    with recording(ledger, report=said.append) as (recorder, _):
        recorder.record([reading(1)], None)
        with pytest.raises(OutputError):
            recorder.wait()
    assert said == []


def refused(number: int) -> Reading:
    return replace(reading(number, refused=True), reason=Reason.MOVED)


def test_frame_of_a_refusal_is_kept(tmp_path: Path) -> None:
    ledger = Ledger()
    with recording(ledger, frames=RefusedFrames(tmp_path, 10**6)) as (recorder, _):
        recorder.record([reading(1)], PIXELS)
        recorder.record([refused(2), reading(3)], PIXELS)
    good, bad, beside = ledger.stored
    assert (good.frame_file, beside.frame_file) == ("", "")
    assert [path.name for path in tmp_path.iterdir()] == [bad.frame_file]


def test_frame_that_cannot_be_kept_costs_no_reading(tmp_path: Path) -> None:
    ledger, said = Ledger(), list[str]()
    with recording(ledger, frames=RefusedFrames(tmp_path, 10), report=said.append) as (recorder, _):
        for number in range(3):
            recorder.record([refused(number)], PIXELS)
    assert [one.frame_file for one in ledger.stored] == ["", "", ""]
    assert len(said) == 1
    assert "refused_frames_mb" in said[0]
