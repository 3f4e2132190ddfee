"""Sends the readings of an outbox to an MQTT broker, in their order, until it acknowledges them.

A thread of its own: whatever happens to the network, the measuring does not notice. A reading leaves the
outbox when the broker has acknowledged it and all before it. What was on its way when a connection or the
process ended is sent again with the same id, from the oldest on, so a receiver that passes over ids which
it knows gets each reading once and in order.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

from analyte.contract.errors import AnalyteError
from analyte.runtime.publish.access import Access
from analyte.runtime.publish.failures import LinkFailure
from analyte.runtime.publish.patience import Patience
from analyte.runtime.publish.session import Session
from analyte.runtime.publish.standing import COUNT_S, Standing
from analyte.runtime.publish.state import Running
from analyte.runtime.publish.status import PublisherStatus
from analyte.runtime.store.protocol import Outbox

LINGER_S = 5.0
"""How long the end waits for what is still on its way; the rest is sent after the next start."""

OpenOutbox = Callable[[], AbstractContextManager[Outbox]]
"""Opens the outbox in the thread that calls it."""


class MqttPublisher:
    """Sends what an outbox holds, from its construction until `close`."""

    def __init__(
        self,
        access: Access,
        running: Running,
        open_outbox: OpenOutbox,
        report: Callable[[str], None],
        *,
        window: int,
        patience: Patience | None = None,
    ) -> None:
        """``report`` is told, from another thread, in one line whenever matters change.

        ``window``: readings that may be on their way at once. ``patience``: None waits as `Patience` does.
        """
        self._access = access
        self._running = running
        self._open_outbox = open_outbox
        self._window = window
        self._patience = patience or Patience()
        self._standing = Standing(access, report)
        self._closing = threading.Event()
        self._end_s = 0.0
        self._thread = threading.Thread(target=self._work, name="mqtt", daemon=True)
        self._thread.start()

    def status(self) -> PublisherStatus:
        """Return how it stands. For any thread."""
        return self._standing.status

    @property
    def attempts(self) -> int:
        """How often sending failed since the last connection that held."""
        return self._standing.failures

    def close(self, linger_s: float = LINGER_S) -> None:
        """Send what waits, for ``linger_s`` seconds at most and only while nothing fails, and end.

        The device is then known as stopped. May be called twice. Raises nothing.
        """
        self._end_s = time.monotonic() + linger_s
        self._closing.set()
        # A name server that does not answer may hold the thread: it is left behind.
        self._thread.join(linger_s + 1.0)

    def _work(self) -> None:
        """Hold the outbox open; whatever befalls it, the measuring goes on."""
        while True:
            try:
                with self._open_outbox() as outbox:
                    self._send(outbox)
                return
            except Exception as error:  # noqa: BLE001 - said in the status, and tried again
                text = error.line() if isinstance(error, AnalyteError) else f"{type(error).__name__}: {error}"
                self._standing.fail(LinkFailure(f"the outbox cannot be used: {text}", lasting=True))
                if self._closing.wait(self._patience.delay_s(1, lasting=True)):
                    return

    def _send(self, outbox: Outbox) -> None:
        """Connect again and again until the end."""
        while True:
            session = Session(self._access, self._running, outbox, self._standing, window=self._window)
            try:
                session.run(self._is_end)
                return
            except LinkFailure as failure:
                self._standing.fail(failure)
                delay_s = self._patience.delay_s(self._standing.failures, lasting=failure.lasting)
            end_s = time.monotonic() + delay_s
            while (left_s := end_s - time.monotonic()) > 0:
                self._standing.count(outbox)
                if self._closing.wait(min(left_s, COUNT_S)):
                    return

    def _is_end(self, is_through: Callable[[], bool]) -> bool:
        return self._closing.is_set() and (is_through() or time.monotonic() >= self._end_s)
