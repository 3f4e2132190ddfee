"""From frames to a reading: preprocess, run, judge. The only way by which a number comes about."""

from __future__ import annotations

import hashlib
import math
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC

import numpy as np

from analyte.contract.arrays import UInt8Array
from analyte.contract.bundle import Bundle
from analyte.contract.covariates import Covariate, Examination
from analyte.contract.errors import ImageError, IntegrityError
from analyte.contract.manifest import Artifact, Manifest
from analyte.contract.preprocessing import Box, is_grey, preprocess
from analyte.contract.profile import DeviceProfile
from analyte.contract.reading import Reading, Reason
from analyte.runtime.engines.protocol import Engine
from analyte.runtime.judgement import Judgement, Rules, with_remark
from analyte.runtime.regions import check_one_frame
from analyte.runtime.sources.protocol import BadFrame, Frame


@dataclass(frozen=True, slots=True)
class MeasureSettings:
    """What a pipeline takes from a device profile or a command line."""

    device: str
    """Id of the device; stands in every reading."""
    regions: Mapping[str, Box] = field(default_factory=dict)
    """Region of each view, pixels; a view without one is the whole picture."""
    max_age_s: float | None = None
    """Oldest frame that may be measured, seconds after its capture; None for files, which do not age."""
    covariates: Mapping[str, Covariate] = field(default_factory=dict)
    """Numbers and categories beside the pictures that hold for every reading, by name."""


def settings_from_profile(
    profile: DeviceProfile, covariates: Mapping[str, Covariate], *, live: bool
) -> MeasureSettings:
    """Return what a profile says, its covariates parsed; frames age only where the source is ``live``."""
    max_age_s = profile.camera.max_age_s if live else None
    return MeasureSettings(profile.device.id, profile.measure.regions, max_age_s, covariates)


class Pipeline:
    """Measures frames with one artifact of a bundle. Not for use by two threads at once."""

    def __init__(self, bundle: Bundle, artifact: Artifact, engine: Engine, settings: MeasureSettings) -> None:
        self._manifest = bundle.manifest
        self._bundle_id = bundle.id
        self._artifact = artifact
        self._engine = engine
        self._settings = settings
        self._rules = rules_of(self._manifest)
        check_engine_fits(bundle, artifact, engine)
        size = self._manifest.preprocessing.size
        # One buffer for the life of the pipeline: [1, V, S, S, 3], RGB.
        self._buffer: UInt8Array = np.zeros((1, len(self._manifest.views), size, size, 3), np.uint8)
        self._covariates: dict[str, Covariate] = dict(settings.covariates)
        self._regions: dict[str, tuple[int, int, int, int]] = {
            view: (box.x, box.y, box.w, box.h) for view, box in settings.regions.items()
        }

    def measure(
        self, frames: Frame | Sequence[Frame], covariates: Mapping[str, Covariate] | None = None
    ) -> Reading:
        """Measure one sample: one frame that shows every view, or one frame per view in the bundle's order.

        ``covariates``: of this sample, by name; they come before those of the settings.
        Returns: a reading, refused with its reason where the frame is stale or cannot be measured.
        Raises: ProfileError when one frame is to show several views and not all have a region; ValueError
        for another number of frames; what `Engine.run` raises.
        """
        start = time.perf_counter()
        self._covariates = {**self._settings.covariates, **(covariates or {})}
        shots = [frames] if isinstance(frames, Frame) else list(frames)
        per_view = self._per_view(shots)
        age_s = time.monotonic() - min(shot.monotonic_s for shot in shots)
        limit_s = self._settings.max_age_s
        if limit_s is not None and age_s > limit_s:
            detail = f"expected a frame not older than {limit_s:g} s; got {age_s:.3f} s"
            judgement = Judgement(reason=Reason.STALE_FRAME, detail=detail)
            return self._reading(judgement, shots, age_s, self._latency(start))
        try:
            for slot, (view, shot) in enumerate(zip(self._manifest.views, per_view, strict=True)):
                preprocess(
                    shot.pixels,
                    self._manifest.preprocessing,
                    self._settings.regions.get(view),
                    where=shot.name,
                    out=self._buffer[0, slot],
                )
        except ImageError as error:
            judgement = Judgement(reason=Reason.BAD_FRAME, detail=error.line())
            return self._reading(judgement, shots, age_s, self._latency(start))
        spec = self._manifest.covariates
        examined = spec.examine(self._covariates)
        refusal = self._refusal(examined)
        if refusal is not None:
            digest = hashlib.sha256(self._buffer.data).hexdigest()
            return self._reading(refusal, shots, age_s, self._latency(start), digest)
        preprocessed = time.perf_counter()
        prediction = self._engine.run(self._buffer, spec.encode(self._covariates)[np.newaxis])
        ran = time.perf_counter()
        (judgement,) = self._rules.judge(self._buffer, prediction)
        judgement = with_remark(judgement, examined)
        digest = hashlib.sha256(self._buffer.data).hexdigest()
        latency = self._latency(start)
        latency |= {"preprocess": 1e3 * (preprocessed - start), "engine": 1e3 * (ran - preprocessed)}
        return self._reading(judgement, shots, age_s, latency, digest)

    def refuse(self, frames: Sequence[Frame | BadFrame]) -> Reading:
        """Return the refused reading of a sample of which at least one picture is bad."""
        start = time.perf_counter()
        self._covariates = dict(self._settings.covariates)
        details = [shot.error.line() for shot in frames if isinstance(shot, BadFrame)]
        age_s = time.monotonic() - min(shot.monotonic_s for shot in frames)
        judgement = Judgement(reason=Reason.BAD_FRAME, detail="; ".join(details))
        return self._reading(judgement, frames, age_s, self._latency(start))

    def _refusal(self, examined: Examination) -> Judgement | None:
        """Refuse what the network need not see: a grey picture, covariates unlike those of the training."""
        if self._manifest.colour and is_grey(self._buffer):
            detail = "expected a colour picture, as in training; got a grey one"
            return Judgement(reason=Reason.BAD_FRAME, detail=detail)
        if examined.problem:
            return Judgement(reason=Reason.COVARIATE, detail=examined.problem)
        return None

    def _source(self, shots: Sequence[Frame | BadFrame]) -> str:
        """Name the frame, or which frame was taken for which view."""
        if len(shots) == 1:
            return shots[0].name
        return ", ".join(
            f"{view}={shot.name}" for view, shot in zip(self._manifest.views, shots, strict=True)
        )

    def _per_view(self, shots: Sequence[Frame]) -> Sequence[Frame]:
        views = self._manifest.views
        if len(shots) == len(views):
            return shots
        if len(shots) != 1:
            raise ValueError(f"{len(shots)} frames for {len(views)} views")
        check_one_frame(self._settings.regions, views, where="measure.regions")
        return list(shots) * len(views)

    @staticmethod
    def _latency(start: float) -> dict[str, float]:
        return {"total": 1e3 * (time.perf_counter() - start)}

    def _reading(
        self,
        judgement: Judgement,
        shots: Sequence[Frame | BadFrame],
        age_s: float,
        latency_ms: dict[str, float],
        digest: str = "",
    ) -> Reading:
        oldest = min(shots, key=lambda shot: shot.monotonic_s)
        info = self._engine.info
        return Reading(
            value=judgement.value,
            unit=self._manifest.label.unit,
            lower=judgement.lower,
            upper=judgement.upper,
            coverage=self._manifest.interval.coverage,
            sigma=judgement.sigma,
            flags=judgement.flags,
            refused=judgement.reason is not None,
            reason=judgement.reason,
            detail=judgement.detail,
            analyte=self._manifest.label.analyte,
            source=self._source(shots),
            frames=len(shots),
            bundle=self._bundle_id,
            artifact=self._artifact.name,
            engine=info.engine,
            provider=info.provider,
            device=self._settings.device,
            captured_at=oldest.captured_at.astimezone(UTC).isoformat(timespec="microseconds"),
            capture_age_ms=1e3 * age_s,
            latency_ms=latency_ms,
            frame_sha256=digest,
            regions=self._regions,
            covariates={name: _for_json(value) for name, value in self._covariates.items()},
            id=str(uuid.uuid4()),
        )


def _for_json(value: Covariate) -> Covariate:
    # JSON has no NaN; a reading that is refused for one must still be stored.
    return value if isinstance(value, str) or math.isfinite(value) else str(value)


def rules_of(manifest: Manifest) -> Rules:
    """Return what a bundle says about which predictions may be reported."""
    return Rules(
        label=manifest.label,
        interval=manifest.interval,
        baseline=manifest.baseline,
        disagreement_limit=manifest.disagreement_limit,
        foreign=manifest.foreign,
    )


def check_engine_fits(bundle: Bundle, artifact: Artifact, engine: Engine) -> None:
    """Refuse a graph that takes other views, another size or other covariates than its bundle says.

    Raises: IntegrityError.
    """
    manifest, shape = bundle.manifest, engine.shape
    views, size = len(manifest.views), manifest.preprocessing.size
    columns = len(manifest.covariates.names)
    if shape.views not in (None, views) or shape.size not in (None, size) or shape.covariates != columns:
        raise IntegrityError(
            "the model file does not fit its manifest",
            where=bundle.path / artifact.file,
            expected=f"{views} views of {size} pixels, {columns} covariates",
            got=f"{shape.views} views of {shape.size} pixels, {shape.covariates} covariates",
            fix="Export the bundle again",
        )
