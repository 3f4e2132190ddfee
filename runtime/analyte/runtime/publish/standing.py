"""How sending stands: kept by the publisher's thread, read by any."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from analyte.contract.redaction import redact
from analyte.runtime.publish.access import Access
from analyte.runtime.publish.failures import LOST, LinkFailure
from analyte.runtime.publish.status import PublisherStatus
from analyte.runtime.store.protocol import Outbox

COUNT_S = 1.0
"""How often the outbox's depth is counted, seconds."""
_STEADY_S = 10.0
"""A connection that held for so long was a good one."""
_OFTEN = 3
"""So many connections lost at once, in a row, have a reason of their own."""


class Standing:
    """Says each change once, and keeps the status."""

    def __init__(self, access: Access, report: Callable[[str], None]) -> None:
        self._broker = access.name
        self._topic = access.topics.readings
        self._report = report
        self._client_id = access.client_id
        self._said = ""
        self._since_s: float | None = None
        """Since when there is a connection, on `time.monotonic`'s clock, seconds."""
        self._brief = 0
        """Connections that did not hold, in a row."""
        self._counted_s = 0.0
        self.status = PublisherStatus(access.name)
        self.failures = 0
        """In a row."""
        self.one_by_one = False
        """Whether readings were refused or lost on their way, and none accepted since."""

    def connect(self) -> None:
        """Note that the broker has let the device in."""
        self._since_s = time.monotonic()
        self.status = replace(self.status, connected=True)

    def disconnect(self) -> None:
        """Note that there is no connection any more."""
        if self._since_s is not None:
            held = time.monotonic() - self._since_s >= _STEADY_S
            self._brief = 0 if held else self._brief + 1
            # Of two clients with one id each is let in, and put out by the other: that must become slower.
            self.failures = 0 if held else self.failures
        self._since_s = None
        self.status = replace(self.status, connected=False)

    def fail(self, failure: LinkFailure) -> None:
        """Note that nothing can be sent."""
        self.failures += 1
        text = redact(str(failure))
        if str(failure) == LOST and self._brief >= _OFTEN:
            text = f"{text} again and again; does another client use the client id {self._client_id!r}?"
        self.status = replace(self.status, last_error=text)
        self._say(f"readings are not sent to {self._broker}: {text}; they wait in the store")

    def acknowledge(self, readings: int) -> None:
        """Note that the broker has so many more."""
        self.status = replace(self.status, acknowledged=self.status.acknowledged + readings)

    def work(self) -> None:
        """Note that sending works."""
        self.one_by_one = False
        if self.status.last_error:
            self.status = replace(self.status, last_error="")
        self._say(f"readings are sent to {self._broker}, topic {self._topic}")

    def heed(self, *, nobody_listens: bool) -> None:
        """Note whether the broker has somebody to pass readings on to."""
        note = (
            f"nobody subscribes to {self._topic}: the broker takes readings and keeps none"
            if nobody_listens
            else ""
        )
        if note != self.status.note:
            self.status = replace(self.status, note=note)
            self._report(f"mqtt: {note or f'somebody subscribes to {self._topic} now'}")

    def count(self, outbox: Outbox) -> None:
        """Count what waits, unless it was counted a moment ago."""
        now_s = time.monotonic()
        if now_s - self._counted_s >= COUNT_S:
            self._counted_s = now_s
            self.status = replace(self.status, waiting=outbox.depth())

    def _say(self, text: str) -> None:
        if text != self._said:
            self._said = text
            self._report(f"mqtt: {text}")
