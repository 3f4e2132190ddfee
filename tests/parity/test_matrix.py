"""Every recipe in every format on every engine, one by one and in batches, against Keras."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import keras
import numpy as np
import pytest

from analyte.contract.arrays import UInt8Array
from analyte.contract.bundle import Bundle, open_bundle
from analyte.contract.manifest import Artifact
from analyte.contract.run import load_record, load_samples
from analyte.export.formats import FORMATS
from analyte.export.gate import TOLERANCE_OF_RANGE
from analyte.export.source import Source
from analyte.export.trained_model import load_model, predict
from analyte.runtime.deviation import measure_deviation
from analyte.runtime.engines.protocol import Engine
from analyte.runtime.engines.registry import open_engine
from analyte.train.recipes.registry import RECIPES
from conftest import BUNDLED, DEFAULT_RECIPE, Make
from train.tiny_studies import random_pictures, symmetries

RecordProperty = Callable[[str, object], None]
PROVIDERS = {"onnx": ("cpu",), "litert": ("xnnpack", "cpu")}
"""Every engine that runs on any processor."""
CASES = [
    pytest.param(recipe, views, name, provider, id=f"{recipe}-{views}view-{name}-{provider}")
    for recipe, entry_of_recipe in RECIPES.items()
    # A published network of millions of weights takes minutes; the rest of its graph is that of the others.
    if not entry_of_recipe.pretrained
    # Two views share one trunk, whichever it is.
    for views in ((1, 2) if recipe == DEFAULT_RECIPE else (1,))
    for name in BUNDLED
    if recipe == DEFAULT_RECIPE or FORMATS[name].precision == "float32"
    for provider in PROVIDERS[FORMATS[name].engine]
]
TURNED_OF_RANGE = 1e-5
"""A turned picture gives the same numbers in another order, so only the rounding of float32 sums differs:
some units in the last place per layer, about 1e-6 of the range. Ten times that, as at the gate."""


@dataclass(frozen=True, slots=True)
class Case:
    """An opened artifact beside the Keras model that it was made from."""

    bundle: Bundle
    model: keras.Model
    engine: Engine
    artifact: Artifact
    pictures: UInt8Array
    """Validation pictures, ``[N, V, S, S, 3]``: never seen by training or calibration."""

    @property
    def span(self) -> float:
        return self.bundle.manifest.label.span

    @property
    def unit(self) -> str:
        return self.bundle.manifest.label.unit


@pytest.fixture
def case(recipe: str, views: int, name: str, provider: str, run_of: Make, bundle_of: Make) -> Iterator[Case]:
    bundle = open_bundle(bundle_of(recipe, views))
    artifact = bundle.artifact(name)
    engine = open_engine(bundle.read(artifact), artifact.engine, provider)
    model = load_model(bundle.path / bundle.manifest.model.file)
    yield Case(bundle, model, engine, artifact, load_samples(run_of(recipe, views)).val_images)
    engine.close()


@pytest.mark.parametrize("batch", [1, 7])
@pytest.mark.parametrize(("recipe", "views", "name", "provider"), CASES)
def test_says_what_keras_says(case: Case, batch: int, record_property: RecordProperty) -> None:
    # The tolerances and their reasons stand in the gate: the maximum for float32, the 99th percentile for
    # int8, whose steps in a rare picture are no fault.
    precision = case.artifact.precision
    tolerance = TOLERANCE_OF_RANGE[precision] * case.span
    reference = predict(case.model, case.pictures).value
    deviation = measure_deviation(case.engine, case.pictures, reference, batch)
    record_property("max_deviation", f"{deviation.max:.3g} {case.unit}")
    # The others are hardly trained: 500 times the tolerance of float32 has to do.
    least = 0.5 if case.bundle.manifest.provenance.recipe == DEFAULT_RECIPE else 0.005
    assert np.ptp(reference) > least * case.span, "the model says the same of all pictures: nothing is proved"
    assert deviation.passes(precision, tolerance), (
        f"max {deviation.max:.3g}, p99 {deviation.p99:.3g} {case.unit} in batches of {batch}; "
        f"tolerance {tolerance:.3g} {case.unit}"
    )
    assert case.artifact.parity.tolerance == pytest.approx(tolerance)


@pytest.mark.parametrize(("recipe", "views", "name", "provider"), CASES)
def test_sigma_and_features(case: Case, record_property: RecordProperty) -> None:
    """The interval hangs on sigma: it has to be as right as the value."""
    said, exact = case.engine.run(case.pictures), predict(case.model, case.pictures)
    deviation = float(np.abs(said.sigma.astype(np.float64) - exact.sigma).max())
    record_property("max_deviation_of_sigma", f"{deviation:.3g} {case.unit}")
    tolerance = TOLERANCE_OF_RANGE[case.artifact.precision] * case.span
    assert deviation <= tolerance, f"{deviation:.3g} {case.unit}, tolerance {tolerance:.3g} {case.unit}"
    assert (said.sigma > 0).all()
    # Features have no unit: their spread is the measure. Eight bits of several layers leave about a percent.
    change = np.abs(said.features - exact.features) / exact.features.std()
    if case.artifact.precision == "float32":
        assert float(change.max()) <= 1e-4
    else:
        assert float(change.mean()) <= 0.03


@pytest.mark.parametrize(("recipe", "views", "name", "provider"), CASES)
def test_batch_size_changes_nothing(case: Case) -> None:
    """Samples of a batch do not see each other: engine against itself, so rounding of one sum at most."""
    together = case.engine.run(case.pictures[:7]).value
    alone = np.concatenate([case.engine.run(case.pictures[i : i + 1]).value for i in range(7)])
    assert float(np.abs(together - alone).max()) <= TURNED_OF_RANGE * case.span


@pytest.mark.parametrize(
    ("recipe", "views", "name", "provider"),
    [case for case in CASES if FORMATS[str(case.values[2])].precision == "float32"],
)
def test_quarter_turns_and_mirrors_change_nothing(case: Case, record_property: RecordProperty) -> None:
    if not RECIPES[case.bundle.manifest.provenance.recipe].invariant:
        pytest.skip("the recipe does not promise it")
    # Noise has no symmetry of its own; both views of a sample turn together, and each alone.
    views = len(case.bundle.manifest.views)
    pictures = random_pictures(4, views, size=case.bundle.manifest.preprocessing.size)
    for turned in (symmetries(pictures), turn_last_view(pictures)):
        for model in (case.engine.run, lambda images: predict(case.model, images)):
            values = np.stack([model(images).value for images in turned])
            worst = float(np.abs(values - values[0]).max())
            record_property("max_change", f"{worst:.3g} {case.unit}")
            tolerance = TURNED_OF_RANGE * case.span
            assert worst <= tolerance, f"changes by {worst:.3g} {case.unit}, tolerance {tolerance:.3g}"
    assert np.ptp(predict(case.model, pictures).value) > 0


def turn_last_view(pictures: UInt8Array) -> list[UInt8Array]:
    turned: list[UInt8Array] = []
    for last in symmetries(pictures[:, -1:]):
        turned.append(np.concatenate([pictures[:, :-1], last], axis=1))
    return turned


OTHERS = [
    pytest.param(recipe, name, id=f"{recipe}-{name}")
    for recipe, entry_of_recipe in RECIPES.items()
    if recipe != DEFAULT_RECIPE and not entry_of_recipe.pretrained
    for name in BUNDLED
    if FORMATS[name].precision != "float32"
]


@pytest.fixture(scope="session")
def source_of(run_of: Make) -> Callable[[str], Source]:
    """Give what a hardly trained network of a recipe is converted from. Its parts are made once."""

    @functools.cache
    def make(recipe: str) -> Source:
        run = run_of(recipe, 1)
        return Source(load_model(run / "model.keras"), load_samples(run).train_images[:48])

    return make


@pytest.mark.parametrize(("recipe", "name"), OTHERS)
def test_other_precisions(
    recipe: str, name: str, run_of: Make, source_of: Callable[[str], Source], record_property: RecordProperty
) -> None:
    """Hardly trained networks need not pass a gate, but all that a recipe is made of has to convert."""
    entry, source = FORMATS[name], source_of(recipe)
    data = entry.convert(source)
    pictures = load_samples(run_of(recipe, 1)).val_images
    exact = predict(source.model, pictures)
    span = load_record(run_of(recipe, 1)).label.span
    for provider in PROVIDERS[entry.engine]:
        engine = open_engine(data, entry.engine, provider)
        said = engine.run(pictures)
        alone = engine.run(pictures[:1])
        engine.close()
        deviation = np.abs(said.value.astype(np.float64) - exact.value)
        record_property("max_deviation", f"{deviation.max():.3g}")
        assert float(np.percentile(deviation, 99)) <= TOLERANCE_OF_RANGE[entry.precision] * span
        # Features have no unit: their spread is the measure.
        change = float(np.abs(said.features - exact.features).mean() / exact.features.std())
        assert change <= (0.002 if entry.precision == "float16" else 0.05)
        assert abs(float(alone.value[0]) - float(said.value[0])) <= TURNED_OF_RANGE * span
