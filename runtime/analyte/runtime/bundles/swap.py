"""A new bundle beside the running one: tried on the same frames, then in its place or not; the way back."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from analyte.contract.errors import AnalyteError, OutputError
from analyte.contract.event import Event, JsonValue, Role
from analyte.contract.reading import Reading
from analyte.runtime.bundles.runner import Runner
from analyte.runtime.bundles.shadow import ShadowLimits, ShadowReport
from analyte.runtime.bundles.shelf import Shelf
from analyte.runtime.sources.protocol import BadFrame, Frame
from analyte.runtime.store.protocol import Trail

LOOK_EVERY_S = 0.5
"""How often the shelf is looked at: a file's time, no more, while nothing changes."""

OpenRunner = Callable[[Path], Runner]


@dataclass(slots=True)
class _Trial:
    """A candidate on the same frames as the running bundle."""

    runner: Runner
    report: ShadowReport
    judged: bool = False
    """Whether the limits were looked at; what is left to a person goes on being compared."""


class BundleSwap:
    """Looks after the shelf for the measuring loop; every method is for that one thread.

    Opening and proving a bundle takes a second: it happens in a thread of its own, beside the measuring.
    """

    def __init__(
        self,
        shelf: Shelf,
        running: Runner,
        open_runner: OpenRunner,
        trail: Trail,
        *,
        shadow_readings: int,
        limits: ShadowLimits | None,
        switched: Callable[[str], None],
        report: Callable[[str], None],
    ) -> None:
        """``limits``: when a candidate takes over by itself; None leaves it to a person. ``switched`` is told
        the id of the bundle that measures from now on."""
        self._shelf = shelf
        self.running = running
        """What measures now."""
        self._open_runner = open_runner
        self._trail = trail
        self._shadow_readings = shadow_readings
        self._limits = limits
        self._switched = switched
        self._report = report
        self._opening: tuple[str, Future[Runner]] | None = None
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="bundle")
        self._trial: _Trial | None = None
        self._before: Runner | None = None
        """What ran before the last take-over: still open, until the new one has proven itself."""
        self._since_swap = 0
        self._rejected: str | None = None
        self.verdict = ""
        """Why the newest candidate was rejected; empty where it was not."""
        self._looked_s = 0.0
        self._stamp: tuple[int, int] | None = None

    @property
    def shadow(self) -> ShadowReport | None:
        """How the candidate compares so far; None without one."""
        return None if self._trial is None else self._trial.report

    @property
    def candidate(self) -> str | None:
        """Id of the bundle that is tried; None without one. May be asked for by any thread."""
        trial = self._trial
        return None if trial is None else trial.runner.bundle.id

    def measure_all(self, frame: Frame) -> list[Reading]:
        """Measure a frame with the running bundle, and with the candidate beside it; see `Pipeline`.

        A bundle that fails in its first readings is left for the one before, which then measures the frame.
        Raises: as `Pipeline.measure_all`.
        """
        try:
            readings = self.running.pipeline.measure_all(frame)
        except AnalyteError as error:
            if not self._fall_back(error):
                raise
            readings = self.running.pipeline.measure_all(frame)
        self._after(frame, readings)
        return readings

    def refuse_all(self, frames: Sequence[Frame | BadFrame]) -> list[Reading]:
        """Return the refused readings of frames that cannot be measured; see `Pipeline`."""
        return self.running.pipeline.refuse_all(frames)

    def _after(self, frame: Frame, readings: Sequence[Reading]) -> None:
        """Take notice of what the running bundle made of a frame; `running` may be another one afterwards."""
        self._since_swap += 1
        if self._before is not None and self._since_swap > self._shadow_readings:
            self._before.close()
            self._before = None
        if self._trial is not None:
            self._compare(self._trial, frame, readings)
        self._look()

    def _fall_back(self, error: AnalyteError) -> bool:
        """Go back to the bundle before when the new one fails in its first readings.

        Returns: whether there was a way back; without one, ``error`` is for the caller to raise.
        """
        if self._before is None:
            return False
        failed = self.running
        self.running, self._before = self._before, None
        self._shelf.activate(self.running.bundle.id)
        self._switched(self.running.bundle.id)
        self._note("bundle.rolled_back", failed.bundle.id, self.running.bundle.id, error.line())
        self._rejected = failed.bundle.id
        failed.close()
        return True

    def close(self) -> None:
        """Release every bundle, the running one too; may be called twice."""
        self._executor.shutdown(wait=True)
        if self._opening is not None:
            opened = self._opening[1]
            if not opened.cancelled() and opened.exception() is None:
                opened.result().close()
            self._opening = None
        for runner in (self._trial.runner if self._trial else None, self._before, self.running):
            if runner is not None:
                runner.close()
        self._trial = self._before = None

    def _look(self) -> None:
        """See what the shelf says and what has been opened."""
        if self._opening is not None:
            self._take_opened(*self._opening)
            return
        if time.monotonic() - self._looked_s < LOOK_EVERY_S:
            return
        self._looked_s = time.monotonic()
        stamp = self._shelf.stamp()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            state = self._shelf.state()
        except AnalyteError as error:
            self._report(f"the shelf of bundles cannot be read: {error.line()}")
            return
        if state.active is not None and state.active != self.running.bundle.id:
            self._open(state.active)
        elif self._trial is not None and state.candidate != self._trial.runner.bundle.id:
            self._end_trial()
        if state.candidate not in (None, self._rejected) and self._trial is None and self._opening is None:
            self._open(str(state.candidate))

    def _open(self, bundle_id: str) -> None:
        self._end_trial()
        self.verdict = ""
        future = self._executor.submit(self._open_runner, self._shelf.path(bundle_id))
        self._opening = (bundle_id, future)

    def _take_opened(self, bundle_id: str, future: Future[Runner]) -> None:
        if not future.done():
            return
        self._opening = None
        # The shelf may say otherwise by now.
        self._stamp = None
        error = future.exception()
        if isinstance(error, AnalyteError):
            self._reject(bundle_id, error.line())
        elif error is not None:
            raise error
        elif bundle_id == self._shelf.state().active:
            self._take_over(future.result(), "by a person")
        else:
            self._trial = _Trial(future.result(), ShadowReport())
            self._note("bundle.trial_started", self.running.bundle.id, bundle_id, "")

    def _compare(self, trial: _Trial, frame: Frame, readings: Sequence[Reading]) -> None:
        try:
            shadows = trial.runner.pipeline.measure_all(frame)
        except AnalyteError as error:
            self._reject(trial.runner.bundle.id, error.line())
            return
        for old, new in zip(readings, shadows, strict=False):
            trial.report.add(old, new)
        if trial.judged or trial.report.compared + trial.report.refused_by_new < self._shadow_readings:
            return
        trial.judged = True
        found = trial.report.to_json()
        if self._limits is None:
            self._note("bundle.trial_waits", self.running.bundle.id, trial.runner.bundle.id, "", found)
            return
        unit = trial.runner.bundle.manifest.label.unit
        objection = self._limits.objection(trial.report, unit)
        if objection is not None:
            self._reject(trial.runner.bundle.id, objection, found)
            return
        runner, self._trial = trial.runner, None
        self._shelf.activate(runner.bundle.id)
        self._take_over(runner, "the trial met its limits", found)

    def _take_over(self, runner: Runner, why: str, found: JsonValue = None) -> None:
        self._note("bundle.promoted", self.running.bundle.id, runner.bundle.id, why, found)
        if self._before is not None:
            self._before.close()
        self._before, self.running, self._since_swap = self.running, runner, 0
        self._switched(runner.bundle.id)

    def _reject(self, bundle_id: str, why: str, found: JsonValue = None) -> None:
        self._end_trial()
        self._rejected = bundle_id
        self.verdict = f"{bundle_id[:16]} was rejected: {why}"
        state = self._shelf.state()
        if state.candidate == bundle_id:
            self._shelf.withdraw()
        elif state.active == bundle_id:
            self._shelf.activate(self.running.bundle.id)
        self._note("bundle.rejected", self.running.bundle.id, bundle_id, why, found)

    def _end_trial(self) -> None:
        if self._trial is not None:
            self._trial.runner.close()
            self._trial = None

    def _note(self, what: str, old: str, new: str, why: str, found: JsonValue = None) -> None:
        self._report(f"{what}: {new[:16]} beside {old[:16]}{': ' if why else ''}{why}")
        value: JsonValue = new if found is None else {"bundle": new, "shadow": found}
        at = datetime.now(UTC).isoformat(timespec="microseconds")
        event = Event(at, "device", Role.DEVICE, what, why, old, value, str(uuid.uuid4()))
        try:
            self._trail.add(event)
        except OutputError as error:
            self._report(f"not in the audit trail: {error.line()}")
