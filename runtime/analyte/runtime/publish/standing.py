"""How sending stands: kept by the publisher's thread, read by any."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from analyte.contract.redaction import redact
from analyte.runtime.publish.access import Access
from analyte.runtime.publish.failures import LinkFailure
from analyte.runtime.publish.status import PublisherStatus
from analyte.runtime.store.protocol import Outbox

COUNT_S = 1.0
"""How often the outbox's depth is counted, seconds."""


class Standing:
    """Says each change once, and keeps the status."""

    def __init__(self, access: Access, report: Callable[[str], None]) -> None:
        self._broker = access.name
        self._topic = access.topics.readings
        self._report = report
        self._said = ""
        self._counted_s = 0.0
        self.status = PublisherStatus(access.name)
        self.failures = 0
        """In a row."""
        self.one_by_one = False
        """Whether a reading was refused, and none accepted since."""

    def connected(self, yes: bool) -> None:
        """Note that there is a connection, or none."""
        self.status = replace(self.status, connected=yes)

    def fail(self, failure: LinkFailure) -> None:
        """Note that nothing can be sent."""
        self.failures += 1
        text = redact(str(failure))
        self.status = replace(self.status, connected=False, last_error=text)
        self._say(f"readings are not sent to {self._broker}: {text}; they wait in the store")

    def acknowledge(self, readings: int) -> None:
        """Note that the broker has so many more."""
        self.status = replace(self.status, acknowledged=self.status.acknowledged + readings)

    def work(self) -> None:
        """Note that sending works."""
        self.failures, self.one_by_one = 0, False
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
