"""The frames of refused readings, kept so that somebody can see why, within a quota."""

from __future__ import annotations

from pathlib import Path

import cv2

from analyte.contract.arrays import UInt8Array
from analyte.contract.errors import OutputError
from analyte.contract.output import from_os_error

_SUFFIX = ".png"
"""Without loss: what was refused is to be measured again as it was."""
_STAGED = ".part"
"""Until it is whole."""


class RefusedFrames:
    """A folder that holds the newest of them. Not for use by two processes at once."""

    def __init__(self, folder: Path, quota_bytes: int) -> None:
        """Make the folder, or take over what it holds. Raises: OutputError."""
        self._folder = folder
        self._quota_bytes = quota_bytes
        try:
            folder.mkdir(parents=True, exist_ok=True)
            # What a power cut left half written.
            for left in folder.glob(f"*{_STAGED}"):
                left.unlink()
            # Names begin with the time of capture: their order is that of age.
            files = sorted(path for path in folder.iterdir() if path.suffix == _SUFFIX and path.is_file())
            self._files = [(path, path.stat().st_size) for path in files]
        except OSError as error:
            raise from_os_error(error, folder) from error

    def keep(self, pixels: UInt8Array, captured_at: str, reading_id: str) -> str:
        """Write a frame, uint8 ``[H, W, 3]``, BGR, and let the oldest go that exceed the quota.

        ``captured_at``: of the reading, ISO 8601. Returns: the file's name within the folder.
        Raises: OutputError when it cannot be written, or is larger than the quota alone.
        """
        done, data = cv2.imencode(_SUFFIX, pixels)
        if not done:
            raise OutputError("the frame cannot be encoded", where=self._folder, got=pixels.shape)
        if data.nbytes > self._quota_bytes:
            raise OutputError(
                "a frame is larger than the quota of refused frames",
                where=self._folder,
                expected=f"at most {self._quota_bytes / 1e6:g} MB",
                got=f"{data.nbytes / 1e6:.1f} MB",
                fix="Raise storage.refused_frames_mb",
            )
        stamp = captured_at.partition("+")[0].replace(":", "").replace("-", "")
        path = self._folder / f"{stamp}Z_{reading_id[:8]}{_SUFFIX}"
        staged = path.with_suffix(_STAGED)
        try:
            self._make_room(data.nbytes)
            staged.write_bytes(data.tobytes())
            staged.replace(path)
        except OSError as error:
            staged.unlink(missing_ok=True)
            raise from_os_error(error, path) from error
        self._files.append((path, data.nbytes))
        return path.name

    def _make_room(self, needed_bytes: int) -> None:
        held_bytes = sum(size for _, size in self._files)
        while self._files and held_bytes + needed_bytes > self._quota_bytes:
            path, size = self._files.pop(0)
            path.unlink(missing_ok=True)
            held_bytes -= size
