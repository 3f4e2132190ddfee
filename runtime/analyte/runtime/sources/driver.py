"""A camera in the hands of the one thread that takes its frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Shot:
    """What a camera gave, and when it was taken."""

    pixels: npt.NDArray[np.generic]
    """What `to_bgr8` understands: uint8 or uint16, grey ``[H, W]`` or BGR ``[H, W, 3]``."""
    monotonic_s: float
    """When it was taken, on `time.monotonic`'s clock, seconds."""


class Driver(Protocol):
    """One way to a camera. Everything happens in one thread; `open` comes first, `release` last."""

    @property
    def name(self) -> str:
        """What it is, for people; credentials are never part of it."""
        ...

    def open(self) -> None:
        """Open the camera, set it as the profile demands, and read that back.

        Raises: CameraError when it is not there, or does otherwise; UnavailableError when what it
        needs is not installed.
        """
        ...

    def take(self) -> Shot:
        """Wait for the next frame.

        Raises: ImageError for a frame that cannot be used; CameraError when the camera is lost.
        """
        ...

    def release(self) -> None:
        """Let the camera go; also after an `open` that failed. Raises nothing."""
        ...
