"""Fixtures of the device's tests: tiny models, bundles made of them, and running the real command line."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from analyte.contract.manifest import EngineName
from runtime.tiny_bundles import File, onnx_model, tflite_model, write_bundle, write_profile

Analyte = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def models() -> dict[tuple[EngineName, int], bytes]:
    """Model files by engine and number of views."""
    return {
        ("onnx", 1): onnx_model(1),
        ("onnx", 2): onnx_model(2),
        ("litert", 1): tflite_model(1),
        ("litert", 2): tflite_model(2),
    }


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of one view with an ONNX artifact. Not to be altered."""
    return write_bundle(tmp_path_factory.mktemp("b") / "tiny.analyte", [File("onnx", "onnx", onnx_model(1))])


@pytest.fixture(scope="session")
def two_view_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of two views with an ONNX artifact. Not to be altered."""
    file = File("onnx", "onnx", onnx_model(2))
    return write_bundle(tmp_path_factory.mktemp("b2") / "two.analyte", [file], views=("reference", "sample"))


@pytest.fixture(scope="session")
def both_engines_bundle(
    tmp_path_factory: pytest.TempPathFactory, models: dict[tuple[EngineName, int], bytes]
) -> Path:
    """A bundle with an ONNX and a TFLite artifact. Not to be altered."""
    files = [File("onnx", "onnx", models["onnx", 1]), File("tflite", "litert", models["litert", 1])]
    return write_bundle(tmp_path_factory.mktemp("b3") / "both.analyte", files)


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    """A profile for ONNX Runtime on the CPU."""
    return write_profile(tmp_path / "device.toml")


def analyte_command(*arguments: str | Path) -> list[str]:
    """Return the command line of analyte under this interpreter."""
    return [sys.executable, "-m", "analyte.cli", *map(str, arguments)]


@pytest.fixture
def analyte(tmp_path: Path) -> Analyte:
    """Run analyte in a process of its own, in an empty folder."""

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            analyte_command(*arguments),
            cwd=tmp_path,
            env=os.environ | {"PYTHONUTF8": "1"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run
