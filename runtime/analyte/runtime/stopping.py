"""SIGTERM and SIGINT as a wish to stop, not as an interruption."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SLICE_S = 0.1


class StopRequest:
    """Whether a signal asked to stop. A plain attribute: a lock taken in a signal handler could deadlock."""

    def __init__(self) -> None:
        self.signal_name: str | None = None

    def __bool__(self) -> bool:
        return self.signal_name is not None

    def wait(self, seconds: float) -> None:
        """Sleep, but not on after a stop was asked for."""
        end = time.monotonic() + seconds
        while not self and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, _SLICE_S))


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Turn SIGTERM and SIGINT into a stop request for the length of the block; main thread only."""
    request = StopRequest()

    def handle(number: int, frame: FrameType | None) -> None:
        request.signal_name = signal.Signals(number).name

    before: dict[signal.Signals, Callable[..., object] | int | None] = {
        number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
