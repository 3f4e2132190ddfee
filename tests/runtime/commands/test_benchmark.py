"""``analyte benchmark``: what it says, never how fast."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analyte.contract.bundle import open_bundle, record_file
from analyte.contract.errors import UnavailableError
from analyte.runtime import benchmark
from analyte.runtime.benchmark import Settings, run_benchmark
from analyte.runtime.cases import Wanted, cases
from conftest import Invoke, Outcome
from runtime.tiny_bundles import File, edit_manifest, onnx_model, value_of, write_bundle, write_picture

FIELDS = {
    "artifact", "engine", "provider", "threads", "bytes", "load_ms", "p50_us", "p99_us", "rss_mb", "mae",
    "throughput", "batch", "repeats", "p99_deviation", "max_deviation", "passed",
}  # fmt: skip
FEW = ("--repeats", 20)


def results(stdout: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(stdout)["results"]
    return found


@pytest.fixture(scope="module")
def outcome(both_engines_bundle: Path, invoke: Invoke) -> Outcome:
    return invoke("benchmark", both_engines_bundle, *FEW, "--json")


def test_every_artifact_on_every_provider(outcome: Outcome, both_engines_bundle: Path) -> None:
    assert outcome.code == 0, outcome.stderr
    rows = results(outcome.stdout)
    assert [(r["artifact"], r["engine"], r["provider"]) for r in rows] == [
        ("onnx", "onnx", "cpu"),
        ("tflite", "litert", "xnnpack"),
        ("tflite", "litert", "cpu"),
    ]
    sizes = {a.name: a.size_bytes for a in open_bundle(both_engines_bundle).manifest.artifacts}
    for row in rows:
        assert set(row) >= FIELDS
        assert (row["threads"], row["batch"], row["repeats"]) == (1, 1, 20)
        assert row["bytes"] == sizes[row["artifact"]]
        assert 0 < row["p50_us"] <= row["p99_us"]
        assert row["load_ms"] > 0
        # Not the model's few hundred bytes, and not the whole test run's gigabytes.
        assert 20 < row["rss_before_mb"] < row["rss_mb"] < 400
        assert row["mae"] == pytest.approx(0, abs=1e-4)
        assert row["passed"] is True


def test_what_is_not_there_is_named(outcome: Outcome) -> None:
    left = json.loads(outcome.stdout)["skipped"]
    assert {(s["artifact"], s["provider"]) for s in left} == {
        ("onnx", "cuda"),
        ("onnx", "tensorrt"),
        ("onnx", "openvino"),
    }
    assert all("has no" in s["reason"] for s in left)
    lines = [line for line in outcome.stderr.splitlines() if "skipped" in line]
    assert len(lines) == 3
    assert lines[0].startswith("analyte benchmark: skipped onnx on cuda: ONNX Runtime")
    assert max(map(len, lines)) < 100


def test_what_it_was_measured_on(outcome: Outcome, both_engines_bundle: Path) -> None:
    found = json.loads(outcome.stdout)
    assert found["unit"] == "mg/L"
    assert found["bundle"] == open_bundle(both_engines_bundle).id
    assert found["machine"]["cpu"]
    assert 1 <= found["machine"]["usable_cores"] <= found["machine"]["cores"]
    assert set(found["versions"]) >= {"python", "analyte", "numpy", "onnxruntime"}


def test_error_and_deviation_are_those_of_the_artifact(tmp_path: Path, invoke: Invoke) -> None:
    """Keras says 0.25 more than this graph, and the labels are another 1 above that."""
    bundle = write_bundle(tmp_path / "b.analyte", [File("onnx", "onnx", onnx_model(1))], golden_error=0.25)
    arrays = dataclasses.asdict(open_bundle(bundle).golden_set())
    np.savez(bundle / "golden.npz", **(arrays | {"true": arrays["true"] + 1.0}))
    edit_manifest(bundle, golden=record_file(bundle / "golden.npz").model_dump())
    outcome = invoke("benchmark", bundle, *FEW, "--json")
    (row,) = results(outcome.stdout)
    assert json.loads(outcome.stdout)["mae_keras"] == pytest.approx(1.0, abs=1e-4)
    assert row["mae"] == pytest.approx(1.25, abs=1e-4)
    assert row["p99_deviation"] == pytest.approx(0.25, abs=1e-4)
    assert row["max_deviation"] == pytest.approx(0.25, abs=1e-4)
    assert row["passed"] is False
    lines = invoke("benchmark", bundle, *FEW).stdout.splitlines()
    assert lines[1].endswith("FAILED")


@pytest.mark.parametrize("batch", [5, 30])
def test_batches_and_threads(batch: int, both_engines_bundle: Path, invoke: Invoke) -> None:
    """5 does not divide the golden set's 12, 30 is more than there are."""
    call = ("benchmark", both_engines_bundle, *FEW, "--provider", "reference", "--json")
    (row,) = results(invoke(*call, "--batch", batch, "--threads", 2).stdout)
    assert (row["artifact"], row["provider"]) == ("tflite", "reference")
    assert (row["batch"], row["threads"]) == (batch, 2)
    assert row["max_deviation"] < 1e-3


def test_covariates_reach_the_graph(tmp_path: Path, invoke: Invoke) -> None:
    from analyte.contract.covariates import CovariateSpec, NumericCovariate

    spec = CovariateSpec(numeric=(NumericCovariate(name="temperature", range=(0, 9)),))
    file = File("onnx", "onnx", onnx_model(1, covariates=1))
    bundle = write_bundle(tmp_path / "b.analyte", [file], covariates=spec)
    (row,) = results(invoke("benchmark", bundle, *FEW, "--json").stdout)
    assert row["max_deviation"] < 1e-4


@pytest.mark.parametrize(
    ("options", "code", "word"),
    [
        (("--provider", "cuda"), 5, "has no 'cuda' provider"),
        (("--provider", "coral"), 2, "no provider 'coral'"),
        (("--engine", "torch"), 2, "no engine 'torch'"),
        (("--artifact", "onnx-int4"), 2, "no artifact 'onnx-int4'"),
        (("--engine", "litert", "--provider", "cuda"), 2, "tflite for litert"),
        (("--threads", 0), 2, "0 is not in the range"),
        (("--repeats", 0), 2, "0 is not in the range"),
        (("--batch", 10**9), 2, "1000000000 is not in the range 1<=x<=1024"),
        (("--picture", "b.jpg"), 2, "expected .png or .svg"),
        (("--overwrite",), 2, "--overwrite needs --picture"),
        (("--unit", "mg/L"), 2, "--unit needs --dataset"),
    ],
)
def test_refused(
    options: tuple[str | int, ...], code: int, word: str, both_engines_bundle: Path, invoke: Invoke
) -> None:
    outcome = invoke("benchmark", both_engines_bundle, *FEW, *options)
    assert (outcome.code, outcome.stdout) == (code, "")
    assert word in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_altered_bundle_is_exit_7(both_engines_bundle: Path, tmp_path: Path, invoke: Invoke) -> None:
    bundle = tmp_path / "b.analyte"
    shutil.copytree(both_engines_bundle, bundle)
    data = bytearray((bundle / "onnx.onnx").read_bytes())
    data[len(data) // 2] ^= 1
    (bundle / "onnx.onnx").write_bytes(bytes(data))
    outcome = invoke("benchmark", bundle, *FEW)
    assert outcome.code == 7
    assert "onnx.onnx" in outcome.stderr


def test_process_that_crashes_is_a_reason(both_engines_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Delegates are native code from elsewhere: one that takes its process along must not take the table."""
    real = subprocess.Popen

    def start(arguments: list[str], **options: Any) -> subprocess.Popen[str]:
        if "tflite" in arguments and "cpu" in arguments:
            program = "import os, sys; print('boom', file=sys.stderr, flush=True); os.abort()"
            arguments = [arguments[0], "-c", program]
        return real(arguments, **options)

    monkeypatch.setattr(benchmark.subprocess, "Popen", start)
    bundle = open_bundle(both_engines_bundle)
    found = run_benchmark(bundle, cases(bundle), Settings(repeats=20))
    assert [(r.artifact, r.provider) for r in found.results] == [("onnx", "cpu"), ("tflite", "xnnpack")]
    (reason,) = [s.reason for s in found.skipped if s.artifact == "tflite"]
    assert "ended early" in reason
    assert "boom" in reason
    with pytest.raises(UnavailableError, match="no artifact"):
        run_benchmark(bundle, cases(bundle, Wanted(("tflite",), (), ("cpu",))), Settings(repeats=20))


def test_progress_sums_to_one(bundle: Path) -> None:
    opened = open_bundle(bundle)
    shares: list[float] = []
    run_benchmark(opened, cases(opened), Settings(repeats=20), shares.append)
    assert np.sum(shares) == pytest.approx(1)


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_picture(suffix: str, bundle: Path, tmp_path: Path, invoke: Invoke) -> None:
    picture = tmp_path / f"b{suffix}"
    call = ("benchmark", bundle, *FEW, "--picture", picture)
    assert invoke(*call).code == 0
    data = picture.read_bytes()
    assert data.startswith(b"\x89PNG") if suffix == ".png" else b"<svg" in data
    again = invoke(*call)
    assert (again.code, picture.read_bytes()) == (3, data)
    assert "exists already" in again.stderr
    assert invoke(*call, "--overwrite").code == 0


def test_picture_without_matplotlib(
    bundle: Path, tmp_path: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    from analyte.runtime import picture

    monkeypatch.setattr(picture.importlib.util, "find_spec", lambda name: None)
    outcome = invoke("benchmark", bundle, *FEW, "--picture", tmp_path / "b.png")
    assert (outcome.code, outcome.stdout) == (5, "")
    assert "pip install matplotlib" in outcome.stderr


def test_error_on_photographs(bundle: Path, tmp_path: Path, invoke: Invoke) -> None:
    """One picture is 3 mg/L off its label, one refused and 10 off, one not of the test split."""
    far = (250, 250, 255)
    for name, colour in (("a", (10, 60, 100)), ("far", far), ("seen", (0, 0, 0))):
        write_picture(tmp_path / f"{name}.png", colour)
    value = value_of((10, 60, 100))
    rows = f"path,value,split\na.png,{value + 3},test\nfar.png,100,test\nseen.png,50,train\n"
    (tmp_path / "labels.csv").write_text(rows, "utf-8")
    toml = 'name = "dye"\nanalyte = "dye"\nunit = "mg/L"\nrange = [0.0, 100.0]\n'
    (tmp_path / "dataset.toml").write_text(toml, "utf-8")
    outcome = invoke("benchmark", bundle, *FEW, "--dataset", tmp_path, "--json")
    assert outcome.code == 0, outcome.stderr
    (row,) = results(outcome.stdout)
    assert (row["photographs"], row["refused_photographs"]) == (2, 1)
    assert row["mae_photographs"] == pytest.approx((3 + value_of(far) - 100) / 2, abs=1e-3)
    assert row["mae"] == pytest.approx(0, abs=1e-4)
