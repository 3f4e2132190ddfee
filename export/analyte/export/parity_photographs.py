"""Parity from the photograph on: the device's pipeline against Keras behind training's preprocessing."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import keras
import numpy as np

from analyte.contract.bundle import Bundle
from analyte.contract.dataset import Dataset, Sample
from analyte.contract.errors import DatasetError
from analyte.contract.pictures import load_pictures
from analyte.contract.reading import Reason
from analyte.export.trained_model import predict
from analyte.runtime.cases import Case
from analyte.runtime.deviation import compare
from analyte.runtime.engines.protocol import Prediction
from analyte.runtime.photographs import check_dataset_fits, measure_photographs, spread_samples
from analyte.runtime.pipeline import rules_of
from analyte.runtime.selftest import SelfTestResult, describe

PHOTOGRAPHS = 64
"""Samples of a dataset that are compared where nobody says how many, spread over the levels."""


@dataclass(frozen=True, slots=True)
class PhotographResult(SelfTestResult):
    """One case from photographs to readings; ``n`` counts those that reached the engine."""

    refused: int
    """Readings that the device refuses, for whatever reason."""
    judged_otherwise: int
    """Readings that are refused for another reason, or not at all, where Keras' value is judged: a number
    next to a limit may fall on its other side, so this is no miss by itself."""


@dataclass(frozen=True, slots=True)
class PhotographParity:
    """Every case on the same photographs."""

    dataset: str
    samples: int
    results: tuple[PhotographResult, ...]


@dataclass(frozen=True, slots=True)
class KerasOnPhotographs:
    """What Keras says of a sample of a dataset, and how a device would judge that."""

    dataset: Dataset
    samples: tuple[Sample, ...]
    said: Prediction
    judged: tuple[Reason | None, ...]
    """Why the value of each sample would be refused; None where it would not."""


def keras_on_photographs(
    bundle: Bundle, model: keras.Model, dataset: Dataset, count: int
) -> KerasOnPhotographs:
    """Run Keras on at most ``count`` samples of every level, read as training reads them.

    Raises: DatasetError when the dataset does not fit the bundle, or a picture cannot be used.
    """
    check_dataset_fits(bundle, dataset)
    samples = spread_samples(dataset, count)
    manifest = bundle.manifest
    images = load_pictures(samples, manifest.preprocessing, where=dataset.root)
    beside = manifest.covariates.encode_all([dataset.covariates_of(sample) for sample in samples])
    said = predict(model, images, beside)
    judged = tuple(judgement.reason for judgement in rules_of(manifest).judge(images, said))
    return KerasOnPhotographs(dataset, tuple(samples), said, judged)


def compare_on_photographs(bundle: Bundle, case: Case, reference: KerasOnPhotographs) -> PhotographResult:
    """Measure the same photographs as a device does and compare.

    Raises: UnavailableError when the case is not there; DatasetError when no photograph can be measured.
    """
    engine = case.open(bundle)
    try:
        found = measure_photographs(bundle, case.artifact, engine, reference.dataset, reference.samples)
    finally:
        engine.close()
    asked = [index for index, one in enumerate(found) if one.value is not None]
    if not asked:
        details = sorted({one.reading.detail for one in found})
        raise DatasetError(
            "no photograph of the dataset can be measured",
            where=reference.dataset.root,
            got="; ".join(details[:3]),
        )
    said = reference.said
    value, sigma = (
        np.asarray([getattr(found[index], name) for index in asked], np.float32)
        for name in ("value", "sigma")
    )
    prediction = Prediction(value, sigma, said.features[asked])
    measured = compare(prediction, said.value[asked], 1, sigma=said.sigma[asked])
    return PhotographResult(
        **dataclasses.asdict(describe(case.artifact, engine, measured)),
        refused=sum(one.reading.refused for one in found),
        judged_otherwise=sum(found[index].reading.reason != reference.judged[index] for index in asked),
    )
