"""A foreign model under the graph contract says what it said before, in the label's unit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from analyte.contract.errors import AnalyteError, InputError, IntegrityError
from analyte.export.adoption.spec import InputSection, ModelSpec, OutputSection
from analyte.export.adoption.wrapping import as_owner, load_foreign, under_contract
from analyte.export.trained_model import cloned, load_model, predict

_SIZE = 32


def stated(**changes: Any) -> ModelSpec:
    given = {"black": 0.0, "white": 255.0, **changes.pop("input", {})}
    return ModelSpec(unit="mL", unseen="val", input=InputSection(**given), **changes)


def pictures(count: int = 5, size: int = _SIZE) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 1, size, size, 3), np.uint8)


def saved(folder: Path, model: Any) -> Path:
    file = folder / "any.keras"
    model.save(file)
    return file


def tail(tensor: Any) -> Any:
    return keras.layers.Dense(1)(
        keras.layers.Dense(7, name="hidden")(keras.layers.Flatten(name="flat")(tensor))
    )


def plain(shape: tuple[int | None, ...] = (_SIZE, _SIZE, 3), dtype: str = "float32") -> Any:
    image = keras.Input(shape, dtype=dtype)
    scaled = keras.layers.Rescaling(1 / 255.0)(image)
    pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(5, 3, activation="relu")(scaled))
    return keras.Model(image, keras.layers.Dense(1)(pooled))


def randomized(model: Any) -> Any:
    """Give normalizations the statistics of some training, so that leaving one out would show."""
    random = np.random.default_rng(1)
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            randomized(layer)
        elif isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([random.uniform(0.5, 2.0, weights.shape) for weights in layer.get_weights()])
    return model


def nested() -> Any:
    inner = keras.Sequential(
        [
            keras.Input((_SIZE, _SIZE, 3)),
            keras.layers.Conv2D(4, 3, use_bias=False),
            keras.layers.BatchNormalization(),
            keras.layers.DepthwiseConv2D(3, depth_multiplier=2),
            keras.layers.BatchNormalization(scale=False),
            keras.layers.ReLU(6.0),
            keras.layers.BatchNormalization(),
        ],
        name="inner",
    )
    residual = keras.Input((28, 28, 8))
    block = keras.Model(residual, residual + keras.layers.Conv2D(8, 1, name="conv2d")(residual), name="block")
    return randomized(
        keras.Sequential(
            [keras.Input((_SIZE, _SIZE, 3)), inner, block, keras.layers.Flatten(), keras.layers.Dense(1)]
        )
    )


@pytest.mark.parametrize("make", [plain, nested])
def test_says_what_it_said(tmp_path: Path, make: Any) -> None:
    model = make()
    file = saved(tmp_path, model)
    wrapped = under_contract(load_foreign(file, stated()), stated(), 2.5)
    images = pictures()
    said = predict(wrapped, images)
    wanted = np.asarray(model(images[:, 0].astype(np.float32))).ravel()
    assert said.value == pytest.approx(wanted, rel=1e-4, abs=1e-4)
    assert said.sigma == pytest.approx(np.full(5, 2.5))
    assert said.features.ndim == 2
    assert not any(isinstance(layer, keras.Model) for layer in wrapped.layers)
    wrapped.save(tmp_path / "wrapped.keras")
    assert predict(load_model(tmp_path / "wrapped.keras"), images).value == pytest.approx(said.value)


def test_normalizations_are_gone_where_something_linear_precedes_them(tmp_path: Path) -> None:
    foreign = load_foreign(saved(tmp_path, nested()), stated())
    kinds = [type(layer).__name__ for layer in foreign.model.layers]
    # The one behind the ReLU cannot go into any weights.
    assert kinds.count("BatchNormalization") == 1


def test_pixels_come_as_the_training_had_them(tmp_path: Path) -> None:
    """Black and white per channel in the model's order, which is bgr here."""
    spec = stated(
        input={"black": [-1.0, -2.0, -3.0], "white": [1.0, 2.0, 4.0], "channels": "bgr"},
        output=OutputSection(scale=-3.0, offset=7.0),
    )
    model = plain()
    wrapped = under_contract(load_foreign(saved(tmp_path, model), spec), spec, 1.0)
    images = pictures()
    turned = images[:, 0, :, :, ::-1] / 255.0
    given = np.array([-1.0, -2.0, -3.0]) + turned * np.array([2.0, 4.0, 7.0])
    wanted = -3.0 * np.asarray(model(given.astype(np.float32))).ravel() + 7.0
    assert predict(wrapped, images).value == pytest.approx(wanted, rel=1e-4, abs=1e-4)


def test_integers_go_in_as_they_are(tmp_path: Path) -> None:
    model = plain(dtype="uint8")
    wrapped = under_contract(load_foreign(saved(tmp_path, model), stated()), stated(), 1.0)
    images = pictures()
    assert predict(wrapped, images).value == pytest.approx(np.asarray(model(images[:, 0])).ravel(), abs=1e-5)


def test_several_views(tmp_path: Path) -> None:
    image = keras.Input((2, _SIZE, _SIZE, 3))
    model = keras.Model(image, tail(keras.layers.AveragePooling3D((1, 8, 8))(image)))
    foreign = load_foreign(saved(tmp_path, model), stated())
    assert (foreign.views, foreign.size) == (2, _SIZE)
    images = np.concatenate([pictures(), pictures()[::-1]], axis=1)
    said = predict(under_contract(foreign, stated(), 1.0), images)
    assert said.value == pytest.approx(np.asarray(model(images.astype(np.float32))).ravel(), rel=1e-4)


def test_open_size_is_stated(tmp_path: Path) -> None:
    file = saved(tmp_path, plain((None, None, 3)))
    with pytest.raises(InputError, match=r"leaves the size .* open; expected input\.size"):
        load_foreign(file, stated())
    spec = stated(input={"size": 24})
    foreign = load_foreign(file, spec)
    assert foreign.size == 24
    assert predict(under_contract(foreign, spec, 1.0), pictures(size=24)).value.shape == (5,)


def test_flat_output(tmp_path: Path) -> None:
    image = keras.Input((_SIZE, _SIZE, 3))
    model = keras.Model(image, keras.layers.Reshape(())(tail(keras.layers.AveragePooling2D(8)(image))))
    wrapped = under_contract(load_foreign(saved(tmp_path, model), stated()), stated(), 1.0)
    assert predict(wrapped, pictures()).value.shape == (5,)


def test_features_go_into_the_last_layer_with_weights(tmp_path: Path) -> None:
    image = keras.Input((_SIZE, _SIZE, 3))
    file = saved(tmp_path, keras.Model(image, tail(keras.layers.AveragePooling2D(8)(image))))
    spec = stated()
    assert predict(under_contract(load_foreign(file, spec), spec, 1.0), pictures()).features.shape == (5, 7)
    spec = stated(features="flat")
    found = predict(under_contract(load_foreign(file, spec), spec, 1.0), pictures()).features
    assert found.shape == (5, 4 * 4 * 3)
    with pytest.raises(InputError, match=r"no layer 'middle'.*hidden"):
        load_foreign(file, stated(features="middle"))


def of(outputs: Any, shape: tuple[int | None, ...] = (_SIZE, _SIZE, 3)) -> Any:
    image = keras.Input(shape)
    return keras.Model(image, outputs(keras.layers.GlobalAveragePooling2D()(image)))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: of(keras.layers.Dense(3)), r"one number per picture; expected .*\[N, 1\].*got \[None, 3\]"),
        (lambda: of(lambda x: [keras.layers.Dense(1)(x)] * 2), "one number per picture"),
        (lambda: of(keras.layers.Dense(1), (_SIZE, _SIZE, 1)), "other than one colour picture"),
        (lambda: of(keras.layers.Dense(1), (_SIZE, 2 * _SIZE, 3)), "square pictures"),
        (lambda: of(keras.layers.Dense(1), (_SIZE, None, 3)), "leaves the size"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(tmp_path: Path, make: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        load_foreign(saved(tmp_path, make()), stated())


def test_integers_that_are_something_else(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="takes the camera's own numbers"):
        load_foreign(saved(tmp_path, plain(dtype="uint8")), stated(input={"white": 1.0}))


def test_python_code_is_not_run(tmp_path: Path) -> None:
    """Safe mode stays on, and the message says so."""
    image = keras.Input((_SIZE, _SIZE, 3))
    model = keras.Model(image, tail(keras.layers.Lambda(lambda x: x / 255.0)(image)))
    with pytest.raises(InputError, match=r"Lambda layer.*safe mode stays on"):
        load_foreign(saved(tmp_path, model), stated())


def test_layers_that_keras_does_not_know(tmp_path: Path) -> None:
    class Odd(keras.layers.Layer):  # type: ignore[misc] # keras ships no types
        """A layer of somebody's own."""

        def call(self, inputs: Any) -> Any:
            """Return the same."""
            return inputs

    image = keras.Input((_SIZE, _SIZE, 3))
    file = saved(tmp_path, keras.Model(image, tail(Odd()(image))))
    with pytest.raises(InputError, match=r"layers that Keras does not know.*Odd"):
        load_foreign(file, stated())


def test_weights_that_are_not_finite(tmp_path: Path) -> None:
    model = plain()
    kernel, bias = model.layers[-1].get_weights()
    model.layers[-1].set_weights([kernel, bias * np.nan])
    with pytest.raises(IntegrityError, match="not finite"):
        load_foreign(saved(tmp_path, model), stated())


@pytest.mark.parametrize("keep", [0, 100, 0.5])
def test_damaged_files(tmp_path: Path, keep: float) -> None:
    file = saved(tmp_path, plain())
    data = file.read_bytes()
    file.write_bytes(data[: int(keep if keep >= 1 else keep * len(data))])
    with pytest.raises(AnalyteError):
        load_foreign(file, stated())


def test_names_that_the_contract_needs_itself(tmp_path: Path) -> None:
    """Layers of the names that Keras gives by default, and of those of the contract, in a fresh session."""
    image = keras.Input((_SIZE, _SIZE, 3), name="photograph")
    x = keras.layers.Rescaling(1 / 255.0, name="image")(image)
    x = keras.layers.Conv2D(4, 3, padding="same", name="value")(x)
    x = keras.layers.Add(name="add")([x, keras.layers.Conv2D(4, 1, name="features")(x)])
    x = keras.layers.Multiply(name="multiply")([x, x])
    x = keras.layers.GlobalAveragePooling2D(name="sigma")(x)
    x = keras.layers.Reshape((4,), name="reshape")(keras.layers.ReLU(name="flip")(x))
    model = keras.Model(image, keras.layers.Dense(1, name="cast")(x))
    file = saved(tmp_path, model)
    wanted = np.asarray(model(pictures()[:, 0, :, :, ::-1].astype(np.float32))).ravel()
    keras.backend.clear_session()
    spec = stated(input={"channels": "bgr"})
    said = predict(under_contract(load_foreign(file, spec), spec, 1.0), pictures()).value
    assert said == pytest.approx(wanted, rel=1e-4)


def test_half_precision_is_refused(tmp_path: Path) -> None:
    image = keras.Input((_SIZE, _SIZE, 3))
    x = keras.layers.Conv2D(4, 3, dtype="mixed_float16", name="halved")(image)
    model = keras.Model(image, tail(keras.layers.AveragePooling2D(8)(x)))
    with pytest.raises(InputError, match="half precision; expected float32; got 'halved'"):
        load_foreign(saved(tmp_path, model), stated())


def adapted() -> Any:
    layer = keras.layers.Normalization()
    layer.adapt(np.random.default_rng(2).uniform(0, 255, (64, _SIZE, _SIZE, 3)))
    return layer


@pytest.mark.parametrize("views", [1, 2])
def test_normalizations_keep_what_they_learned(tmp_path: Path, views: int) -> None:
    """Also those within another layer, as several views are normalized."""
    shape = (_SIZE, _SIZE, 3)
    image = keras.Input(shape if views == 1 else (views, *shape))
    scaled = adapted()(image) if views == 1 else keras.layers.TimeDistributed(adapted())(image)
    pool = keras.layers.AveragePooling2D(8) if views == 1 else keras.layers.AveragePooling3D((1, 8, 8))
    model = keras.Model(image, tail(pool(scaled)))
    foreign = load_foreign(saved(tmp_path, model), stated())
    images = np.concatenate([pictures()] * views, axis=1)
    wrapped = under_contract(foreign, stated(), 1.0)
    wanted = as_owner(foreign, stated(), images)
    assert np.ptp(wanted) > 1e-3
    assert predict(wrapped, images).value == pytest.approx(wanted, rel=1e-4, abs=1e-4)
    assert predict(cloned(wrapped), images).value == pytest.approx(wanted, rel=1e-4, abs=1e-4)


def test_one_output_under_a_name(tmp_path: Path) -> None:
    image = keras.Input((_SIZE, _SIZE, 3))
    model = keras.Model(image, {"mL": tail(keras.layers.AveragePooling2D(8)(image))})
    foreign = load_foreign(saved(tmp_path, model), stated())
    said = predict(under_contract(foreign, stated(), 1.0), pictures()).value
    assert said == pytest.approx(as_owner(foreign, stated(), pictures()), rel=1e-4)


def test_too_many_features_are_left_in_the_trunk(tmp_path: Path) -> None:
    image = keras.Input((_SIZE, _SIZE, 3))
    model = keras.Model(image, keras.layers.Dense(1)(keras.layers.Flatten(name="wide")(image)))
    file = saved(tmp_path, model)
    found = predict(under_contract(load_foreign(file, stated()), stated(), 1.0), pictures()).features
    assert found.shape == (5, 1)
    with pytest.raises(InputError, match="no layer 'wide' that gives up to 2048 features"):
        load_foreign(file, stated(features="wide"))


def test_a_network_of_many_layers(tmp_path: Path) -> None:
    """MobileNetV2 within a model, as most people have it: taken apart, folded, and unchanged."""
    trunk = keras.applications.MobileNetV2((64, 64, 3), alpha=0.35, include_top=False, weights=None)
    for layer in trunk.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    images = pictures(8, 64)
    trunk(images[:, 0].astype(np.float32) / 127.5 - 1.0, training=True)
    model = keras.Sequential([trunk, keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(1)])
    spec = stated(input={"black": -1.0, "white": 1.0})
    foreign = load_foreign(saved(tmp_path, model), spec)
    assert not any(isinstance(layer, keras.layers.BatchNormalization) for layer in foreign.model.layers)
    said = predict(under_contract(foreign, spec, 1.0), images)
    wanted = as_owner(foreign, spec, images)
    assert said.features.shape == (8, 1280)
    assert np.abs(said.value - wanted).max() < 1e-3 * np.ptp(wanted)
