"""What happens over one connection: readings go out in their order and leave the outbox when they arrived."""

from __future__ import annotations

import time
from collections.abc import Callable

from analyte.runtime.publish.access import Access
from analyte.runtime.publish.failures import FIRST_FAILURE, NO_SUBSCRIBER, LinkFailure, refused_message
from analyte.runtime.publish.link import Answer, Link
from analyte.runtime.publish.standing import Standing
from analyte.runtime.publish.state import Absence, Running, offline, online
from analyte.runtime.publish.window import Window
from analyte.runtime.store.protocol import Outbox

_LOOK_S = 0.2
"""How often an outbox that was empty is looked into."""
_PART_S = 1.0
"""How long to wait for the broker to have taken the last state."""

IsEnd = Callable[[Callable[[], bool]], bool]
"""Whether to end now; may ask whether everything was acknowledged."""


class Session:
    """A connection in use. For one thread."""

    def __init__(
        self, access: Access, running: Running, outbox: Outbox, standing: Standing, *, window: int
    ) -> None:
        """``window``: readings that may be on their way at once."""
        self._access = access
        self._running = running
        self._outbox = outbox
        self._standing = standing
        self._most = window
        self._link = Link(access)
        self._window = Window(1)
        self._sequences: dict[int, int] = {}
        """Sequence number by message."""
        self._birth: int | None = None
        """The message of the state, until its answer."""
        self._look_s = 0.0
        self._drained = False
        self._progress = False

    def run(self, is_end: IsEnd) -> None:
        """Send until ``is_end``. Raises: LinkFailure, and what the outbox raises."""
        try:
            self._link.open()
            self._size_window()
            self._standing.connect()
            self._birth = self._link.publish(self._access.topics.state, online(self._running), retain=True)
            while not is_end(self._is_through):
                self._fill()
                self._take(self._link.turn(_LOOK_S))
                self._standing.count(self._outbox)
            self._part()
        except LinkFailure:
            # A broker may refuse a reading and close at once, and only the second is seen: find out.
            self._standing.one_by_one |= len(self._window) > 0 and not self._progress
            raise
        finally:
            self._link.abandon()
            self._standing.disconnect()

    def _size_window(self) -> None:
        """After a refusal readings go one by one: those behind the refused one must not get past it."""
        most = 1 if self._standing.one_by_one else self._most
        self._window.resize(min(most, self._link.most_unanswered))

    def _fill(self) -> None:
        """Put readings on their way, once the state is known; an empty outbox is not asked again at once."""
        if self._birth is not None or not self._window.free or time.monotonic() < self._look_s:
            return
        found = self._outbox.pending(self._window.free, after=self._window.last)
        self._drained = not found
        if self._drained:
            self._look_s = time.monotonic() + _LOOK_S
        for waiting in found:
            message = self._link.publish(
                self._access.topics.readings,
                waiting.json.encode(),
                about=(("id", waiting.id), ("sequence", str(waiting.sequence))),
            )
            self._sequences[message] = waiting.sequence
            self._window.send(waiting.sequence)

    def _take(self, answers: list[Answer]) -> None:
        """Remove from the outbox what has arrived. Raises: LinkFailure for what was refused."""
        refused: LinkFailure | None = None
        for answer in answers:
            is_birth = answer.message == self._birth
            if answer.code >= FIRST_FAILURE:
                topics = self._access.topics
                refused = refused or refused_message(
                    answer.code, topics.state if is_birth else topics.readings
                )
            elif is_birth:
                self._birth = None
            else:
                self._window.arrive(self._sequences.pop(answer.message))
                self._standing.heed(nobody_listens=answer.code == NO_SUBSCRIBER)
        before = len(self._window)
        if (last := self._window.take_arrived()) is not None:
            self._outbox.acknowledge(last)
            self._progress = True
            self._standing.acknowledge(before - len(self._window))
        if refused is not None:
            self._standing.one_by_one = True
            raise refused
        if answers and (last is not None or self._is_idle()):
            # Of a connection alone nobody knows whether readings will be taken.
            self._standing.work()
            self._size_window()

    def _is_through(self) -> bool:
        """Whether the outbox is empty at this moment, and nothing is on its way."""
        return self._birth is None and not self._window and not self._outbox.pending(1)

    def _is_idle(self) -> bool:
        """The same as of the last look."""
        return self._drained and self._birth is None and not self._window

    def _part(self) -> None:
        """Tell that the device stops, and wait a moment until the broker has it."""
        payload = offline(self._running.device, Absence.STOPPED)
        message = self._link.publish(self._access.topics.state, payload, retain=True)
        end_s = time.monotonic() + _PART_S
        while time.monotonic() < end_s:
            if any(answer.message == message for answer in self._link.turn(_LOOK_S)):
                break
        self._link.close()
