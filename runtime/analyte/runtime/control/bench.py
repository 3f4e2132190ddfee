"""Measuring a control or a standard with the very pipeline that measures specimens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from analyte.contract.errors import CameraError, InputError, SettingsError
from analyte.contract.reading import Reading
from analyte.runtime.combining import combine
from analyte.runtime.control.events import RecalibrationRecord
from analyte.runtime.daemon import Prepared
from analyte.runtime.pipeline import Pipeline
from analyte.runtime.quality.registry import check_of
from analyte.runtime.reader import expand, read_samples
from analyte.runtime.sources.protocol import EndOfSource, Frame, FrameSource
from analyte.runtime.sources.registry import open_source

_READ_TIMEOUT_S = 0.5


class Bench:
    """Makes one reading of what is asked for. For one thread."""

    def __init__(
        self, ready: Prepared, well: str | None, recalibration: Callable[[], RecalibrationRecord | None]
    ) -> None:
        """``well``: which of several sites of a frame is measured; None where there is one.

        Raises: SettingsError for a well that the profile does not have, or where one has to be named.
        """
        self._ready = ready
        self._recalibration = recalibration
        names = list(ready.opened.settings.regions.names)
        if well is None and len(names) > 1:
            raise SettingsError("which well holds it?", expected=f"--well {names[0]}, ...", got="none")
        if well is not None and well not in names:
            raise SettingsError("the profile has no such well", expected=", ".join(names), got=well)
        self._site = names[0] if well is None else well

    def pictures(self, paths: Sequence[Path]) -> Reading:
        """Return the reading of pictures of one specimen: the median where there are several.

        Pictures of another size than the profile's camera demands are bad frames: regions are in pixels.
        Raises: InputError for a folder without pictures; what `Pipeline.measure_all` raises.
        """
        files = expand(paths)
        if not files:
            raise InputError("no picture is given", expected="at least one")
        pipeline = self._pipeline(live=False)
        found = read_samples(pipeline, [[file] for file in files], camera=self._ready.profile.camera)
        return self._one([reading for reading, _ in found])

    def source(self) -> Reading:
        """Return the reading of the next frames of the profile's source.

        Raises: CameraError where it ends before there are enough, or gives none.
        """
        profile = self._ready.profile
        source = open_source(self._ready.source, profile.camera)
        try:
            return self._of_source(source, self._pipeline(live=source.live), profile.measure.frames)
        finally:
            source.close()

    def _of_source(self, source: FrameSource, pipeline: Pipeline, frames: int) -> Reading:
        readings: list[Reading] = []
        for _ in range(frames):
            frame = None
            while frame is None:
                try:
                    frame = source.read(_READ_TIMEOUT_S)
                except EndOfSource as end:
                    raise CameraError(
                        "the source ended before the reading was complete",
                        expected=f"{frames} frames",
                        got=end,
                    ) from end
            readings += (
                pipeline.measure_all(frame) if isinstance(frame, Frame) else pipeline.refuse_all([frame])
            )
        return self._one(readings)

    def _pipeline(self, *, live: bool) -> Pipeline:
        opened = self._ready.opened
        settings = replace(opened.settings, recalibration=self._recalibration)
        if not live:
            # Files do not age, and do not follow each other.
            quality = check_of(self._ready.profile.quality, consecutive=False)
            settings = replace(settings, max_age_s=None, quality=quality)
        return Pipeline(opened.bundle, opened.artifact, opened.engine, settings)

    def _one(self, readings: Sequence[Reading]) -> Reading:
        chosen = [reading for reading in readings if reading.site == self._site]
        if len(chosen) == 1:
            return chosen[0]
        return combine(chosen, wanted=len(chosen), max_spread=self._ready.profile.measure.max_spread)
