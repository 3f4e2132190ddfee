"""Readings for whoever listens, as server-sent events; a client that stops reading is dropped."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from analyte.contract.reading import Reading

QUEUE_LENGTH = 64
MOST_CLIENTS = 32
STALL_S = 15.0
"""A client that takes nothing for so long is dropped, seconds."""
_BEAT_S = 10.0


@dataclass(slots=True, eq=False)
class Client:
    """One listener."""

    loop: asyncio.AbstractEventLoop
    queue: asyncio.Queue[bytes | None]


class Broker:
    """Passes readings on; `publish` never waits and may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._clients: set[Client] = set()

    @property
    def clients(self) -> int:
        """How many listen."""
        return len(self._clients)

    def join(self) -> Client | None:
        """Return a new listener of the running loop; None where there are too many."""
        client = Client(asyncio.get_running_loop(), asyncio.Queue(QUEUE_LENGTH))
        with self._lock:
            if len(self._clients) >= MOST_CLIENTS:
                return None
            self._clients.add(client)
        return client

    def leave(self, client: Client) -> None:
        """Forget a listener."""
        with self._lock:
            self._clients.discard(client)

    def publish(self, reading: Reading) -> None:
        """Tell every listener of a reading."""
        data = f"event: reading\nid: {reading.id}\ndata: {reading.to_json()}\n\n".encode()
        with self._lock:
            clients = list(self._clients)
        for client in clients:
            try:
                client.loop.call_soon_threadsafe(self._put, client, data)
            except RuntimeError:  # the server has ended
                self.leave(client)

    def _put(self, client: Client, data: bytes) -> None:
        if client not in self._clients:
            return
        if client.queue.full():
            self.leave(client)
            # Room for the end alone: what it did not read it finds in the list of readings.
            while not client.queue.empty():
                client.queue.get_nowait()
            client.queue.put_nowait(None)
            return
        client.queue.put_nowait(data)


class EventStream(Response):
    """The answer that goes on: an event per reading, and a comment while there is none."""

    media_type = "text/event-stream"

    def __init__(self, broker: Broker, client: Client) -> None:
        super().__init__(headers={"cache-control": "no-store"})
        del self.headers["content-length"]
        self._broker = broker
        self._client = client

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the client goes, stalls or is dropped."""
        gone = asyncio.ensure_future(_disconnected(receive))
        try:
            await send(
                {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            )
            data: bytes | None = b": here\n\n"
            while data is not None and not gone.done():
                body = {"type": "http.response.body", "body": data, "more_body": True}
                await asyncio.wait_for(send(body), STALL_S)
                data = await self._next(gone)
            if not gone.done():
                await asyncio.wait_for(send({"type": "http.response.body", "body": b""}), STALL_S)
        except (TimeoutError, OSError):
            pass
        finally:
            gone.cancel()
            self._broker.leave(self._client)

    async def _next(self, gone: asyncio.Future[None]) -> bytes | None:
        got: asyncio.Future[bytes | None] = asyncio.ensure_future(self._client.queue.get())
        both: set[asyncio.Future[Any]] = {got, gone}
        done, _ = await asyncio.wait(both, timeout=_BEAT_S, return_when=asyncio.FIRST_COMPLETED)
        if got in done:
            return got.result()
        got.cancel()
        return None if gone in done else b": here\n\n"


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
