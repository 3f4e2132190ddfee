"""``analyte parity``: the proof, run again."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analyte.contract.bundle import open_bundle, record_file, write_manifest
from analyte.export.trained_model import load_model
from conftest import Invoke
from runtime.tiny_bundles import rehash

FIELDS = {
    "artifact", "engine", "provider", "batch", "n", "mean_deviation", "p99_deviation", "max_deviation",
    "tolerance", "passed",
}  # fmt: skip


@pytest.mark.parametrize("word", ["one", "two"])
def test_every_artifact_in_both_batches(word: str, request: pytest.FixtureRequest, invoke: Invoke) -> None:
    bundle = Path(request.getfixturevalue(f"{word}_view_bundle"))
    outcome = invoke("parity", bundle, "--json")
    assert outcome.code == 0, outcome.stderr
    found: dict[str, Any] = json.loads(outcome.stdout)
    assert found["passed"] is True
    assert [(r["artifact"], r["engine"], r["provider"], r["batch"]) for r in found["results"]] == [
        (artifact, engine, provider, batch)
        for artifact, engine, provider in (
            ("onnx", "onnx", "cpu"),
            ("onnx-int8", "onnx", "cpu"),
            ("tflite", "litert", "xnnpack"),
            ("tflite-int8", "litert", "xnnpack"),
        )
        for batch in (1, 7)
    ]
    golden = open_bundle(bundle).golden_set()
    for row in found["results"]:
        assert set(row) >= FIELDS
        assert (row["n"], row["passed"]) == (len(golden.images), True)
        assert 0 <= row["mean_deviation"] <= row["p99_deviation"] <= row["max_deviation"]
        assert row["tolerance"] == pytest.approx(0.1 if "int8" in row["artifact"] else 1e-4)


def test_table(one_view_bundle: Path, invoke: Invoke) -> None:
    lines = invoke("parity", one_view_bundle).stdout.splitlines()
    assert [line.rpartition(" ")[2] for line in lines[1:9]] == ["passed"] * 8
    assert lines[-1].startswith("Keras now and in the golden set differ by at most 0 mg/L")


def test_another_model_is_exit_4(
    one_view_run: Path, one_view_bundle: Path, tmp_path: Path, invoke: Invoke
) -> None:
    model = load_model(one_view_run / "model.keras")
    layer = model.get_layer("head_logits")
    kernel, bias = layer.get_weights()
    layer.set_weights([kernel * 1.1, bias + np.linspace(0.0, 1.0, len(bias))])
    model.save(tmp_path / "other.keras")
    outcome = invoke("parity", one_view_bundle, "--model", tmp_path / "other.keras", "--json")
    assert outcome.code == 4
    found = json.loads(outcome.stdout)
    assert found["passed"] is False
    assert {r["artifact"] for r in found["results"] if not r["passed"]} >= {"onnx", "tflite"}
    assert "onnx" in outcome.stderr
    assert "deviates by more than its tolerance" in outcome.stderr


def test_same_model_from_the_run(one_view_run: Path, one_view_bundle: Path, invoke: Invoke) -> None:
    assert invoke("parity", one_view_bundle, "--model", one_view_run / "model.keras").code == 0


@pytest.mark.parametrize("file", ["model.onnx", "model-int8.tflite", "golden.npz", "model.keras", "card.md"])
def test_altered_bundle_is_exit_7(file: str, one_view_bundle: Path, tmp_path: Path, invoke: Invoke) -> None:
    bundle = tmp_path / "b.analyte"
    shutil.copytree(one_view_bundle, bundle)
    data = bytearray((bundle / file).read_bytes())
    data[len(data) // 2] ^= 1
    (bundle / file).write_bytes(bytes(data))
    outcome = invoke("parity", bundle)
    assert (outcome.code, outcome.stdout) == (7, "")
    assert file in outcome.stderr


@pytest.mark.parametrize(("name", "code"), [("damaged.keras", 7), ("missing.keras", 3)])
def test_model_file_that_is_none(
    name: str, code: int, one_view_bundle: Path, tmp_path: Path, invoke: Invoke
) -> None:
    (tmp_path / "damaged.keras").write_bytes(b"no model")
    outcome = invoke("parity", one_view_bundle, "--model", tmp_path / name)
    assert outcome.code == code
    assert name in outcome.stderr
    assert len(outcome.stderr.strip().splitlines()) == 1


def test_rehashed_artifact_of_another_model_is_exit_4(
    one_view_bundle: Path, tmp_path: Path, invoke: Invoke
) -> None:
    """Hashes that are right prove nothing about the values: the comparison does."""
    bundle = tmp_path / "b.analyte"
    shutil.copytree(one_view_bundle, bundle)
    manifest = open_bundle(bundle).manifest
    # The int8 file in the place of the float one, whose tolerance it cannot keep.
    shutil.copy(bundle / "model-int8.onnx", bundle / "model.onnx")
    first, *rest = manifest.artifacts
    first = first.model_copy(update=record_file(bundle / "model.onnx").model_dump())
    write_manifest(manifest.model_copy(update={"artifacts": (first, *rest)}), bundle)
    rehash(bundle)
    outcome = invoke("parity", bundle)
    assert outcome.code == 4
    assert "onnx deviates" in outcome.stderr


def test_golden_set_that_keras_no_longer_says_is_exit_4(
    one_view_bundle: Path, tmp_path: Path, invoke: Invoke
) -> None:
    """Devices test themselves against it: the artifacts being right is not enough."""
    bundle = tmp_path / "b.analyte"
    shutil.copytree(one_view_bundle, bundle)
    opened = open_bundle(bundle)
    arrays = dataclasses.asdict(opened.golden_set())
    arrays["value"] = arrays["value"] + np.float32(1e-3)
    np.savez(bundle / "golden.npz", **arrays)
    golden = record_file(bundle / "golden.npz")
    write_manifest(opened.manifest.model_copy(update={"golden": golden}), bundle)
    outcome = invoke("parity", bundle, "--json")
    assert outcome.code == 4
    found = json.loads(outcome.stdout)
    assert found["passed"] is False
    assert found["golden_deviation"] == pytest.approx(1e-3, rel=0.01)
    assert all(row["passed"] for row in found["results"])
    assert "the golden set" in outcome.stderr
