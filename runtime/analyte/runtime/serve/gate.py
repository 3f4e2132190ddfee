"""Between page and measuring: whether to measure, and the newest frame."""

from __future__ import annotations

import threading

from analyte.contract.reading import Reading
from analyte.runtime.serve.events import Broker
from analyte.runtime.serve.metrics import Figures
from analyte.runtime.sinks import Sink
from analyte.runtime.sources.protocol import BadFrame, Frame, FrameSource

_SLICE_S = 0.1


class Gate:
    """Start, stop and measure now, as the measuring loop's pause between two readings."""

    def __init__(self) -> None:
        self._now = threading.Event()
        self.measuring = True

    def ask(self) -> None:
        """Let the next reading begin at once."""
        self._now.set()

    def pause(self, left_s: float) -> bool:
        """Wait a moment; return whether to go on waiting with ``left_s`` seconds left until a reading."""
        if self.measuring and left_s <= 0:
            self._now.clear()
            return False
        if self._now.wait(_SLICE_S if not self.measuring else min(_SLICE_S, left_s)):
            self._now.clear()
            return False
        return True


class Tap:
    """A source that remembers its newest good frame, without a copy."""

    def __init__(self, source: FrameSource) -> None:
        self._source = source
        self.newest: Frame | None = None

    @property
    def name(self) -> str:
        """What it is, for people."""
        return self._source.name

    @property
    def live(self) -> bool:
        """Whether frames come by the clock."""
        return self._source.live

    def read(self, timeout_s: float) -> Frame | BadFrame | None:
        """Return the next frame; see `FrameSource`."""
        frame = self._source.read(timeout_s)
        if isinstance(frame, Frame):
            self.newest = frame
        return frame

    def close(self) -> None:
        """Release the source."""
        self._source.close()


class PageSink:
    """Tells the page of stored readings, then another sink."""

    def __init__(self, sink: Sink, broker: Broker, figures: Figures) -> None:
        self._sink = sink
        self._broker = broker
        self._figures = figures
        self.newest: Reading | None = None

    def publish(self, reading: Reading) -> None:
        """Pass a reading on; see `Sink`."""
        self.newest = reading
        self._figures.add(reading)
        self._broker.publish(reading)
        self._sink.publish(reading)

    def close(self) -> None:
        """Release the sink."""
        self._sink.close()
