"""Pictures in files: a folder of them, or one."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from pathlib import Path

from analyte.contract.errors import CameraError, ImageError
from analyte.contract.imaging import IMAGE_SUFFIXES, read_image
from analyte.runtime.sources.names import display_name
from analyte.runtime.sources.protocol import BadFrame, EndOfSource, Frame


def image_files(folder: Path) -> list[Path]:
    """Return the pictures of a folder (by suffix, not of its sub-folders), ``2.png`` before ``10.png``.

    Raises: CameraError when the folder cannot be listed.
    """
    try:
        found = [p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES and not p.is_dir()]
    except OSError as error:
        raise CameraError("the folder cannot be listed", where=folder, got=error.strerror) from error
    # A name that starts with a dot is another program's unfinished business.
    return sorted((p for p in found if not p.name.startswith(".")), key=lambda p: natural_order(p.name))


def read_frame(path: Path, index: int) -> Frame | BadFrame:
    """Read one picture; never raises for a picture that is missing or damaged."""
    at, clock, name = datetime.now(UTC), time.monotonic(), display_name(path)
    try:
        pixels = read_image(path)
    except ImageError as error:
        return BadFrame(error, at, clock, name, index)
    return Frame(pixels, at, clock, name, index)


class FolderSource:
    """The pictures of a folder in natural order of their names; a damaged one does not stop the rest."""

    def __init__(self, path: Path) -> None:
        self.name = display_name(path)
        self.live = False
        self._kind = "folder" if path.is_dir() else "picture"
        self._files = image_files(path) if path.is_dir() else [path]
        self._next = 0
        if not self._files:
            raise CameraError(
                "no pictures in the folder", where=self.name, expected=", ".join(sorted(IMAGE_SUFFIXES))
            )

    def read(self, timeout_s: float) -> Frame | BadFrame:
        """Return the next picture. Raises: EndOfSource after the last."""
        if self._next >= len(self._files):
            raise EndOfSource(f"end of {self._kind} {self.name}")
        index = self._next
        self._next += 1
        return read_frame(self._files[index], index)

    def close(self) -> None:
        """Forget the pictures that were not read."""
        self._next = len(self._files)


def natural_order(name: str) -> list[tuple[int, int, str]]:
    """Return a key that sorts ``2.png`` before ``10.png``."""
    parts: list[str] = re.split(r"([0-9]+)", name)
    return [(0, int(part), part) if part[:1].isdecimal() else (1, 0, part) for part in parts if part]
