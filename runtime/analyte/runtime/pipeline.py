"""From frames to readings: find, cut, check, correct, run, judge. The only way to a number."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from analyte.contract.arrays import Float32Array, UInt8Array
from analyte.contract.bundle import Bundle
from analyte.contract.covariates import Covariate
from analyte.contract.errors import ImageError, IntegrityError
from analyte.contract.manifest import Artifact, Manifest
from analyte.contract.preprocessing import is_grey, preprocess
from analyte.contract.reading import Reading, Reason
from analyte.runtime.colour.protocol import ColourRecord
from analyte.runtime.control.events import RecalibrationRecord
from analyte.runtime.engines.protocol import Engine
from analyte.runtime.judgement import Judgement, Rules, with_remark, with_verdict
from analyte.runtime.measuring import MeasureSettings
from analyte.runtime.quality.empty import refuse_empty
from analyte.runtime.quality.protocol import Verdict
from analyte.runtime.readings import ReadingFactory
from analyte.runtime.refusal import Refusal
from analyte.runtime.regions.boxes import check_one_frame
from analyte.runtime.regions.protocol import Located, Site
from analyte.runtime.sources.protocol import BadFrame, Frame
from analyte.runtime.stopwatch import Stopwatch


@dataclass(slots=True)
class Sample:
    """What is known of a sample while it is measured."""

    shots: Sequence[Frame | BadFrame]
    covariates: Mapping[str, Covariate]
    age_s: float
    watch: Stopwatch
    recalibration: RecalibrationRecord | None
    """In force while it is measured."""
    sites: tuple[Site, ...] = ()
    """Empty until they are found."""
    verdicts: list[Verdict] = field(default_factory=list)
    """Of each site; empty until the quality was examined."""
    colour: ColourRecord | None = None
    digests: list[str] = field(default_factory=list)
    """sha256 of the pixels of each site, hexadecimal; empty until they are cut out."""


@dataclass(frozen=True, slots=True)
class Part:
    """A located frame and the views that it shows."""

    located: Located
    name: str
    """Of the frame, for people."""
    first: int
    last: int
    """Indices of its views, the last exclusive."""


class Pipeline:
    """Measures frames with one artifact of a bundle. Not for use by two threads at once."""

    def __init__(self, bundle: Bundle, artifact: Artifact, engine: Engine, settings: MeasureSettings) -> None:
        manifest = bundle.manifest
        check_engine_fits(bundle, artifact, engine)
        self._manifest = manifest
        self._engine = engine
        self._settings = settings
        self._rules = replace(rules_of(manifest), lod=settings.lod, loq=settings.loq)
        self._readings = ReadingFactory(bundle, artifact, engine.info, settings.device)
        size = manifest.preprocessing.size
        # Buffers for the life of the pipeline: [K, V, S, S, 3], RGB, and a row of covariates for each site.
        shape = (len(settings.regions.names), len(manifest.views), size, size, 3)
        self._pictures: UInt8Array = np.zeros(shape, np.uint8)
        self._covariates: Float32Array = np.zeros((shape[0], len(manifest.covariates.names)), np.float32)

    def measure_all(
        self, frames: Frame | Sequence[Frame], covariates: Mapping[str, Covariate] | None = None
    ) -> list[Reading]:
        """Measure every site of one frame that shows every view, or of one frame per view in their order.

        ``covariates``: of this sample, by name; they come before those of the settings.
        Returns: one reading per site, refused with its reason where no value may be reported.
        Raises: ProfileError when one frame is to show several views and not all have a region; ValueError
        for another number of frames; what `Engine.run` raises.
        """
        shots = [frames] if isinstance(frames, Frame) else list(frames)
        sample = self._sample(shots, covariates)
        try:
            judgements = self._judge(sample, shots)
        except Refusal as refusal:
            refused = Judgement(reason=refusal.reason, detail=refusal.detail)
            judgements = [refused] * len(self._settings.regions.names)
        return self._report(sample, judgements)

    def measure(
        self, frames: Frame | Sequence[Frame], covariates: Mapping[str, Covariate] | None = None
    ) -> Reading:
        """Return the reading of a sample that gives one; see `measure_all`."""
        (reading,) = self.measure_all(frames, covariates)
        return reading

    def refuse_all(self, frames: Sequence[Frame | BadFrame]) -> list[Reading]:
        """Return the refused readings of a sample of which at least one picture is bad, one per site."""
        sample = self._sample(frames, None)
        details = "; ".join(shot.error.line() for shot in frames if isinstance(shot, BadFrame))
        judgement = Judgement(reason=Reason.BAD_FRAME, detail=details)
        return self._report(sample, [judgement] * len(self._settings.regions.names))

    def refuse(self, frames: Sequence[Frame | BadFrame]) -> Reading:
        """Return the refused reading of a sample that gives one; see `refuse_all`."""
        (reading,) = self.refuse_all(frames)
        return reading

    def _sample(
        self, shots: Sequence[Frame | BadFrame], covariates: Mapping[str, Covariate] | None
    ) -> Sample:
        age_s = time.monotonic() - min(shot.monotonic_s for shot in shots)
        beside = {**self._settings.covariates, **(covariates or {})}
        return Sample(shots, beside, age_s, Stopwatch(), self._settings.recalibration())

    def _report(self, sample: Sample, judgements: Sequence[Judgement]) -> list[Reading]:
        names = self._settings.regions.names
        latency_ms = sample.watch.latency_ms()
        return [
            self._readings.reading(
                judgement,
                sample.shots,
                age_s=sample.age_s,
                latency_ms=latency_ms,
                covariates=sample.covariates,
                site=sample.sites[at] if sample.sites else Site(name, {}),
                digest=sample.digests[at] if sample.digests else "",
                quality=sample.verdicts[at].figures if sample.verdicts else {},
                colour=sample.colour,
                recalibration="" if sample.recalibration is None else sample.recalibration.version,
            )
            for at, (name, judgement) in enumerate(zip(names, judgements, strict=True))
        ]

    def _judge(self, sample: Sample, shots: Sequence[Frame]) -> list[Judgement]:
        """Take a sample through every stage; what is found is noted in it. Raises: Refusal for all sites."""
        limit_s = self._settings.max_age_s
        if limit_s is not None and sample.age_s > limit_s:
            detail = f"expected a frame not older than {limit_s:g} s; got {sample.age_s:.3f} s"
            raise Refusal(Reason.STALE_FRAME, detail)
        parts = self._cut(sample, shots)
        self._examine(sample, parts)
        self._correct(sample, parts)
        sample.digests = [hashlib.sha256(site.data).hexdigest() for site in self._pictures]
        spec = self._manifest.covariates
        examined = spec.examine(sample.covariates)
        if examined.problem:
            raise Refusal(Reason.COVARIATE, examined.problem)
        # A frame of which nothing may be reported is not worth the network.
        if all(verdict.reason is not None for verdict in sample.verdicts):
            return [with_verdict(Judgement(), verdict) for verdict in sample.verdicts]
        if spec.names:
            self._covariates[:] = spec.encode(sample.covariates)
        prediction = self._engine.run(self._pictures, self._covariates)
        sample.watch.lap("engine")
        held = sample.recalibration
        judged = self._rules.judge(
            self._pictures, prediction, None if held is None else held.correction.correction()
        )
        judgements = [
            with_verdict(with_remark(judgement, examined), verdict)
            for judgement, verdict in zip(judged, sample.verdicts, strict=True)
        ]
        sample.watch.lap("judge")
        return judgements

    def _cut(self, sample: Sample, shots: Sequence[Frame]) -> list[Part]:
        """Find the sites and cut their views out into the buffer. Raises: Refusal."""
        views, spec = self._manifest.views, self._manifest.preprocessing
        parts = self._located(shots)
        sample.sites = parts[0].located.sites if len(parts) == 1 else _together(parts, views)
        sample.watch.lap("locate")
        for part in parts:
            for at, site in enumerate(part.located.sites):
                for slot in range(part.first, part.last):
                    box, out = site.boxes.get(views[slot]), self._pictures[at, slot]
                    try:
                        preprocess(part.located.pixels, spec, box, where=part.name, out=out)
                    except ImageError as error:
                        raise Refusal(Reason.BAD_FRAME, error.line()) from error
        sample.watch.lap("preprocess")
        return parts

    def _located(self, shots: Sequence[Frame]) -> list[Part]:
        views, finder = self._manifest.views, self._settings.regions
        if len(shots) == 1:
            located = finder.locate(shots[0].pixels)
            check_one_frame(located.sites[0].boxes, views, where="region.boxes")
            return [Part(located, shots[0].name, 0, len(views))]
        if len(shots) != len(views):
            raise ValueError(f"{len(shots)} frames for {len(views)} views")
        return [
            Part(_own(finder.locate(shot.pixels), shot), shot.name, slot, slot + 1)
            for slot, shot in enumerate(shots)
        ]

    def _examine(self, sample: Sample, parts: Sequence[Part]) -> None:
        """Note what is wrong with the pictures of each site, before their colours are touched."""
        sample.verdicts = [_seen(site, colour=self._manifest.colour) for site in self._pictures]
        if self._settings.quality is None:
            return
        for part in parts:
            located, views = part.located, self._manifest.views[part.first : part.last]
            shown = self._pictures[:, part.first : part.last]
            found = self._settings.quality.examine(located.pixels, located.sites, shown, views)
            sample.verdicts = [a.joined(b) for a, b in zip(sample.verdicts, found, strict=True)]
        sample.watch.lap("quality")

    def _correct(self, sample: Sample, parts: Sequence[Part]) -> None:
        """Correct the colours in the buffer. Raises: Refusal."""
        if self._settings.colour is None:
            return
        views, edge = self._manifest.views, self._manifest.preprocessing.size
        for part in parts:
            slots = range(part.first, part.last)
            boxes = [site.boxes.get(views[slot]) for site in part.located.sites for slot in slots]
            # All views or one of them: no copy of the buffer either way, but a view of it.
            pictures = self._pictures[:, part.first : part.last].reshape(-1, edge, edge, 3)
            record = self._settings.colour.correct(part.located.pixels, boxes, pictures)
            sample.colour = record if sample.colour is None else sample.colour.joined(record)
        sample.watch.lap("colour")


def _seen(pictures: UInt8Array, *, colour: bool) -> Verdict:
    """Refuse what no profile has to ask for: pictures ``[V, S, S, 3]``, RGB, that show nothing, or grey ones
    where training saw ``colour``."""
    try:
        refuse_empty(pictures)
    except Refusal as refusal:
        return Verdict({}, (), refusal.reason, refusal.detail)
    if colour and is_grey(pictures):
        detail = "expected a colour picture, as in training; got a grey one"
        return Verdict({}, (), Reason.BAD_FRAME, detail)
    return Verdict({})


def _own(located: Located, shot: Frame) -> Located:
    """Return what was found with pixels that outlast the finder's next frame."""
    return located if located.pixels is shot.pixels else replace(located, pixels=located.pixels.copy())


def _together(parts: Sequence[Part], views: Sequence[str]) -> tuple[Site, ...]:
    """Return the sites of frames that show one view each, with the boxes of all views."""
    together: list[Site] = []
    for sites in zip(*(part.located.sites for part in parts), strict=True):
        boxes = {
            view: site.boxes[view] for view, site in zip(views, sites, strict=True) if view in site.boxes
        }
        together.append(Site(sites[0].name, boxes, min(site.coverage for site in sites)))
    return tuple(together)


def rules_of(manifest: Manifest) -> Rules:
    """Return what a bundle says about which predictions may be reported, detection limits aside."""
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
