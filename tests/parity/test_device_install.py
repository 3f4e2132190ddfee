"""A wheel in a clean environment with the engines alone: a device reads, and cannot train or export."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


def run(*arguments: str | Path, cwd: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    # An environment of its own: nothing of this one's path or package settings may leak in.
    env = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        [*map(str, arguments)], cwd=cwd, env=env, capture_output=True, text=True, timeout=400, check=False
    )
    assert not check or done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ``bin`` folder of an environment with ``analyte[cpu,litert]`` installed from a wheel."""
    folder = tmp_path_factory.mktemp("device")
    run(
        sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, REPOSITORY, cwd=folder
    )
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "venv", with_pip=True)
    binaries = folder / "venv" / "bin"
    installed = run(
        binaries / "python", "-m", "pip", "install", "--no-compile", "--disable-pip-version-check",
        "--retries", "1", "-c", REPOSITORY / "constraints.txt", f"{wheel}[cpu,litert]",
        cwd=folder, check=False,
    )  # fmt: skip
    if installed.returncode != 0:
        unreachable = ("No matching distribution found", "Could not fetch", "ConnectionError", "Retrying")
        reason = installed.stderr.strip().splitlines()[-1]
        if any(word in installed.stderr for word in unreachable):
            pytest.skip(f"pip cannot reach the package index: {reason}")
        pytest.fail(reason)
    return binaries


@pytest.mark.slow
def test_reads_without_the_training_framework(
    device: Path, one_view_bundle: Path, one_view_study: Path, tmp_path: Path
) -> None:
    found = run(
        device / "python", "-c",
        "import importlib.util as u; print([m for m in "
        "('tensorflow', 'keras', 'tf2onnx', 'matplotlib', 'analyte.train.training', 'onnxruntime')"
        " if u.find_spec(m)])",
        cwd=tmp_path,
    )  # fmt: skip
    # The sources of training come with the wheel; what they need does not.
    assert found.stdout.strip() == "['analyte.train.training', 'onnxruntime']"
    picture = one_view_study / "images" / "0000-sample.png"
    values: list[float] = []
    for artifact in ("onnx", "onnx-int8", "tflite", "tflite-int8"):
        done = run(
            device / "analyte", "read", one_view_bundle, picture, "--artifact", artifact, "--json",
            cwd=tmp_path,
        )  # fmt: skip
        (reading,) = json.loads(done.stdout)
        assert (reading["refused"], reading["unit"], reading["artifact"]) == (False, "mg/L", artifact)
        values.append(reading["value"])
    # Within the gate's tolerance for int8, a hundredth of the range of 10.
    assert max(values) - min(values) <= 0.2
    done = run(device / "analyte", "selftest", one_view_bundle, "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["passed"] is True


@pytest.mark.slow
def test_export_names_what_is_missing(device: Path, one_view_run: Path, tmp_path: Path) -> None:
    done = run(
        device / "analyte", "export", one_view_run, "-o", tmp_path / "b.analyte", cwd=tmp_path, check=False
    )
    assert done.returncode == 5
    assert "pip install 'analyte[export]'" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "b.analyte").exists()
