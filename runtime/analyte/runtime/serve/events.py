"""Readings for whoever listens, as server-sent events; a client that stops reading is dropped."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from analyte.contract.reading import Reading

QUEUE_LENGTH = 64
MOST_CLIENTS = 128
_BEAT_S = 10.0
_HERE = b": here\n\n"


@dataclass(slots=True, eq=False)
class Client:
    """One listener. Belongs to the event loop that it joined in."""

    loop: asyncio.AbstractEventLoop
    queue: asyncio.Queue[bytes | None]
    """What it has to be sent; None is the end."""
    still: Callable[[], bool] = lambda: True
    """Whether it may still listen."""

    def give(self, data: bytes) -> bool:
        """Line data up; return whether there was room."""
        if self.queue.full():
            return False
        self.queue.put_nowait(data)
        return True

    def end(self) -> None:
        """Let it end: what it did not read it finds in the list of readings."""
        while not self.queue.empty():
            self.queue.get_nowait()
        self.queue.put_nowait(None)


class Broker:
    """Passes readings on; `publish` never waits and may be called from any thread.

    A reading is encoded once and wakes a loop once, however many listen: what the measuring pays for a
    reading does not grow with the listeners.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._clients: dict[asyncio.AbstractEventLoop, set[Client]] = {}

    @property
    def clients(self) -> int:
        """How many listen."""
        with self._lock:
            return sum(map(len, self._clients.values()))

    def join(self) -> Client | None:
        """Return a new listener of the running loop; None where there are too many."""
        loop = asyncio.get_running_loop()
        client = Client(loop, asyncio.Queue(QUEUE_LENGTH))
        with self._lock:
            if sum(map(len, self._clients.values())) >= MOST_CLIENTS:
                return None
            if loop not in self._clients:
                self._clients[loop] = set()
                loop.call_later(_BEAT_S, self._beat, loop)
            self._clients[loop].add(client)
        return client

    def leave(self, client: Client) -> None:
        """Forget a listener."""
        with self._lock:
            self._clients.get(client.loop, set()).discard(client)

    def publish(self, reading: Reading) -> None:
        """Tell every listener of a reading."""
        with self._lock:
            loops = [loop for loop, clients in self._clients.items() if clients]
        if not loops:
            return
        data = f"event: reading\nid: {reading.id}\ndata: {reading.to_json()}\n\n".encode()
        for loop in loops:
            try:
                loop.call_soon_threadsafe(self._spread, loop, data)
            except RuntimeError:  # the server has ended
                with self._lock:
                    self._clients.pop(loop, None)

    def _spread(self, loop: asyncio.AbstractEventLoop, data: bytes) -> None:
        for client in self._of(loop):
            if not client.give(data):
                self.leave(client)
                client.end()

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        """Give a sign of life to who has nothing to read, and send away who may listen no more."""
        for client in self._of(loop):
            if not client.still():
                self.leave(client)
                client.end()
            elif client.queue.empty():
                client.give(_HERE)
        loop.call_later(_BEAT_S, self._beat, loop)

    def _of(self, loop: asyncio.AbstractEventLoop) -> list[Client]:
        with self._lock:
            return list(self._clients.get(loop, ()))


class EventStream(Response):
    """The answer that goes on: an event per reading, and a comment while there is none."""

    media_type = "text/event-stream"

    def __init__(self, broker: Broker, client: Client) -> None:
        super().__init__(headers={"cache-control": "no-store"})
        del self.headers["content-length"]
        self._broker = broker
        self._client = client

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the client goes or is dropped; the line of one that takes nothing is cut: `listen`."""
        client = self._client
        gone = asyncio.ensure_future(_disconnected(receive))
        gone.add_done_callback(lambda _: client.end())
        try:
            await send(
                {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            )
            data: bytes | None = _HERE
            while data is not None:
                await send({"type": "http.response.body", "body": data, "more_body": True})
                data = await client.queue.get()
            if not gone.done():
                await send({"type": "http.response.body", "body": b""})
        except OSError:
            pass
        finally:
            gone.cancel()
            self._broker.leave(client)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
