"""A real daemon with its page: a process with a simulated camera, a tiny bundle and people with tokens."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from analyte.contract.event import Role
from analyte.runtime.serve.tokens import TokenFile
from runtime.bundles.packing import packed
from runtime.conftest import analyte_command
from runtime.tiny_bundles import value_of, write_picture, write_profile

PATIENCE_S = 30.0
SHOWN = ((20, 40, 60), (20, 40, 90))
"""Colours that the camera sees in turns, BGR."""
OUT_OF_RANGE = (250, 250, 250)
"""A colour that the tiny bundle gives no value for."""
PEOPLE = {"ann": Role.VIEWER, "otto": Role.OPERATOR, "sue": Role.SUPERVISOR}
MIDDLE = sum(map(value_of, SHOWN)) / len(SHOWN)

REST = """
[storage]
path = "readings.sqlite"
refused_frames = "refused"
[bundles]
folder = "bundles"
shadow_readings = 3
{bundles}
[[control.materials]]
name = "within"
target = {middle}
s = 20.0
[[control.materials]]
name = "beyond"
target = {middle}
s = 0.01
[serve]
port = {port}
{serve}
"""


class LiveDevice:
    """``analyte daemon`` with its page."""

    def __init__(
        self,
        folder: Path,
        *,
        colours: tuple[tuple[int, int, int], ...] = (*SHOWN, OUT_OF_RANGE),
        simulated: str = "fps = 20.0, picture_s = 0.6",
        interval_s: float = 0.2,
        tokens: bool = True,
        bundles: str = "max_difference = 0.5",
    ) -> None:
        """``bundles``: further keys of the section."""
        self.folder = folder
        (folder / "frames").mkdir(parents=True)
        for number, colour in enumerate(colours):
            write_picture(folder / "frames" / f"{number}.png", colour)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        file = TokenFile(folder / "tokens.json")
        self.tokens = {name: file.add(name, role, None) for name, role in PEOPLE.items()} if tokens else {}
        self.profile = write_profile(
            folder / "device.toml",
            camera=f'source = "sim:frames"\nsimulated = {{ {simulated} }}',
            measure=f"interval_s = {interval_s}",
        )
        with self.profile.open("a", encoding="utf-8") as rest:
            serve = 'tokens = "tokens.json"' if tokens else ""
            rest.write(REST.format(middle=MIDDLE, port=self.port, serve=serve, bundles=bundles))
        self.bundle = packed(folder, "first")
        self.store = folder / "readings.sqlite"
        self.process = self._start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _start(self) -> subprocess.Popen[bytes]:
        command = analyte_command("daemon", "--device", self.profile, "--bundle", self.bundle)
        with (self.folder / "out").open("ab") as out, (self.folder / "err").open("ab") as err:
            process = subprocess.Popen(
                command, cwd=self.folder, stdout=out, stderr=err, env=os.environ | {"PYTHONUTF8": "1"}
            )
        self.until(lambda: self._measures(process), "no reading")
        return process

    def _measures(self, process: subprocess.Popen[bytes]) -> bool:
        assert process.poll() is None, self.said()
        try:
            return bool(self.api("readings")["readings"])
        except urllib.error.URLError:
            return False

    def stop(self) -> None:
        """End the daemon as a supervisor of services does."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(PATIENCE_S) == 0, self.said()

    def start(self) -> None:
        """Start it again, over the same store and at the same port."""
        self.process = self._start()

    def said(self) -> str:
        """Return what it wrote to stderr."""
        return (self.folder / "err").read_text("utf-8")

    def ask(self, path: str, who: str = "ann", data: bytes | None = None) -> bytes:
        """Return what the API says to a person's token; ``data`` is posted."""
        headers = {"authorization": f"Bearer {self.tokens[who]}"} if self.tokens else {}
        headers |= {} if data is None else {"content-type": "application/json"}
        request = urllib.request.Request(f"{self.address}/api/v1/{path}", data, headers)
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return bytes(answer.read())

    def api(self, path: str, who: str = "ann") -> Any:
        return json.loads(self.ask(path, who))

    def post(self, path: str, who: str, body: dict[str, Any] | None = None) -> Any:
        return json.loads(self.ask(path, who, b"" if body is None else json.dumps(body).encode()))

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.api("status")["status"]
        return found

    def rows(self, table: str, after: int = 0) -> list[dict[str, Any]]:
        """Return what the store holds, with its sequence: ``readings`` or ``events``."""
        with closing(sqlite3.connect(f"file:{self.store}?mode=ro", uri=True)) as connection:
            query = f"SELECT sequence, json FROM {table} WHERE sequence > ? ORDER BY sequence"
            found = connection.execute(query, (after,)).fetchall()
        return [{"sequence": sequence, **json.loads(text)} for sequence, text in found]

    def newest(self, table: str) -> int:
        """Return the newest sequence."""
        with closing(sqlite3.connect(f"file:{self.store}?mode=ro", uri=True)) as connection:
            return int(connection.execute(f"SELECT coalesce(max(sequence), 0) FROM {table}").fetchone()[0])

    def until(self, true: Callable[[], object], otherwise: str) -> None:
        end = time.monotonic() + PATIENCE_S
        while not true():
            assert time.monotonic() < end, f"{otherwise}\n{self.said()}"
            time.sleep(0.02)
