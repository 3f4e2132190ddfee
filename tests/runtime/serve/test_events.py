"""A listener that stops reading is dropped, and publishing never waits for it."""

from __future__ import annotations

import asyncio

from analyte.runtime.serve.events import MOST_CLIENTS, QUEUE_LENGTH, Broker
from runtime.serve.fake import some_readings


def test_a_listener_that_does_not_read_is_dropped_and_others_are_not() -> None:
    async def run() -> None:
        broker = Broker()
        lazy, eager = broker.join(), broker.join()
        assert lazy is not None
        assert eager is not None
        got = 0
        for one in some_readings(QUEUE_LENGTH + 5):
            broker.publish(one)
            await asyncio.sleep(0)
            assert eager.queue.get_nowait() is not None
            got += 1
        assert (got, broker.clients) == (QUEUE_LENGTH + 5, 1)
        assert lazy.queue.get_nowait() is None

    asyncio.run(run())


def test_listeners_are_bounded() -> None:
    async def run() -> None:
        broker = Broker()
        assert all(broker.join() is not None for _ in range(MOST_CLIENTS))
        assert broker.join() is None

    asyncio.run(run())
