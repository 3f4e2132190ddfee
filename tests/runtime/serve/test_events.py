"""A listener that stops reading is dropped, and publishing never waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import pytest

from analyte.contract.event import Role
from analyte.runtime.serve import events
from analyte.runtime.serve.app import create_app
from analyte.runtime.serve.events import MOST_CLIENTS, QUEUE_LENGTH, Broker
from analyte.runtime.serve.tokens import TokenFile
from runtime.serve.fake import fake_context, some_readings


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


def test_who_may_listen_no_more_is_sent_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_BEAT_S", 0.05)
    tokens = TokenFile(tmp_path / "tokens.json")
    kept, removed = (tokens.add(name, Role.VIEWER, None) for name in ("ann", "bob"))
    context = fake_context(tokens.path)
    app = create_app(context)

    async def listen(token: str, sent: list[bytes]) -> None:
        scope = {
            "type": "http", "method": "GET", "path": "/api/v1/events", "query_string": b"", "scheme": "http",
            "headers": [(b"authorization", f"Bearer {token}".encode())], "client": ("127.0.0.1", 1),
        }  # fmt: skip

        async def receive() -> dict[str, object]:
            await asyncio.Event().wait()
            return {}

        async def send(message: MutableMapping[str, Any]) -> None:
            sent.append(message.get("body", b""))

        await app(scope, receive, send)

    async def run() -> None:
        stays: list[bytes] = []
        one = asyncio.create_task(listen(kept, stays))
        other = asyncio.create_task(listen(removed, []))
        while context.broker.clients < 2:
            await asyncio.sleep(0.01)
        tokens.remove("bob")
        await asyncio.wait_for(other, 20)
        count = len(stays)
        while len(stays) == count:
            await asyncio.sleep(0.01)
        assert context.broker.clients == 1
        one.cancel()

    asyncio.run(asyncio.wait_for(run(), 60))


def test_listeners_are_bounded() -> None:
    async def run() -> None:
        broker = Broker()
        assert all(broker.join() is not None for _ in range(MOST_CLIENTS))
        assert broker.join() is None

    asyncio.run(run())
