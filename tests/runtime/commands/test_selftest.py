"""``analyte selftest``."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from analyte.contract.errors import IntegrityError, ParityError, UnavailableError
from analyte.runtime.commands.selftest import command
from runtime.conftest import Analyte
from runtime.tiny_bundles import File, onnx_model, write_bundle, write_profile


def selftest(*arguments: str | Path) -> Result:
    return CliRunner().invoke(command, [str(a) for a in arguments])


def report(result: Result) -> dict[str, Any]:
    return json.loads(result.stdout)


def bundle_with(folder: Path, *files: File, **options: Any) -> Path:
    return write_bundle(folder / "b.analyte", files or [File("onnx", "onnx", onnx_model(1))], **options)


def test_every_artifact_in_both_batches(both_engines_bundle: Path) -> None:
    result = selftest(both_engines_bundle, "--json")
    assert result.exit_code == 0
    found = report(result)
    assert found["passed"] is True
    assert [(r["artifact"], r["engine"], r["provider"], r["batch"], r["n"]) for r in found["results"]] == [
        ("onnx", "onnx", "cpu", 1, 12),
        ("onnx", "onnx", "cpu", 12, 12),
        ("tflite", "litert", "xnnpack", 1, 12),
        ("tflite", "litert", "xnnpack", 12, 12),
    ]
    for row in found["results"]:
        assert 0 <= row["mean_deviation"] <= row["p99_deviation"] <= row["max_deviation"] < 1e-4
        assert (row["tolerance"], row["passed"]) == (1e-3, True)


def test_table(both_engines_bundle: Path) -> None:
    result = selftest(both_engines_bundle)
    lines = result.stdout.splitlines()
    assert [line.rpartition(" ")[2] for line in lines[1:5]] == ["passed"] * 4
    assert lines[5] == "Deviations from Keras in mg/L."


def test_deviation_is_exit_4(analyte: Analyte, tmp_path: Path) -> None:
    bad = bundle_with(tmp_path, golden_error=0.25)
    result = analyte("selftest", bad, "--json")
    assert result.returncode == 4
    found = json.loads(result.stdout)
    assert found["passed"] is False
    assert [r["passed"] for r in found["results"]] == [False, False]
    assert found["results"][0]["mean_deviation"] == pytest.approx(0.25, abs=1e-4)
    assert "self-test failed for onnx" in result.stderr
    assert "FAILED" in analyte("selftest", bad).stdout


def test_not_finite_fails_and_is_valid_json(tmp_path: Path) -> None:
    result = selftest(bundle_with(tmp_path, golden_error=float("nan")), "--json")
    assert isinstance(result.exception, ParityError)
    row = report(result)["results"][0]
    assert (row["passed"], row["max_deviation"]) == (False, None)


@pytest.mark.parametrize(("file", "code"), [("model.keras", 7), ("card.md", 7), ("onnx.onnx", 7)])
def test_every_file_is_verified(analyte: Analyte, bundle: Path, tmp_path: Path, file: str, code: int) -> None:
    copy = tmp_path / "copy.analyte"
    shutil.copytree(bundle, copy)
    (copy / file).write_bytes((copy / file).read_bytes() + b" ")
    result = analyte("selftest", copy)
    assert (result.returncode, result.stdout) == (code, "")
    assert file in result.stderr


def test_profile_chooses(both_engines_bundle: Path, tmp_path: Path) -> None:
    profile = write_profile(tmp_path / "p.toml", engine="litert", provider="cpu", artifacts=["tflite"])
    result = selftest(both_engines_bundle, "--device", profile, "--json")
    assert {(r["artifact"], r["provider"]) for r in report(result)["results"]} == {("tflite", "cpu")}
    assert "skipped onnx: for engine 'onnx', the profile has 'litert'" in result.stderr


def test_profile_with_a_provider_that_is_not_there(bundle: Path, tmp_path: Path) -> None:
    profile = write_profile(tmp_path / "p.toml", provider="cuda")
    result = selftest(bundle, "--device", profile)
    assert isinstance(result.exception, UnavailableError)
    assert result.stdout == ""


class TestEngineNotInstalled:
    """LiteRT is made to look as if it were not installed."""

    @pytest.fixture(autouse=True)
    def no_litert(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(
            "analyte.runtime.engines.registry.is_installed", lambda engine: engine != "litert"
        )

    def test_is_skipped_and_said(self, both_engines_bundle: Path) -> None:
        result = selftest(both_engines_bundle, "--json")
        assert result.exit_code == 0
        assert {r["artifact"] for r in report(result)["results"]} == {"onnx"}
        assert "skipped tflite: engine 'litert' is not installed" in result.stderr

    def test_asked_for_by_name(self, both_engines_bundle: Path) -> None:
        result = selftest(both_engines_bundle, "--artifact", "tflite")
        assert isinstance(result.exception, UnavailableError)
        assert result.exception.exit_code == 5

    def test_nothing_tested_is_no_pass(self, both_engines_bundle: Path, tmp_path: Path) -> None:
        profile = write_profile(tmp_path / "p.toml", engine="onnx", artifacts=["onnx-int8"])
        result = selftest(both_engines_bundle, "--device", profile)
        assert isinstance(result.exception, UnavailableError)
        assert "no artifact of the bundle could be tested" in str(result.exception)


def test_model_file_that_is_no_model(tmp_path: Path) -> None:
    result = selftest(bundle_with(tmp_path, File("onnx", "onnx", b"hashed, but no model")))
    assert isinstance(result.exception, IntegrityError)


def test_golden_set_that_does_not_fit(tmp_path: Path) -> None:
    result = selftest(bundle_with(tmp_path, File("onnx", "onnx", onnx_model(1, size=32)), size=32))
    assert isinstance(result.exception, IntegrityError)
    assert "the golden set does not fit" in str(result.exception)
