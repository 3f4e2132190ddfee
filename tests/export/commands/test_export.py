"""``analyte export``: formats, refusals and what it prints."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import keras
import pytest

from analyte.contract.manifest import Manifest
from analyte.export.formats import FORMATS
from conftest import Invoke


def test_list_formats(invoke: Invoke) -> None:
    outcome = invoke("export", "--list-formats")
    assert outcome.code == 0
    *lines, note = outcome.stdout.splitlines()
    assert [line[2:].split()[0] for line in lines] == list(FORMATS)
    assert all(FORMATS[line[2:].split()[0]].help in line for line in lines)
    starred = [line[2:].split()[0] for line in lines if line.startswith("*")]
    assert (starred, note[:2]) == (["onnx", "onnx-int8", "tflite", "tflite-int8"], "* ")
    rows = json.loads(invoke("export", "--list-formats", "--json").stdout)
    assert [row["name"] for row in rows if row["standard"]] == starred


def test_listing_starts_no_tensorflow() -> None:
    code = "import sys; from analyte.cli import main; sys.argv[1:] = ['export', '--list-formats']\n"
    code += "try:\n    main()\nfinally:\n    assert 'tensorflow' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_sensitivity(one_view_run: Path, invoke: Invoke) -> None:
    outcome = invoke("export", one_view_run, "--sensitivity", "--json")
    assert outcome.code == 0, outcome.stderr
    found = json.loads(outcome.stdout)
    assert found["unit"] == "mg/L"
    model = keras.saving.load_model(one_view_run / "model.keras", compile=False)
    convolutions = [layer.name for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    # The first convolution is never quantized.
    assert sorted(row["layer"] for row in found["layers"]) == sorted(convolutions[1:])
    losses = [row["p99_deviation"] for row in found["layers"]]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] > 0
    assert all(
        row["layer"] in invoke("export", one_view_run, "--sensitivity").stdout for row in found["layers"]
    )


def test_layers_that_stay_in_float(one_view_run: Path, tmp_path: Path, invoke: Invoke) -> None:
    model = keras.saving.load_model(one_view_run / "model.keras", compile=False)
    _, *convolutions = (layer.name for layer in model.layers if isinstance(layer, keras.layers.Conv2D))
    formats = ("--format", "tflite-int8", "--format", "onnx-int8")
    kept = [word for name in convolutions for word in ("--keep-float", name)]
    outcome = invoke("export", one_view_run, "-o", tmp_path / "b", *formats, *kept)
    assert outcome.code == 0, outcome.stderr
    # With every convolution in float, what is left of int8 is the rounding of the head's weights.
    for artifact in Manifest.model_validate_json((tmp_path / "b" / "manifest.json").read_text()).artifacts:
        assert artifact.parity.max < 0.002 * 10
        assert not {"QLinearConv", "QUANTIZE", "QuantizeLinear"} & set(artifact.operators)
        assert artifact.kept_float == tuple(sorted(convolutions))
    outcome = invoke("export", one_view_run, "-o", tmp_path / "c", *formats, "--keep-float", "conv9")
    assert outcome.code == 3
    assert "--keep-float conv9: the network has no such convolution" in outcome.stderr
    assert convolutions[0] in outcome.stderr


def test_unknown_format_names_those_that_there_are(
    one_view_run: Path, tmp_path: Path, invoke: Invoke
) -> None:
    outcome = invoke("export", one_view_run, "-o", tmp_path / "b", "--format", "onnx", "--format", "coreml")
    assert outcome.code == 2
    assert f"'coreml' is none of {', '.join(FORMATS)}, all" in " ".join(outcome.stderr.split())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [(), ("run",), ("-o", "bundle")])
def test_run_and_out_are_needed(arguments: tuple[str, ...], invoke: Invoke) -> None:
    assert invoke("export", *arguments).code == 2


def test_json_is_the_manifest(one_view_run: Path, tmp_path: Path, invoke: Invoke) -> None:
    out = tmp_path / "iron.v2.analyte"
    outcome = invoke("export", one_view_run, "-o", out, "--format", "onnx", "--format", "onnx", "--json")
    assert outcome.code == 0, outcome.stderr
    manifest = Manifest.model_validate(json.loads(outcome.stdout))
    assert manifest == Manifest.model_validate_json((out / "manifest.json").read_text("utf-8"))
    assert manifest.name == "iron.v2"
    # A format that is asked for twice is made once, and no other is made.
    assert [artifact.name for artifact in manifest.artifacts] == ["onnx"]
    assert sorted(p.name for p in out.iterdir()) == [
        "card.md", "golden.npz", "manifest.json", "manifest.sha256", "model.keras", "model.onnx",
        "report.html",
    ]  # fmt: skip
    again = invoke("export", one_view_run, "-o", out, "--format", "onnx")
    assert (again.code, "exists already" in again.stderr) == (3, True)


def test_not_a_run(tmp_path: Path, invoke: Invoke) -> None:
    (tmp_path / "run").mkdir()
    outcome = invoke("export", tmp_path / "run", "-o", tmp_path / "b")
    assert (outcome.code, "not a run folder" in outcome.stderr) == (3, True)


@pytest.mark.parametrize("file", ["model.keras", "samples.npz", "run.json"])
def test_damaged_run(file: str, one_view_run: Path, tmp_path: Path, invoke: Invoke) -> None:
    run = tmp_path / "run"
    shutil.copytree(one_view_run, run)
    data = (run / file).read_bytes()
    (run / file).write_bytes(data[: len(data) // 2])
    outcome = invoke("export", run, "-o", tmp_path / "b", "--format", "onnx")
    assert outcome.code == 7, outcome.stderr
    assert file in outcome.stderr
    assert len(outcome.stderr.strip().splitlines()) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


def floats_in() -> keras.Model:
    image = keras.Input((16, 16, 3), name="image")
    features = keras.layers.GlobalAveragePooling2D(name="features")(image)
    value = keras.layers.Dense(1)(features)[:, 0]
    return keras.Model(image, {"value": value, "sigma": value, "features": features})


def no_sigma() -> keras.Model:
    image = keras.Input((16, 16, 3), dtype="uint8", name="image")
    features = keras.layers.GlobalAveragePooling2D(name="features")(keras.ops.cast(image, "float32"))
    return keras.Model(image, {"value": keras.layers.Dense(1)(features)[:, 0], "features": features})


def no_features_layer() -> keras.Model:
    image = keras.Input((16, 16, 3), dtype="uint8", name="image")
    features = keras.layers.GlobalAveragePooling2D(name="pool")(keras.ops.cast(image, "float32"))
    value = keras.layers.Dense(1)(features)[:, 0]
    return keras.Model(image, {"value": value, "sigma": value, "features": features})


def one_output() -> keras.Model:
    image = keras.Input((16, 16, 3), dtype="uint8", name="image")
    features = keras.layers.GlobalAveragePooling2D(name="features")(keras.ops.cast(image, "float32"))
    return keras.Model(image, keras.layers.Dense(1)(features))


@pytest.mark.parametrize("build", [floats_in, no_sigma, no_features_layer, one_output])
def test_model_that_does_not_follow_the_graph_contract(
    build: Callable[[], keras.Model], one_view_run: Path, tmp_path: Path, invoke: Invoke
) -> None:
    run = tmp_path / "run"
    shutil.copytree(one_view_run, run)
    build().save(run / "model.keras")
    outcome = invoke("export", run, "-o", tmp_path / "b", "--format", "onnx")
    assert outcome.code == 7, outcome.stderr
    assert "does not follow the graph contract" in outcome.stderr
    assert "model.keras" in outcome.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["run"]
