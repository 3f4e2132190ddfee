"""``analyte export --model``: somebody else's network on the same way as analyte's own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import keras
import pytest
from click.testing import CliRunner

from analyte.contract.bundle import open_bundle
from analyte.contract.manifest import Manifest
from analyte.runtime.bundle_text import describe_bundle
from analyte.runtime.commands.read import command as read_command
from conftest import Invoke
from export.adoption.tubes import SIZE, UNIT, small_network, write_tubes

SPEC = f'unit = "{UNIT}"\nunseen = "val"\n\n[input]\nblack = 0.0\nwhite = 1.0\n'


@pytest.fixture(scope="module")
def tubes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tubes(tmp_path_factory.mktemp("tubes") / "data", 480)


@pytest.fixture(scope="module")
def given(tubes: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str | Path, ...]:
    """The options that name the model, what it takes, and pictures."""
    folder = tmp_path_factory.mktemp("foreign")
    small_network(tubes).save(folder / "any.keras")
    (folder / "spec.toml").write_text(SPEC)
    return ("--model", folder / "any.keras", "--spec", folder / "spec.toml", "--calibration", tubes)


@pytest.fixture(scope="module")
def bundle(given: Any, tmp_path_factory: pytest.TempPathFactory, invoke: Invoke) -> Path:
    """Every format but integers in and out."""
    out = tmp_path_factory.mktemp("bundles") / "foreign.analyte"
    formats = [word for name in _FORMATS for word in ("--format", name)]
    outcome = invoke("export", *given, "-o", out, *formats)
    assert outcome.code == 0, outcome.stdout + outcome.stderr
    return out


_FORMATS = ("onnx", "onnx-int8", "onnx-float16", "tflite", "tflite-int8", "tflite-float16", "tflite-dynamic")


def test_every_artifact_passes(bundle: Path, invoke: Invoke) -> None:
    manifest = Manifest.model_validate_json((bundle / "manifest.json").read_text())
    assert [artifact.name for artifact in manifest.artifacts] == list(_FORMATS)
    assert not any(artifact.degraded for artifact in manifest.artifacts)
    assert (manifest.provenance.recipe, manifest.provenance.seed) == ("adopted", None)
    assert invoke("parity", bundle).code == 0
    assert invoke("selftest", bundle).code == 0
    shown = describe_bundle(open_bundle(bundle))
    assert "adopted" in shown
    assert "seed" not in shown


def test_reads_and_evaluates_on_days_it_never_saw(bundle: Path, tubes: Path, invoke: Invoke) -> None:
    outcome = invoke("evaluate", bundle, tubes, "--json")
    assert outcome.code == 0, outcome.stderr
    found = {row["name"]: row for row in json.loads(outcome.stdout)["results"]}
    # Six percent of the range: the network reads tubes of a day that nobody looked at.
    assert found["keras"]["mae"] < 6.0
    assert found["tflite-int8"]["mae"] == pytest.approx(found["keras"]["mae"], rel=0.05)
    read = CliRunner().invoke(read_command, [str(bundle), str(tubes / "images" / "0000.png"), "--json"])
    (reading,) = json.loads(read.stdout)
    assert reading["unit"] == UNIT
    assert reading["lower"] < reading["value"] < reading["upper"]


@pytest.mark.parametrize(
    ("left_out", "said"),
    [("--spec", "--model needs"), ("--calibration", "--model needs"), ("--model", "go with")],
)
def test_options_that_go_together(
    given: Any, tmp_path: Path, invoke: Invoke, left_out: str, said: str
) -> None:
    at = given.index(left_out)
    outcome = invoke("export", *given[:at], *given[at + 2 :], "-o", tmp_path / "b")
    assert outcome.code == 2
    assert said in outcome.stderr


def test_run_or_model(given: Any, one_view_run: Path, tmp_path: Path, invoke: Invoke) -> None:
    outcome = invoke("export", one_view_run, *given, "-o", tmp_path / "b")
    assert (outcome.code, "either RUN or --model" in outcome.stderr) == (2, True)


def test_nothing_to_do(invoke: Invoke) -> None:
    outcome = invoke("export")
    assert (outcome.code, "'RUN', or option '--model'" in outcome.stderr) == (2, True)


def test_layers_that_a_format_cannot_hold(given: Any, tmp_path: Path, invoke: Invoke) -> None:
    """The message names the layer, the formats that cannot, and those that can."""
    image = keras.Input((SIZE, SIZE, 3))
    grouped = keras.layers.Conv2D(6, 3, strides=4, groups=3, name="in_groups")(image)
    model = keras.Model(image, keras.layers.Dense(1)(keras.layers.GlobalAveragePooling2D()(grouped)))
    model.save(tmp_path / "grouped.keras")
    formats = ("--format", "onnx", "--format", "tflite")
    rest = given[2:]
    outcome = invoke("export", "--model", tmp_path / "grouped.keras", *rest, "-o", tmp_path / "b", *formats)
    assert outcome.code == 3
    assert "onnx: ONNX has no operator for every layer; got in_groups (Conv2D)" in outcome.stderr
    assert "What passes: --format tflite" in outcome.stderr
    assert not (tmp_path / "b").exists()


def test_missing_levels_are_named(given: Any, tubes: Path, tmp_path: Path, invoke: Invoke) -> None:
    """Without training pictures above 60 mL, integers are calibrated for less than the range."""
    shutil.copytree(tubes, tmp_path / "data")
    lines = (tubes / "labels.csv").read_text().splitlines(keepends=True)
    kept = [line for line in lines[1:] if not line.endswith("train\n") or float(line.split(",")[1]) < 60]
    (tmp_path / "data" / "labels.csv").write_text("".join([lines[0], *kept]))
    outcome = invoke(
        "export", *given[:4], "--calibration", tmp_path / "data", "-o", tmp_path / "b", "--format", "tflite"
    )
    assert outcome.code == 0, outcome.stderr
    assert "no training picture shows anything from 60 to 100 mL" in outcome.stderr
