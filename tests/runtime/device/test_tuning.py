"""Tuning: what is chosen, and what is written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from analyte.contract.bundle import open_bundle
from analyte.contract.errors import ParityError, ProfileError
from analyte.contract.profile import load_profile
from analyte.runtime.benchmark import Benchmark, run_benchmark
from analyte.runtime.device import tuning
from analyte.runtime.device.tuning import changes_for, tune
from runtime.tiny_bundles import File, onnx_model, write_bundle, write_profile


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "thread_counts", lambda: [1])


def test_nothing_that_fails_the_self_test_is_chosen(tmp_path: Path) -> None:
    # The values of the second one are wrong, whichever is faster.
    wrong = onnx_model(1).replace(b"\x00\x00\x7f\x43", b"\x00\x00\x00\x43")
    assert wrong != onnx_model(1)
    files = [File("onnx-int8", "onnx", wrong, "int8"), File("onnx", "onnx", onnx_model(1))]
    bundle = open_bundle(write_bundle(tmp_path / "b.analyte", files))
    profile = load_profile(write_profile(tmp_path / "p.toml", artifacts=["onnx-int8", "onnx"]))
    tuned = tune(bundle, profile, where="p", repeats=10)
    assert (tuned.name, tuned.provider, tuned.threads, tuned.artifacts) == ("onnx", "cpu", 1, ("onnx",))
    assert {row.artifact: row.passed for row in tuned.rows} == {"onnx": True, "onnx-int8": False}


@pytest.mark.parametrize(
    ("thread_times", "chosen"),
    [
        # Within 10 %: fewer threads. Beyond: the fastest.
        ({1: 109.0, 2: 100.0, 4: 104.0}, 1),
        ({1: 112.0, 2: 109.0, 4: 100.0}, 2),
        ({1: 111.0, 2: 112.0, 4: 100.0}, 4),
        ({1: 100.0, 2: 99.0, 4: 98.0}, 1),
    ],
)
def test_of_medians_within_a_tenth_fewer_threads(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    bundle: Path,
    thread_times: dict[int, float],
    chosen: int,
) -> None:
    real = run_benchmark

    def timed(*arguments: Any) -> Benchmark:
        report = real(*arguments)
        threads: int = arguments[2].threads
        rows = tuple(replace(row, threads=threads, p50_us=thread_times[threads]) for row in report.results)
        return replace(report, results=rows)

    monkeypatch.setattr(tuning, "thread_counts", lambda: list(thread_times))
    monkeypatch.setattr(tuning, "run_benchmark", timed)
    profile = load_profile(write_profile(tmp_path / "p.toml"))
    tuned = tune(open_bundle(bundle), profile, where="p", repeats=5)
    assert (tuned.threads, tuned.p50_us) == (chosen, thread_times[chosen])


def test_nothing_passes(tmp_path: Path) -> None:
    files = [File("onnx", "onnx", onnx_model(1))]
    bundle = open_bundle(write_bundle(tmp_path / "b.analyte", files, golden_error=1.0))
    with pytest.raises(ParityError, match="nothing that runs here passes"):
        tune(bundle, load_profile(write_profile(tmp_path / "p.toml")), where="p", repeats=10)


def test_a_delegate_is_not_compared(tmp_path: Path, bundle: Path) -> None:
    path = write_profile(tmp_path / "p.toml", engine="litert", provider="delegate", artifacts=["tflite"])
    path.write_text(path.read_text("utf-8") + 'delegate = { library = "libx.so" }\n', "utf-8")
    with pytest.raises(ProfileError, match=r"engine\.delegate"):
        tune(open_bundle(bundle), load_profile(path), where=path)


def test_options_of_another_provider_go(tmp_path: Path, bundle: Path) -> None:
    path = write_profile(tmp_path / "p.toml", provider="openvino", fallback=["cpu"])
    path.write_text(path.read_text("utf-8") + 'provider_options = { device_type = "CPU" }\n', "utf-8")
    profile = load_profile(path)
    tuned = tune(open_bundle(bundle), profile, where=path, repeats=10)
    assert changes_for(tuned, profile.engine) == {
        "name": "onnx",
        "provider": "cpu",
        "threads": 1,
        "artifacts": ("onnx",),
        "provider_options": None,
    }
