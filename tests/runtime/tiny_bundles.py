"""Bundles of a few kilobytes whose values can be worked out by hand.

``value = sum over views and channels of weight * mean / 255``, ``sigma = 0.5``, features are the means.
With one view the weights are 100, 10, 1 for R, G, B; each later view counts a thousandth of the one before,
so that a swap of views, channels or samples changes the value. Covariates add 0.1, 0.2, … times themselves.
"""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from analyte.contract.arrays import Float32Array, UInt8Array
from analyte.contract.baseline import Baseline
from analyte.contract.bundle import record_file, write_manifest
from analyte.contract.covariates import CovariateSpec
from analyte.contract.interval import IntervalCalibration
from analyte.contract.label import LabelSpec
from analyte.contract.manifest import Artifact, Deviation, EngineName, Manifest, Precision, Provenance
from analyte.contract.preprocessing import PreprocessingSpec
from analyte.contract.run import DatasetRecord

SIZE = 16
SIGMA = 0.5
QUANTILE = 2.0
HALF_WIDTH = QUANTILE * SIGMA
RANGE = (0.0, 100.0)
TOLERANCE = 1e-3


def weights(views: int) -> Float32Array:
    """Return ``[V * 3]``, label's unit."""
    return np.concatenate([np.array([100.0, 10.0, 1.0]) * 1e-3**view for view in range(views)]).astype(
        np.float32
    )


def covariate_weights(columns: int) -> Float32Array:
    """Return ``[K]``, label's unit per unit of the covariate."""
    return (0.1 * np.arange(1, columns + 1)).astype(np.float32)


def expected_value(images: UInt8Array, covariates: Float32Array | None = None) -> Float32Array:
    """Return ``[N]`` for preprocessed ``[N, V, S, S, 3]``, RGB, and covariates ``[N, K]``."""
    if covariates is not None:
        beside = covariates.astype(np.float64) @ covariate_weights(covariates.shape[1]).astype(np.float64)
        return (expected_value(images) + beside).astype(np.float32)
    means = images.mean(axis=(2, 3), dtype=np.float64) / 255.0
    flat = means.reshape(len(images), -1)
    return (flat @ weights(images.shape[1]).astype(np.float64)).astype(np.float32)


def random_images(n: int, views: int, seed: int = 0) -> UInt8Array:
    return np.random.default_rng(seed).integers(0, 200, (n, views, SIZE, SIZE, 3), dtype=np.uint8)


def onnx_model(views: int, *, size: int = SIZE, value_name: str = "value", covariates: int = 0) -> bytes:
    from onnx import TensorProto, helper, numpy_helper

    shape: list[Any] = ["N", size, size, 3] if views == 1 else ["N", views, size, size, 3]
    axes = [1, 2] if views == 1 else [2, 3]
    constants = {
        "axes": np.array(axes, np.int64),
        "flat": np.array([-1, views * 3], np.int64),
        "scale": np.array(255.0, np.float32),
        "weights": weights(views),
        "zero": np.array(0.0, np.float32),
        "sigma0": np.array(SIGMA, np.float32),
    }
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float", "axes"], ["mean"], keepdims=0),
        helper.make_node("Reshape", ["mean", "flat"], ["flattened"]),
        helper.make_node("Div", ["flattened", "scale"], ["features"]),
        helper.make_node("MatMul", ["features", "weights"], ["bare" if covariates else value_name]),
        helper.make_node("Mul", [value_name, "zero"], ["zeros"]),
        helper.make_node("Add", ["zeros", "sigma0"], ["sigma"]),
    ]
    inputs = [helper.make_tensor_value_info("image", TensorProto.UINT8, shape)]
    if covariates:
        # First, so that whoever takes inputs by their position goes wrong.
        inputs.insert(0, helper.make_tensor_value_info("covariates", TensorProto.FLOAT, ["N", covariates]))
        constants["slopes"] = covariate_weights(covariates)
        beside = [
            helper.make_node("MatMul", ["covariates", "slopes"], ["beside"]),
            helper.make_node("Add", ["bare", "beside"], [value_name]),
        ]
        nodes[5:5] = beside
    graph = helper.make_graph(
        nodes,
        "tiny",
        inputs,
        [
            helper.make_tensor_value_info(value_name, TensorProto.FLOAT, ["N"]),
            helper.make_tensor_value_info("sigma", TensorProto.FLOAT, ["N"]),
            helper.make_tensor_value_info("features", TensorProto.FLOAT, ["N", views * 3]),
        ],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return model.SerializeToString()


def tflite_model(views: int, *, covariates: int = 0) -> bytes:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with warnings.catch_warnings():
        # TensorFlow's own imports warn; nothing of ours runs in this block.
        warnings.simplefilter("ignore")
        import tensorflow as tf

        shape = [None, SIZE, SIZE, 3] if views == 1 else [None, views, SIZE, SIZE, 3]
        axes = [1, 2] if views == 1 else [2, 3]

        def graph(image: Any, *beside: Any) -> dict[str, Any]:
            mean = tf.reduce_mean(tf.cast(image, tf.float32), axis=axes)
            features = tf.reshape(mean, [-1, views * 3]) / 255.0
            value = tf.reduce_sum(features * weights(views), axis=1)
            for columns in beside:
                value = value + tf.reduce_sum(columns * covariate_weights(covariates), axis=1)
            return {"value": value, "sigma": value * 0.0 + SIGMA, "features": features}

        module = tf.Module()
        signature = [tf.TensorSpec(shape, tf.uint8, name="image")]
        if covariates:
            signature.append(tf.TensorSpec([None, covariates], tf.float32, name="covariates"))
        function = tf.function(graph, input_signature=signature)
        converter = tf.lite.TFLiteConverter.from_concrete_functions(
            [function.get_concrete_function()], module
        )
        return bytes(converter.convert())


@dataclass(frozen=True, slots=True)
class File:
    """A model file to put into a bundle."""

    name: str
    engine: EngineName
    model: bytes
    precision: Precision = "float32"
    tolerance: float = TOLERANCE


def write_bundle(
    folder: Path,
    files: Sequence[File],
    *,
    views: Sequence[str] = ("sample",),
    golden_n: int = 12,
    golden_error: float = 0.0,
    size: int = SIZE,
    covariates: CovariateSpec | None = None,
) -> Path:
    """Write a bundle with true hashes; ``golden_error`` is added to every golden value."""
    beside = covariates or CovariateSpec()
    folder.mkdir(parents=True)
    suffixes = {"onnx": ".onnx", "litert": ".tflite"}
    for file in files:
        (folder / f"{file.name}{suffixes[file.engine]}").write_bytes(file.model)
    images = random_images(golden_n, len(views), seed=1)
    columns = np.random.default_rng(2).uniform(0, 9, (golden_n, len(beside.names))).astype(np.float32)
    value = expected_value(images, columns) + np.float32(golden_error)
    np.savez(
        folder / "golden.npz",
        images=images,
        value=value,
        sigma=np.full(golden_n, SIGMA, np.float32),
        features=np.zeros((golden_n, 3 * len(views)), np.float32),
        true=value.astype(np.float64),
        **({"covariates": columns} if beside.names else {}),  # type: ignore[arg-type]
    )
    (folder / "model.keras").write_bytes(b"not used on the device")
    (folder / "card.md").write_text("# tiny\n", "utf-8")
    (folder / "report.html").write_text("<!doctype html>\n", "utf-8")
    preprocessing = PreprocessingSpec(size=size)
    manifest = Manifest(
        name="tiny",
        label=LabelSpec(analyte="dye", unit="mg/L", range=RANGE),
        views=tuple(views),
        covariates=beside,
        rotation_invariant=True,
        preprocessing=preprocessing,
        preprocessing_sha256=preprocessing.digest(),
        interval=IntervalCalibration(coverage=0.95, quantile=QUANTILE, n=100),
        baseline=flat_curve(len(views)),
        artifacts=tuple(_artifact(folder / f"{f.name}{suffixes[f.engine]}", f) for f in files),
        golden=record_file(folder / "golden.npz"),
        model=record_file(folder / "model.keras"),
        card=record_file(folder / "card.md"),
        report=record_file(folder / "report.html"),
        provenance=Provenance(
            recipe="tiny",
            seed=0,
            parameters=3,
            dataset=DatasetRecord(
                name="tiny", sha256=hashlib.sha256(b"").hexdigest(), licence="", counts={}, seen=()
            ),
            versions={},
            created_at="2026-01-01T00:00:00+00:00",
        ),
    )
    write_manifest(manifest, folder)
    return folder


def _artifact(path: Path, file: File) -> Artifact:
    parity = Deviation(n=1, mean=0.0, p99=0.0, max=0.0, tolerance=file.tolerance, mae=0.0, mae_keras=0.0)
    return Artifact(
        **record_file(path).model_dump(),
        name=file.name,
        precision=file.precision,
        engine=file.engine,
        parity=parity,
    )


def flat_curve(views: int) -> Baseline:
    """A calibration curve that says 0 of every picture."""
    count = 2 * (6 * views + 3 * (views - 1))
    zeros, ones = (0.0,) * count, (1.0,) * count
    return Baseline(mean=zeros, scale=ones, weights=zeros, intercept=0.0, penalty=1.0)


def edit_manifest(bundle: Path, **changes: object) -> None:
    """Change keys of the manifest and make its hash fit, as an exporter with other ideas would."""
    file = bundle / "manifest.json"
    file.write_text(json.dumps(json.loads(file.read_text("utf-8")) | changes), "utf-8")
    rehash(bundle)


def rehash(bundle: Path) -> None:
    digest = hashlib.sha256((bundle / "manifest.json").read_bytes()).hexdigest()
    (bundle / "manifest.sha256").write_text(f"{digest}  manifest.json\n", "ascii")


def write_picture(path: Path, bgr: tuple[int, int, int], size: tuple[int, int] = (48, 64)) -> Path:
    """Write a picture of one colour; ``size`` is height, width."""
    assert cv2.imwrite(str(path), np.full((*size, 3), bgr, np.uint8))
    return path


def value_of(bgr: tuple[int, int, int]) -> float:
    """Return what the one-view bundle says about a picture of one colour."""
    blue, green, red = bgr
    return (100.0 * red + 10.0 * green + blue) / 255.0


def write_video(path: Path, frames: int, fps: float = 10.0) -> Path:
    """Write a grey video whose frame ``i`` has the level ``10 + 2 * i``, modulo 250."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), fps, (64, 48))
    for index in range(frames):
        writer.write(np.full((48, 64, 3), (10 + 2 * index) % 250, np.uint8))
    writer.release()
    return path


PROFILE = """
[device]
id = "bench-1"
[camera]
{camera}
[measure]
{measure}
[engine]
name = "{engine}"
provider = "{provider}"
artifacts = {artifacts}
fallback = {fallback}
"""


def write_profile(
    path: Path,
    *,
    engine: str = "onnx",
    provider: str = "cpu",
    artifacts: Sequence[str] = ("onnx",),
    fallback: Sequence[str] = (),
    camera: str = "",
    measure: str = "",
) -> Path:
    text = PROFILE.format(
        engine=engine,
        provider=provider,
        artifacts=json.dumps(list(artifacts)),
        fallback=json.dumps(list(fallback)),
        camera=camera,
        measure=measure,
    )
    path.write_text(text, "utf-8")
    return path
