"""A folder that another program puts pictures into: each new one, once, as soon as it is whole."""

from __future__ import annotations

import os
import time
from pathlib import Path

from analyte.contract.errors import CameraError
from analyte.contract.imaging import IMAGE_SUFFIXES
from analyte.contract.sections.camera import CameraSection
from analyte.runtime.sources.folder import natural_order, read_frame
from analyte.runtime.sources.names import display_name
from analyte.runtime.sources.protocol import BadFrame, Frame

_POLL_S = 0.1
QUIET_S = 0.3
"""How long a file must not have changed before it is read: a copy over a network comes in pieces."""


class WatchedFolder:
    """Waits for pictures. Every one is measured, none for being new: files do not grow stale.

    What is there already when it opens is left alone, unless ``camera.existing`` asks for it. A picture that
    is written anew under its old name is a new one.
    """

    def __init__(self, path: Path, camera: CameraSection) -> None:
        self.name = f"watch:{display_name(path)}"
        self.live = False
        self._path = path
        self._index = 0
        self._known: dict[str, tuple[int, int]] = {}
        """Size in bytes and time of change, nanoseconds, of what was read, by file name."""
        self._waiting: dict[str, tuple[tuple[int, int], float]] = {}
        """The same of what was not, and since when it is as it is, on `time.monotonic`'s clock."""
        if not camera.existing:
            self._known = self._list()
        else:
            self._list()

    def read(self, timeout_s: float) -> Frame | BadFrame | None:
        """Return the next picture in natural order of the names, or None when none came in time.

        Raises: CameraError when the folder is gone or may not be read.
        """
        end_s = time.monotonic() + timeout_s
        while True:
            name = self._next()
            if name is not None:
                self._index += 1
                return read_frame(self._path / name, self._index - 1)
            left_s = end_s - time.monotonic()
            if left_s <= 0:
                return None
            time.sleep(min(_POLL_S, left_s))

    def close(self) -> None:
        """Nothing is held."""

    def _next(self) -> str | None:
        found, now_s = self._list(), time.monotonic()
        # What is gone may come again.
        self._known = {name: state for name, state in self._known.items() if name in found}
        waiting = {}
        for name, state in found.items():
            if self._known.get(name) != state:
                before = self._waiting.get(name)
                waiting[name] = before if before is not None and before[0] == state else (state, now_s)
        self._waiting = waiting
        whole = [name for name, (_, since_s) in waiting.items() if now_s - since_s >= QUIET_S]
        if not whole:
            return None
        first = min(whole, key=natural_order)
        self._known[first] = self._waiting.pop(first)[0]
        return first

    def _list(self) -> dict[str, tuple[int, int]]:
        found = {}
        try:
            with os.scandir(self._path) as entries:
                for entry in entries:
                    # A name that starts with a dot is another program's unfinished business.
                    if entry.name.startswith(".") or Path(entry.name).suffix.lower() not in IMAGE_SUFFIXES:
                        continue
                    try:
                        if entry.is_file():
                            state = entry.stat()
                            found[entry.name] = (state.st_size, state.st_mtime_ns)
                    except FileNotFoundError:
                        continue
        except OSError as error:
            raise CameraError(
                "the watched folder cannot be listed", where=self.name, got=error.strerror
            ) from error
        return found
