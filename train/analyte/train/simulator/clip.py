"""A video of known concentrations, one after the other, for a daemon that has no camera."""

from __future__ import annotations

import contextlib
import csv
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from analyte.contract.arrays import Float64Array, UInt8Array
from analyte.contract.errors import OutputError, SettingsError
from analyte.contract.output import check_output, from_os_error
from analyte.contract.preprocessing import Box
from analyte.train.simulator.config import SimulationConfig, check_values
from analyte.train.simulator.scene import Frame
from analyte.train.simulator.seeds import CLIP_NOISE, generator
from analyte.train.simulator.sensor import Development, develop, digitise
from analyte.train.simulator.studio import Studio

SUFFIX = ".avi"
"""Of the clip: Motion JPEG, every frame a picture of its own. MPEG-4 as OpenCV writes it shifts the colours
by one percent, which is more than the instrument is to resolve."""
_MJPG_QUALITY = 95


@dataclass(frozen=True, slots=True)
class ClipOptions:
    """Shape of the clip. Raises: SettingsError for a region that does not fit, or no frame at all."""

    width_px: int = 640
    height_px: int = 480
    region_px: int = 400
    """Edge of the square in the middle of the frame that shows what a picture of the dataset shows."""
    frames_per_second: int = 10
    seconds_per_value: float = 2.0
    session: int = 0
    """Index of the session whose light and camera are used."""

    def __post_init__(self) -> None:
        edge = min(self.width_px, self.height_px)
        if not 32 <= self.region_px <= edge:
            raise SettingsError("the region does not fit", expected=f"32 to {edge} px", got=self.region_px)
        if self.frames_per_second < 1 or self.frames_per_value < 1:
            raise SettingsError("the clip has no frames", got=f"{self.seconds_per_value:g} s per value")

    @property
    def frames_per_value(self) -> int:
        """Frames that show each concentration."""
        return round(self.frames_per_second * self.seconds_per_value)

    @property
    def region(self) -> Box:
        """The square that holds the well: what a device profile needs."""
        left, top = (self.width_px - self.region_px) // 2, (self.height_px - self.region_px) // 2
        return Box(x=left, y=top, w=self.region_px, h=self.region_px)


@dataclass(frozen=True, slots=True)
class ClipInfo:
    """What was written."""

    path: Path
    values_path: Path
    """CSV: frame (from 0), time_s, value (in ``unit``)."""
    info_path: Path
    """JSON: region, size, frames per second, unit, session."""
    region: Box
    """Pixels of the frame that hold the well."""
    frames: int
    frames_per_second: int
    unit: str
    values: tuple[float, ...]
    """In the order shown, in ``unit``."""


def render_clip(
    path: Path,
    config: SimulationConfig,
    concentrations: Sequence[float],
    *,
    options: ClipOptions | None = None,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> ClipInfo:
    """Film one well while its concentration steps through ``concentrations`` (in the reaction's unit).

    Camera, plate and light stand still; the noise is new in every frame. Beside FILE go ``FILE.csv`` (frame,
    time, value) and ``FILE.json`` (region and the rest). ``progress`` gets the frames done and in all.
    Raises: SettingsError for values outside the reaction's limits, another suffix, no such session;
    OutputError when an output exists without ``overwrite``, or OpenCV cannot write the video.
    """
    options = options or ClipOptions()
    values = tuple(float(value) for value in concentrations)
    _check(path, config, values, options)
    outputs = clip_files(path)
    for output in outputs:
        check_output(output, overwrite=overwrite)
    info = ClipInfo(
        path=path,
        values_path=outputs[1],
        info_path=outputs[2],
        region=options.region,
        frames=len(values) * options.frames_per_value,
        frames_per_second=options.frames_per_second,
        unit=config.label.unit,
        values=values,
    )
    try:
        path.absolute().parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.absolute().parent) as folder:
            staged = [Path(folder) / output.name for output in outputs]
            _write_video(staged[0], _frames(config, values, options), info, options, progress)
            _write_values(staged[1], info, options)
            staged[2].write_text(json.dumps(_description(info, config, options), indent=2) + "\n", "utf-8")
            for source, target in zip(staged, outputs, strict=True):
                source.replace(target)
    except OSError as error:
        raise from_os_error(error, path) from error
    return info


def clip_files(path: Path) -> tuple[Path, Path, Path]:
    """Return what a clip consists of: the video, ``FILE.csv`` and ``FILE.json``."""
    return path, path.with_name(path.name + ".csv"), path.with_name(path.name + ".json")


def default_steps(config: SimulationConfig) -> tuple[float, ...]:
    """Return six values of the range in an order that goes up and down, in the reaction's unit."""
    low, high = config.label.range
    return tuple(float(f"{low + (high - low) * part:.6g}") for part in (0.1, 0.5, 0.9, 0.7, 0.3, 0.6))


def _check(path: Path, config: SimulationConfig, values: tuple[float, ...], options: ClipOptions) -> None:
    if path.suffix.lower() != SUFFIX:
        raise SettingsError(
            "the clip is written as Motion JPEG", where=path, expected=f"a name that ends in {SUFFIX}"
        )
    if not values:
        raise SettingsError("the clip shows no concentration", where=path, expected="at least one")
    check_values("clip-values", values, config.chemistry)
    if not 0 <= options.session < config.sessions:
        raise SettingsError("no such session", expected=f"0 to {config.sessions - 1}", got=options.session)


def _frames(
    config: SimulationConfig, values: tuple[float, ...], options: ClipOptions
) -> Iterator[UInt8Array]:
    """Yield the frames, uint8 ``[H, W, 3]``, BGR."""
    studio = Studio(config)
    specimen = studio.specimen(options.session)
    # The camera of an instrument is set up once: the well lies in the middle of the region.
    specimen = replace(specimen, geometry=replace(specimen.geometry, center_x=0.5, center_y=0.5))
    box = options.region
    frame = Frame(options.height_px, options.width_px, box.x, box.y, box.w)
    development = Development.of(specimen.session)
    number = 0
    for value in values:
        electrons: Float64Array = studio.expected_electrons(specimen, value=value, frame=frame)
        for _ in range(options.frames_per_value):
            yield develop(digitise(electrons, generator(config.seed, CLIP_NOISE, number)), development)
            number += 1


def _write_video(
    path: Path,
    frames: Iterator[UInt8Array],
    info: ClipInfo,
    options: ClipOptions,
    progress: Callable[[int, int], None] | None,
) -> None:
    with _open_writer(path, options) as writer:
        for number, picture in enumerate(frames, 1):
            writer.write(picture)
            if progress is not None:
                progress(number, info.frames)
    # VideoWriter reports neither a full disk nor a frame it dropped: count what can be read back.
    written = _count_frames(path)
    if written != info.frames:
        raise OutputError(
            "the video was not written in full",
            where=info.path,
            expected=f"{info.frames} frames",
            got=written,
            fix="Check the space on the disk",
        )


@contextlib.contextmanager
def _open_writer(path: Path, options: ClipOptions) -> Iterator[cv2.VideoWriter]:
    writer = cv2.VideoWriter(
        str(path),
        cv2.CAP_OPENCV_MJPEG,  # the quality of FFmpeg's encoder cannot be set, and is low
        cv2.VideoWriter.fourcc(*"MJPG"),
        float(options.frames_per_second),
        (options.width_px, options.height_px),
    )
    try:
        if not writer.isOpened():
            raise OutputError("OpenCV cannot write a Motion JPEG video", where=path.name)
        writer.set(cv2.VIDEOWRITER_PROP_QUALITY, _MJPG_QUALITY)
        yield writer
    finally:
        writer.release()


def _count_frames(path: Path) -> int:
    capture = cv2.VideoCapture(str(path))
    try:
        count = 0
        while capture.grab():
            count += 1
        return count
    finally:
        capture.release()


def _write_values(path: Path, info: ClipInfo, options: ClipOptions) -> None:
    shown = np.repeat(np.asarray(info.values), options.frames_per_value)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["frame", "time_s", "value"])
        for frame, value in enumerate(shown):
            writer.writerow([frame, f"{frame / info.frames_per_second:.3f}", f"{value:.9g}"])


def _description(info: ClipInfo, config: SimulationConfig, options: ClipOptions) -> dict[str, Any]:
    return {
        "region": info.region.model_dump(),
        "width_px": options.width_px,
        "height_px": options.height_px,
        "frames": info.frames,
        "frames_per_second": info.frames_per_second,
        "seconds_per_value": options.seconds_per_value,
        "analyte": config.label.analyte,
        "unit": info.unit,
        "values": list(info.values),
        "session": f"session-{options.session + 1:02d}",
        "seed": config.seed,
    }
