"""What tests of every part share: the command line in this process, and tiny trained models."""

from __future__ import annotations

import contextlib
import functools
import io
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import settings

DEFAULT_RECIPE = "isotropic"
BUNDLED = (
    "onnx", "onnx-int8", "onnx-float16", "onnx-dynamic",
    "tflite", "tflite-int8", "tflite-float16", "tflite-dynamic", "tflite-int16x8",
)  # fmt: skip
"""Formats of the default recipe's bundle: all but integers in and out, which are for plain colours."""
VIEWS: dict[int, tuple[str, ...]] = {1: ("sample",), 2: ("reference", "sample")}

# Processes of a parallel run are started with Ctrl-C ignored, which everything that they start would inherit.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The same examples every time in CI, so that a red run means a change and not a draw; elsewhere new ones.
# No deadline: how long an example takes says more of the machine than of the code.
settings.register_profile("developer", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "developer")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a user would see of one call of ``analyte``."""

    code: int
    stdout: str
    stderr: str


def invoke(*arguments: str | int | float | Path) -> Outcome:
    """Run ``analyte`` in this process: starting TensorFlow anew costs seconds each time."""
    from analyte.cli import main

    out, err, argv = io.StringIO(), io.StringIO(), sys.argv
    sys.argv = ["analyte", *map(str, arguments)]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main()
    except SystemExit as stop:
        return Outcome(int(stop.code or 0), out.getvalue(), err.getvalue())
    finally:
        sys.argv = argv
    raise AssertionError("main() always exits")


Invoke = Callable[..., Outcome]
Make = Callable[[str, int], Path]
"""From the name of a recipe and a number of views to a folder, made once per session. Not to be altered."""


@pytest.fixture(name="invoke", scope="session")
def _invoke() -> Invoke:
    return invoke


@pytest.fixture(scope="session")
def study_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    """Give a tiny dataset of one or two views. Not to be altered."""
    from train.tiny_studies import Study, write_study

    @functools.cache
    def make(views: int) -> Path:
        folder = tmp_path_factory.mktemp("study") / f"views{views}"
        # Under a reference the light may vary: the network is to divide it out.
        return write_study(folder, Study(views=VIEWS[views], light_spread=0.02 if views == 1 else 0.1))

    return make


@pytest.fixture(scope="session")
def run_of(tmp_path_factory: pytest.TempPathFactory, study_of: Callable[[int], Path]) -> Make:
    """Give a run that was trained by the command line with seed 0."""

    @functools.cache
    def make(recipe: str, views: int) -> Path:
        run = tmp_path_factory.mktemp("run") / f"{recipe}{views}"
        # Only the default learns well enough to be judged as an instrument.
        fitting = ("--epochs", 25, "--learning-rate", 8e-3) if recipe == DEFAULT_RECIPE else ("--epochs", 2)
        outcome = invoke(
            "train",
            study_of(views),
            "-o",
            run,
            "--recipe",
            recipe,
            "--size",
            16,
            "--batch-size",
            32,
            *fitting,
        )
        assert outcome.code == 0, outcome.stderr
        return run

    return make


@pytest.fixture(scope="session")
def bundle_of(tmp_path_factory: pytest.TempPathFactory, run_of: Make) -> Make:
    """Give a bundle made by the command line: `BUNDLED` of the default recipe, of others the exact formats.

    A gate for integers judges trained networks, and others than the default are hardly trained here.
    """
    every = [word for name in BUNDLED for word in ("--format", name)]

    @functools.cache
    def make(recipe: str, views: int) -> Path:
        bundle = tmp_path_factory.mktemp("bundle") / f"{recipe}{views}.analyte"
        formats = every if recipe == DEFAULT_RECIPE else ("--format", "onnx", "--format", "tflite")
        outcome = invoke("export", run_of(recipe, views), "-o", bundle, *formats)
        assert outcome.code == 0, f"{outcome.stdout}\n{outcome.stderr}"
        return bundle

    return make


@pytest.fixture(scope="session")
def one_view_study(study_of: Callable[[int], Path]) -> Path:
    return study_of(1)


@pytest.fixture(scope="session")
def two_view_study(study_of: Callable[[int], Path]) -> Path:
    return study_of(2)


@pytest.fixture(scope="session")
def one_view_run(run_of: Make) -> Path:
    return run_of(DEFAULT_RECIPE, 1)


@pytest.fixture(scope="session")
def two_view_run(run_of: Make) -> Path:
    return run_of(DEFAULT_RECIPE, 2)


@pytest.fixture(scope="session")
def one_view_bundle(bundle_of: Make) -> Path:
    return bundle_of(DEFAULT_RECIPE, 1)


@pytest.fixture(scope="session")
def two_view_bundle(bundle_of: Make) -> Path:
    return bundle_of(DEFAULT_RECIPE, 2)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of the real data sets; tests that ask for it carry the marker of the same name."""
    folder = Path(os.environ.get("ANALYTE_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set ANALYTE_DATA to the folder that holds the data sets")
    return folder
