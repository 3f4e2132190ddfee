"""What a page with many listeners costs the measuring.

    python benchmarks/page_load.py BUNDLE [--clients 100] [--requests 50] [--turns 6] [--seconds 15] [--json]

A real daemon measures a simulated camera, 20 frames a second, and serves its page on the loopback. The
latency of its readings (frame to judgement, as each reading says) is taken over so many seconds in turns:
nobody there; then so many clients on server-sent events, and so many requests a second for the newest
readings.

Target: 100 clients and 50 requests a second raise the 99th percentile by at most 10 %. The clients run at the
lowest priority, for on another machine they would take nothing of the device's cores.
"""

from __future__ import annotations

import argparse
import json
import selectors
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

import numpy as np
from soak import write_camera

FPS = 20


class Crowd:
    """Clients on events, and requests at a pace, from a process of their own."""

    def __init__(self, port: int, clients: int, requests: int, seconds: float) -> None:
        # Clients are other machines: they yield to the daemon wherever both want a core.
        words = ["nice", "-n", "19", sys.executable, __file__, "--crowd"]
        words += [str(port), str(clients), str(requests), str(seconds)]
        self._process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)

    def end(self) -> dict[str, int]:
        out, _ = self._process.communicate()
        return dict(json.loads(out))


def crowd(port: int, clients: int, requests: int, seconds: float) -> None:
    """Be the clients; print how many events came and how many requests were answered."""
    ends = time.monotonic() + seconds
    chooser, events, answered = selectors.DefaultSelector(), 0, 0
    for _ in range(clients):
        one = socket.create_connection(("127.0.0.1", port))
        one.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        one.setblocking(False)
        chooser.register(one, selectors.EVENT_READ)

    def ask() -> None:
        nonlocal answered
        due = time.monotonic()
        while requests and due < ends:
            time.sleep(max(0.0, due - time.monotonic()))
            due += 1.0 / requests
            with urllib.request.urlopen(
                f"http://127.0.0.1:{port}/api/v1/readings?limit=20", timeout=10
            ) as answer:
                answered += answer.status == 200

    asking = threading.Thread(target=ask)
    asking.start()
    while (left := ends - time.monotonic()) > 0:
        for key, _ in chooser.select(left):
            assert isinstance(key.fileobj, socket.socket)
            got = key.fileobj.recv(1 << 16)
            if not got:
                sys.exit("the page has dropped a listener")
            events += got.count(b"event: reading")
    asking.join()
    print(json.dumps({"events": events, "answered": answered}))


class Daemon:
    """A daemon whose readings are taken as they come."""

    def __init__(self, bundle: Path, folder: Path, port: int) -> None:
        profile = write_camera(bundle, folder)
        text = profile.read_text("utf-8").replace("fps = 1000", f"fps = {FPS}")
        profile.write_text(text + f"[serve]\nport = {port}\n", "utf-8")
        command = [sys.executable, "-m", "analyte.cli", "daemon", "--device", str(profile)]
        self._process = subprocess.Popen(
            [*command, "--bundle", str(bundle.resolve())], stdout=subprocess.PIPE, cwd=folder
        )
        self._latencies: list[float] = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._latencies.append(json.loads(line)["latency_ms"]["total"])

    def during(self, seconds: float) -> list[float]:
        """Return the latencies of readings in the next seconds, ms."""
        first = len(self._latencies)
        time.sleep(seconds)
        return self._latencies[first:]

    def end(self) -> None:
        self._process.terminate()
        self._process.wait(20)


def main() -> None:
    if sys.argv[1:2] == ["--crowd"]:
        port, clients, requests = map(int, sys.argv[2:5])
        crowd(port, clients, requests, float(sys.argv[5]))
        return
    parser = argparse.ArgumentParser(description="What a page with many listeners costs the measuring.")
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--requests", type=int, default=50, help="Per second.")
    parser.add_argument("--turns", type=int, default=6, help="Of both, one after the other.")
    parser.add_argument("--seconds", type=float, default=15.0, help="Of a turn.")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    alone: list[float] = []
    crowded: list[float] = []
    heard = {"events": 0, "answered": 0}
    with tempfile.TemporaryDirectory() as name:
        daemon = Daemon(options.bundle, Path(name), port)
        daemon.during(8.0)
        for _ in range(options.turns):
            alone += daemon.during(options.seconds)
            people = Crowd(port, options.clients, options.requests, options.seconds + 2.0)
            time.sleep(1.0)
            crowded += daemon.during(options.seconds)
            heard = {what: count + heard[what] for what, count in people.end().items()}
        daemon.end()
    result = {
        **{f"alone_p{p}_ms": round(float(np.percentile(alone, p)), 3) for p in (50, 99)},
        **{f"crowded_p{p}_ms": round(float(np.percentile(crowded, p)), 3) for p in (50, 99)},
        "p99_ratio": round(float(np.percentile(crowded, 99) / np.percentile(alone, 99)), 3),
        "readings": len(alone) + len(crowded),
        **heard,
    }
    print(json.dumps(result) if options.json else "\n".join(f"{k:18s}{v}" for k, v in result.items()))


if __name__ == "__main__":
    main()
