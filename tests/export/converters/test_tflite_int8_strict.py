"""Integers in, integers out: what an accelerator that knows nothing else gets, and what its value is."""

from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from analyte.contract.bundle import Bundle, open_bundle
from analyte.contract.errors import IntegrityError, SettingsError
from analyte.contract.run import load_samples
from analyte.export.converters import tflite_int8_strict
from analyte.export.formats import FORMATS
from analyte.export.source import Source
from analyte.export.trained_model import load_model, predict
from analyte.runtime.engines.registry import open_engine
from conftest import Invoke

NAME = "tflite-int8-strict"


@pytest.fixture(scope="module")
def run(one_view_study: Path, tmp_path_factory: pytest.TempPathFactory, invoke: Invoke) -> Path:
    """A network of plain colours: logarithms lose too much in eight bits."""
    folder = tmp_path_factory.mktemp("strict") / "run"
    fitting = ("--epochs", 25, "--learning-rate", 8e-3, "--size", 16, "--batch-size", 32)
    outcome = invoke("train", one_view_study, "-o", folder, "--colour", "rgb", *fitting)
    assert outcome.code == 0, outcome.stderr
    return folder


@pytest.fixture(scope="module")
def bundle(run: Path, tmp_path_factory: pytest.TempPathFactory, invoke: Invoke) -> Bundle:
    folder = tmp_path_factory.mktemp("strict") / "b.analyte"
    outcome = invoke("export", run, "-o", folder, "--format", NAME)
    assert outcome.code == 0, outcome.stdout + outcome.stderr
    return open_bundle(folder)


@pytest.fixture(scope="module")
def data(bundle: Bundle) -> bytes:
    return bundle.read(bundle.artifact(NAME))


def test_nothing_but_integers(data: bytes) -> None:
    interpreter = Interpreter(
        model_content=data, experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    )
    interpreter.allocate_tensors()
    dtypes = {tensor["index"]: tensor["dtype"] for tensor in interpreter.get_tensor_details()}
    used = {
        dtypes[index]
        for entry in interpreter._get_ops_details()
        for index in (*entry["inputs"], *entry["outputs"])
        if index in dtypes
    }
    assert np.float32 not in used
    runner = interpreter.get_signature_runner("serving_default")
    assert {name: entry["dtype"] for name, entry in runner.get_input_details().items()} == {"image": np.uint8}
    assert {name: entry["dtype"] for name, entry in runner.get_output_details().items()} == {
        "features": np.int8
    }


def test_no_layer_stays_in_float(run: Path) -> None:
    model, images = load_model(run / "model.keras"), load_samples(run).train_images
    with pytest.raises(SettingsError, match=r"--keep-float: tflite-int8-strict has no layer in float"):
        FORMATS[NAME].convert(Source(model, images, keep_float=frozenset({"conv"})))


def test_native_libraries_keep_quiet(
    run: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """LiteRT announces its delegate on file descriptor 2, where no Python sees it, and once per process."""

    class Loud(Interpreter):
        def __init__(self, **options: Any) -> None:
            os.write(2, b"announced")
            super().__init__(**options)

        def allocate_tensors(self) -> None:
            os.write(2, b"announced")
            super().allocate_tensors()

    monkeypatch.setattr(tflite_int8_strict, "Interpreter", Loud)
    model, images = load_model(run / "model.keras"), load_samples(run).train_images
    FORMATS[NAME].convert(Source(model, images))
    assert "announced" not in capfd.readouterr().err


def test_value_has_more_steps_than_a_byte(bundle: Bundle, data: bytes, run: Path) -> None:
    samples = load_samples(run)
    pictures = np.concatenate([samples.train_images, samples.val_images])
    said = open_engine(data, "litert").run(pictures)
    exact = predict(load_model(run / "model.keras"), pictures)
    span = bundle.manifest.label.span
    assert float(np.percentile(np.abs(said.value - exact.value), 99)) <= 0.01 * span
    # Two neighbours of 256 steps lie 0.4 % of the range apart; these come much nearer to each other.
    steps = np.diff(np.unique(said.value))
    assert float(np.median(steps)) < span / 256
    assert len(np.unique(said.value)) > 0.8 * len(np.unique(exact.value))


@pytest.mark.parametrize("batch", [1, 7])
def test_same_contract_as_any_engine(data: bytes, run: Path, batch: int) -> None:
    pictures = load_samples(run).val_images[:batch]
    said = open_engine(data, "litert", "cpu").run(pictures)
    assert (said.value.shape, said.value.dtype) == ((batch,), np.float32)
    assert (said.sigma.shape, said.features.dtype) == ((batch,), np.float32)


def test_explains_itself(data: bytes) -> None:
    """As ``unzip model.tflite`` shows it."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert sorted(archive.namelist()) == ["analyte.json", "head.tflite"]
        about = json.loads(archive.read("analyte.json"))
    assert (about["unit"], about["range"], about["artifact"]) == ("mg/L", [0.0, 10.0], NAME)


def test_file_without_its_head(data: bytes) -> None:
    """A tool that rewrites the model may drop what lies behind it."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        start = min(entry.header_offset for entry in archive.infolist())
    with pytest.raises(IntegrityError, match=r"head\.tflite is not within it"):
        open_engine(data[:start], "litert", where="b")


def test_dark_pictures(run: Path) -> None:
    """Training pictures that never get bright must not change what the camera's integers mean."""
    model, images = load_model(run / "model.keras"), load_samples(run).train_images
    dark = (images // 2).astype(np.uint8)
    said = open_engine(FORMATS[NAME].convert(Source(model, dark)), "litert").run(dark)
    exact = predict(model, dark)
    assert float(np.abs(said.features - exact.features).mean() / exact.features.std()) < 0.1
    runner = Interpreter(model_content=FORMATS[NAME].convert(Source(model, dark))).get_signature_runner()
    assert runner.get_input_details()["image"]["quantization"] == (1.0, 0)


def test_logarithms_are_refused_at_the_gate(one_view_run: Path, tmp_path: Path, invoke: Invoke) -> None:
    outcome = invoke("export", one_view_run, "-o", tmp_path / "b", "--format", NAME)
    assert (outcome.code, "FAILED" in outcome.stdout) == (4, True)
    assert not (tmp_path / "b").exists()
