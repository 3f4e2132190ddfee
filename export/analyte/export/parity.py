"""Parity of a finished bundle: Keras run again, against every artifact at several batch sizes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from analyte.contract.bundle import Bundle
from analyte.export.gate import TOLERANCE_OF_RANGE
from analyte.export.trained_model import load_model, predict
from analyte.runtime.deviation import measure_deviation
from analyte.runtime.engines.registry import open_engine
from analyte.runtime.selftest import SelfTestResult, describe

BATCHES = (1, 7)
"""A second batch size finds graphs that baked the first one in; 7 divides nothing."""


@dataclass(frozen=True, slots=True)
class Parity:
    """All comparisons, and whether the golden set still is what Keras says."""

    golden_deviation: float
    """Largest difference between the stored golden values and Keras run now, label's unit."""
    golden_passed: bool
    """Whether that is within the float32 tolerance: devices are tested against the golden set."""
    results: tuple[SelfTestResult, ...]

    @property
    def passed(self) -> bool:
        """Whether Keras still says what the golden set says, and every artifact what Keras says."""
        return self.golden_passed and all(result.passed for result in self.results)


def check_parity(bundle: Bundle, model_file: Path | None) -> Parity:
    """Compare every artifact with Keras on the golden set.

    ``model_file``: the Keras model to compare with; the bundle's own when None.
    Raises: IntegrityError for altered files, UnavailableError for a missing engine.
    """
    bundle.verify()
    golden = bundle.golden_set()
    model = load_model(model_file or bundle.path / bundle.manifest.model.file)
    keras = predict(model, golden.images, golden.covariates)
    results: list[SelfTestResult] = []
    for artifact in bundle.manifest.artifacts:
        engine = open_engine(bundle.read(artifact), artifact.engine, where=bundle.path / artifact.file)
        try:
            for batch in BATCHES:
                deviation = measure_deviation(
                    engine,
                    golden.images,
                    keras.value,
                    batch,
                    sigma=keras.sigma,
                    covariates=golden.covariates,
                )
                results.append(describe(artifact, engine, deviation))
        finally:
            engine.close()
    drift = float(np.max(np.abs(keras.value - golden.value)))
    tolerance = TOLERANCE_OF_RANGE["float32"] * bundle.manifest.label.span
    return Parity(drift, drift <= tolerance, tuple(results))
