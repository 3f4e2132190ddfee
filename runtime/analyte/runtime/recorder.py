"""Keeping and passing on readings beside the measuring, in a thread of its own.

A commit waits for the disk, tens of milliseconds on an SD card, and a sink waits for its reader. The queue
between is bounded: when it is full the measuring waits, and the camera's newer frames replace each other
meanwhile. No reading is ever dropped.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from analyte.contract.arrays import UInt8Array
from analyte.contract.errors import AnalyteError, OutputError
from analyte.contract.reading import Reading
from analyte.runtime.refused_frames import RefusedFrames
from analyte.runtime.sinks import Sink
from analyte.runtime.store.protocol import Store

QUEUE_LENGTH = 32
"""Measurements that may wait to be stored: a second or more of them at a camera's pace."""


@dataclass(slots=True)
class Tally:
    """How many readings were made."""

    readings: int = 0
    refused: int = 0

    def add(self, reading: Reading) -> None:
        """Count a reading that was stored."""
        self.readings += 1
        self.refused += reading.refused

    def __str__(self) -> str:
        return f"{self.readings} readings, {self.refused} refused"


@dataclass(frozen=True, slots=True)
class _Job:
    readings: Sequence[Reading]
    pixels: UInt8Array | None


class Recorder:
    """Stores readings in the order in which they come, then tells the sink. Used by one thread."""

    def __init__(
        self,
        store: Store,
        sink: Sink,
        tally: Tally,
        *,
        frames: RefusedFrames | None = None,
        report: Callable[[str], None] = lambda text: None,
    ) -> None:
        """``tally`` counts what was stored. ``report`` is told once when frames cannot be kept, and at the
        end of what else failed, where `check` did not raise it."""
        self._store = store
        self._sink = sink
        self._tally = tally
        self._frames = frames
        self._report = report
        self._jobs: queue.Queue[_Job | None] = queue.Queue(QUEUE_LENGTH)
        self._failure: Exception | None = None
        self._raised = False
        """Whether somebody was told of the failure."""
        self._handed, self._stored = 0, 0
        """Readings."""
        self._thread = threading.Thread(target=self._work, name="recorder")
        self._thread.start()

    def record(self, readings: Sequence[Reading], pixels: UInt8Array | None) -> None:
        """Hand over the readings of a measurement; waits while the queue is full.

        ``pixels``: the frame, uint8 ``[H, W, 3]``, BGR, kept where a reading is refused; not to be altered
        afterwards. Raises: what storing or publishing raised before; the readings of this call are then lost,
        and none of them was acknowledged.
        """
        self.check()
        self._handed += len(readings)
        self._jobs.put(_Job(readings, pixels))

    @property
    def depth(self) -> int:
        """How many measurements wait to be stored."""
        return self._jobs.qsize()

    def check(self) -> None:
        """Raise what storing or publishing raised: OutputError, IntegrityError, SinkClosed."""
        if self._failure is not None:
            self._raised = True
            raise self._failure

    def wait(self) -> None:
        """Wait until everything that was handed over is stored. Raises: as `check`."""
        self._jobs.join()
        self.check()

    def close(self) -> None:
        """Store what was handed over and end the thread; may be called twice. Raises nothing.

        A failure that shows only now is reported: the measuring may have ended for another reason.
        """
        if self._thread.is_alive():
            self._jobs.put(None)
            self._thread.join()
        if self._failure is None or self._raised:
            return
        self._raised = True
        why = self._failure.line() if isinstance(self._failure, AnalyteError) else repr(self._failure)
        lost = self._handed - self._stored
        self._report(f"{lost} readings are not stored: {why}" if lost else f"not all is passed on: {why}")

    def _work(self) -> None:
        ended = False
        while not ended:
            taken = self._take()
            jobs = [job for job in taken if job is not None]
            ended = len(jobs) < len(taken)
            if jobs and self._failure is None:
                try:
                    self._keep(jobs)
                except Exception as failure:  # noqa: BLE001 - raised again where the measuring is
                    self._failure = failure
            for _ in taken:
                self._jobs.task_done()

    def _take(self) -> list[_Job | None]:
        """Wait for a job and take those that wait behind it, too: one commit is enough for all."""
        taken = [self._jobs.get()]
        with contextlib.suppress(queue.Empty):
            while len(taken) < QUEUE_LENGTH:
                taken.append(self._jobs.get_nowait())
        return taken

    def _keep(self, jobs: Sequence[_Job]) -> None:
        readings = [reading for job in jobs for reading in self._with_frame(job)]
        self._store.append(readings)
        self._stored += len(readings)
        for reading in readings:
            self._tally.add(reading)
        for reading in readings:
            self._sink.publish(reading)

    def _with_frame(self, job: _Job) -> Sequence[Reading]:
        """Keep the frame of a refusal. One that cannot be kept must not cost the reading."""
        refused = [reading for reading in job.readings if reading.refused]
        if self._frames is None or job.pixels is None or not refused:
            return job.readings
        try:
            name = self._frames.keep(job.pixels, refused[0].captured_at, refused[0].id)
        except OutputError as error:
            self._report(f"frames of refused readings are not kept: {error.line()}")
            self._frames = None
            return job.readings
        return [replace(reading, frame_file=name) if reading.refused else reading for reading in job.readings]
