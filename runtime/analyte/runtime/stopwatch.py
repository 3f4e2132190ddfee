"""How long each stage of a reading took."""

from __future__ import annotations

import time


class Stopwatch:
    """Runs from its creation; each lap is what passed since the one before."""

    __slots__ = ("_last", "_start", "laps_ms")

    def __init__(self) -> None:
        self._start = self._last = time.perf_counter()
        self.laps_ms: dict[str, float] = {}
        """Milliseconds by stage."""

    def lap(self, stage: str) -> None:
        """Give what passed since the last lap to ``stage``."""
        now = time.perf_counter()
        self.laps_ms[stage] = self.laps_ms.get(stage, 0.0) + 1e3 * (now - self._last)
        self._last = now

    def latency_ms(self) -> dict[str, float]:
        """Return milliseconds by stage, and in ``total`` since the start."""
        return {**self.laps_ms, "total": 1e3 * (time.perf_counter() - self._start)}
