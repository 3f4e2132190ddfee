"""Photographs of a dataset through the whole device: decode, region, resize, engine, judgement."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from analyte.contract.arrays import Float32Array, UInt8Array
from analyte.contract.bundle import Bundle
from analyte.contract.dataset import Dataset, Sample, sample_hashes
from analyte.contract.errors import DatasetError
from analyte.contract.manifest import Artifact
from analyte.contract.reading import Reading
from analyte.runtime.engines.protocol import Engine, EngineInfo, GraphShape, Prediction
from analyte.runtime.measuring import MeasureSettings
from analyte.runtime.pipeline import Pipeline
from analyte.runtime.regions.fixed import FixedRegions
from analyte.runtime.sources.folder import read_frame
from analyte.runtime.sources.protocol import Frame


@dataclass(frozen=True, slots=True)
class Photographed:
    """What a device made of one sample."""

    reading: Reading
    value: float | None
    """What the engine said, label's unit, a refused reading's too; None where it was not asked."""
    sigma: float | None
    """The same for sigma, label's unit."""


def spread_samples(dataset: Dataset, count: int) -> list[Sample]:
    """Return at most ``count`` samples, evenly over the sorted values: every level has its share."""
    ordered = sorted(dataset.samples, key=lambda sample: (sample.value, sample.id))
    chosen = np.unique(np.linspace(0, len(ordered) - 1, min(count, len(ordered))).round().astype(int))
    return [ordered[index] for index in chosen]


def unseen(bundle: Bundle, dataset: Dataset) -> Dataset:
    """Return the test split where one is marked, else all, without samples whose very pictures training saw.

    Raises: DatasetError when nothing is left.
    """
    chosen = dataset.subset("test") if any(s.split == "test" for s in dataset.samples) else dataset
    seen = set(bundle.manifest.provenance.dataset.seen)
    hashes = picture_hashes(chosen.samples)
    left = [sample for sample, digest in zip(chosen.samples, hashes, strict=True) if digest not in seen]
    if not left:
        raise DatasetError(
            "training or validation saw every sample, so no error can be measured on them",
            where=dataset.root,
            fix="Give photographs that the model was not trained on",
        )
    return replace(dataset, samples=tuple(left))


def picture_hashes(samples: Sequence[Sample]) -> list[str]:
    """Return the samples' hashes; of pictures that cannot be read, which no training saw, an empty one."""
    try:
        return sample_hashes(samples)
    except OSError:
        # One by one where some cannot be read: all at once reads a file only once.
        return [""] if len(samples) == 1 else [picture_hashes([sample])[0] for sample in samples]


def check_dataset_fits(bundle: Bundle, dataset: Dataset) -> None:
    """Refuse a dataset of other views, another unit or without the bundle's covariates.

    Raises: DatasetError.
    """
    manifest, spec = bundle.manifest, dataset.spec
    if spec.views != manifest.views or spec.unit != manifest.label.unit:
        raise DatasetError(
            "the dataset does not fit the bundle",
            where=dataset.root,
            expected=f"views {', '.join(manifest.views)} in {manifest.label.unit}",
            got=f"views {', '.join(spec.views)} in {spec.unit}",
        )
    absent = [name for name in manifest.covariates.names if name not in spec.covariate_names]
    if absent:
        raise DatasetError(
            f"the bundle takes the covariate {absent[0]!r}, which the dataset does not have",
            where=dataset.root,
            expected=", ".join(manifest.covariates.names),
            got=", ".join(spec.covariate_names) or "none",
        )
    if not dataset.samples:
        raise DatasetError("the dataset has no samples", where=dataset.root)


def measure_photographs(
    bundle: Bundle,
    artifact: Artifact,
    engine: Engine,
    dataset: Dataset,
    samples: Sequence[Sample],
    on_progress: Callable[[int], object] = lambda done: None,
) -> list[Photographed]:
    """Measure samples of a dataset as a device measures its frames, one by one.

    ``on_progress`` is called with the number of samples just done. Raises: what `Engine.run` raises.
    """
    recorder = _Recorder(engine)
    found: list[Photographed] = []
    for sample in samples:
        names = bundle.manifest.views
        regions = {
            name: view.region
            for name, view in zip(names, sample.views, strict=True)
            if view.region is not None
        }
        settings = MeasureSettings("dataset", FixedRegions(regions), covariates=dataset.covariates_of(sample))
        pipeline = Pipeline(bundle, artifact, recorder, settings)
        shots = [read_frame(view.path, index) for index, view in enumerate(sample.views)]
        good = [shot for shot in shots if isinstance(shot, Frame)]
        recorder.said = None
        reading = pipeline.measure(good) if len(good) == len(shots) else pipeline.refuse(shots)
        said = recorder.said
        numbers = (None, None) if said is None else (float(said.value[0]), float(said.sigma[0]))
        found.append(Photographed(reading, *numbers))
        on_progress(1)
    return found


class _Recorder:
    """An engine that keeps what it said last: a refused reading does not give its value."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.said: Prediction | None = None

    @property
    def info(self) -> EngineInfo:
        return self._engine.info

    @property
    def shape(self) -> GraphShape:
        return self._engine.shape

    def run(self, images: UInt8Array, covariates: Float32Array | None = None) -> Prediction:
        self.said = self._engine.run(images, covariates)
        return self.said

    def close(self) -> None:
        self._engine.close()
