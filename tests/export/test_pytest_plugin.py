"""``pytest --analyte-bundle B`` in a user's repository."""

from __future__ import annotations

import shutil
import sys
import tomllib
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from ai_edge_litert import interpreter

from analyte.contract.bundle import open_bundle
from analyte.contract.errors import UnavailableError
from analyte.contract.manifest import EngineName
from analyte.export import bundle_tests
from analyte.runtime.cases import cases
from analyte.runtime.engines import registry
from runtime.tiny_bundles import File, onnx_model, tflite_model, write_bundle

pytest_plugins = ["pytester"]

LASTING = (bundle_tests, interpreter, onnxruntime)
"""An in-process run forgets what it imports; libraries of native code cannot be imported twice."""

STRICT = "[pytest]\nfilterwarnings = error\naddopts = --strict-markers --import-mode=importlib\n"
NO_TENSORFLOW = """
import sys
def pytest_unconfigure(config):
    loaded = {"tensorflow", "keras", "onnxruntime", "cv2", "pydantic", "numpy"} & set(sys.modules)
    print("loaded:", ",".join(sorted(loaded)))
"""


@pytest.fixture
def repository(pytester: pytest.Pytester) -> pytest.Pytester:
    """A user's repository with a test of its own."""
    pytester.makeini(STRICT)
    pytester.makeconftest(NO_TENSORFLOW)
    pytester.makepyfile(test_own="def test_own():\n    pass\n")
    return pytester


@pytest.fixture(scope="module")
def exact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle for both engines."""
    files = [File("onnx", "onnx", onnx_model(1)), File("tflite", "litert", tflite_model(1))]
    return write_bundle(tmp_path_factory.mktemp("b") / "b.analyte", files)


def off_bundle(folder: Path, engine: EngineName = "onnx") -> Path:
    """A bundle whose artifact says 0.25 mg/L less than its golden set."""
    return write_bundle(folder / "b.analyte", [File("onnx", engine, onnx_model(1))], golden_error=0.25)


def run(repository: pytest.Pytester, *options: object) -> pytest.RunResult:
    """Run pytest in this process, which has all that is needed imported already."""
    return repository.runpytest_inprocess("-v", *map(str, options))


def run_apart(repository: pytest.Pytester, *options: object) -> pytest.RunResult:
    """Run pytest in a process of its own: where it matters what is imported, and for TensorFlow."""
    return repository.runpytest_subprocess("-v", *map(str, options))


def test_is_registered() -> None:
    settings = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))
    declared = settings["project"]["entry-points"]["pytest11"]
    assert declared == {"analyte": "analyte.export.pytest_plugin"}
    installed = {entry.name: entry.value for entry in entry_points(group="pytest11")}
    assert installed.get("analyte") == declared["analyte"], "install analyte again: pip install -e ."


def test_nothing_without_its_option(repository: pytest.Pytester) -> None:
    result = run_apart(repository)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["loaded: "])
    result.stdout.no_fnmatch_line("*b.analyte*")


def test_module_imports_nothing_of_ours(repository: pytest.Pytester) -> None:
    """Everybody's pytest imports it."""
    program = (
        "import sys, pytest; before = set(sys.modules); import analyte.export.pytest_plugin; "
        "print(sorted(name for name in set(sys.modules) - before))"
    )
    result = repository.run(sys.executable, "-c", program)
    assert result.ret == 0
    names = ["analyte", "analyte.export", "analyte.export.pytest_plugin"]
    assert [line for line in result.outlines if line] == [str(names)]


def test_every_artifact_without_tensorflow(repository: pytest.Pytester, exact: Path) -> None:
    result = run_apart(repository, "--analyte-bundle", exact, "-rs")
    result.assert_outcomes(passed=5, skipped=3)
    result.stdout.fnmatch_lines(
        [
            "*b.analyte::integrity PASSED*",
            "*b.analyte::onnx[[]onnx/cpu[]] PASSED*",
            "*b.analyte::onnx[[]onnx/cuda[]] SKIPPED*",
            "*b.analyte::tflite[[]litert/xnnpack[]] PASSED*",
            "*b.analyte::tflite[[]litert/cpu[]] PASSED*",
            "*test_own.py::test_own PASSED*",
            "*= analyte: b.analyte =*",
            "onnx * cpu *passed",
            "Deviations from Keras in mg/L.",
            "SKIPPED*has no 'cuda' provider*",
        ]
    )
    (loaded,) = [line for line in result.outlines if line.startswith("loaded: ")]
    assert "tensorflow" not in loaded
    assert "keras" not in loaded
    assert "onnxruntime" in loaded


def test_failure_says_the_numbers(repository: pytest.Pytester, tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    result = run(
        repository,
        "--analyte-bundle",
        off_bundle(tmp_path),
        "--analyte-provider",
        "cpu",
        "--junitxml",
        report,
    )
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*_ onnx[[]onnx/cpu[]] _*",
            "deviates from Keras by more than its tolerance",
            "onnx *onnx *cpu * 1 * 12 * 0.25 * 0.25 * 0.25 * 0.001 *FAILED",
            "FAILED *b.analyte::onnx[[]onnx/cpu[]]*",
        ]
    )
    result.stdout.no_fnmatch_line("*Traceback*")
    assert "&quot;max_deviation&quot;: 0.25" in report.read_text("utf-8").replace("0.2500", "0.25")


def test_chosen_by_name(repository: pytest.Pytester, exact: Path) -> None:
    result = run(repository, "--analyte-bundle", exact, "-k", "tflite and xnnpack")
    result.assert_outcomes(passed=1, deselected=5 + 2)


def test_engine_that_is_missing_is_skipped_or_demanded(
    repository: pytest.Pytester, exact: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = registry.is_installed
    monkeypatch.setattr(registry, "is_installed", lambda name: name != "litert" and installed(name))
    result = run(repository, "--analyte-bundle", exact, "-rs")
    result.assert_outcomes(passed=3, skipped=3 + 2)
    result.stdout.fnmatch_lines(["SKIPPED*engine 'litert' is not installed*analyte?litert?*"])
    result = run(repository, "--analyte-bundle", exact, "--analyte-provider", "xnnpack")
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["engine 'litert' is not installed*"])


def test_engine_that_opens_and_does_not_run_fails(
    repository: pytest.Pytester, exact: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: object, images: object, beside: object = None) -> None:
        raise UnavailableError("out of memory")

    monkeypatch.setattr("analyte.runtime.engines.onnx.OnnxEngine.run", broken)
    result = run(repository, "--analyte-bundle", exact, "-k", "onnx/cpu")
    result.assert_outcomes(failed=1, deselected=5 + 2)
    result.stdout.fnmatch_lines(["*onnx[[]onnx/cpu[]] FAILED*", "out of memory"])


@pytest.mark.parametrize(
    ("file", "failed", "passed"),
    [("golden.npz", 1 + 3, 0), ("manifest.json", 1, 0), ("tflite.tflite", 1 + 2, 1), ("card.md", 1, 3)],
)
def test_damaged_bundle_fails(
    file: str, failed: int, passed: int, repository: pytest.Pytester, exact: Path, tmp_path: Path
) -> None:
    """And whatever needs the damaged file."""
    bundle = tmp_path / "b.analyte"
    shutil.copytree(exact, bundle)
    data = bytearray((bundle / file).read_bytes())
    data[len(data) // 2] ^= 1
    (bundle / file).write_bytes(bytes(data))
    result = run(repository, "--analyte-bundle", bundle)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(failed=failed, passed=passed + 1, skipped=0 if file == "manifest.json" else 3)
    result.stdout.fnmatch_lines(["*b.analyte::integrity FAILED*", f"*{file}*"])


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (("--analyte-bundle", "nowhere"), "--analyte-bundle: nowhere: no such file or folder"),
        (("--analyte-bundle", "n" * 300), "no such file or folder"),
        (("--analyte-bundle", "."), "not a bundle"),
        (
            ("--analyte-bundle", "{exact}", "--analyte-model", "nix.keras"),
            "--analyte-model: nix.keras: no such",
        ),
        (("--analyte-bundle", "{exact}", "--analyte-model", "{exact}"), "is a folder; expected a file"),
        (
            ("--analyte-bundle", "{exact}", "--analyte-model", "test_own.py", "--analyte-dataset", "nix"),
            "--analyte-dataset: nix: no such file or folder",
        ),
        (("--analyte-bundle", "{exact}", "--analyte-provider", "coral"), "no provider 'coral'"),
        (("--analyte-model", "model.keras"), "need --analyte-bundle"),
        (("--analyte-bundle", "{exact}", "--analyte-dataset", "d"), "needs --analyte-model"),
    ],
)
def test_usage(options: tuple[str, ...], word: str, repository: pytest.Pytester, exact: Path) -> None:
    result = run(repository, *(option.format(exact=exact) for option in options))
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: *{word}*"])
    result.stdout.no_fnmatch_line("*INTERNALERROR*")


def test_keras_again_and_photographs(
    repository: pytest.Pytester, one_view_bundle: Path, one_view_run: Path, one_view_study: Path
) -> None:
    options = ("--analyte-model", one_view_run / "model.keras", "--analyte-dataset", one_view_study)
    result = run_apart(
        repository, "--analyte-bundle", one_view_bundle, *options, "-k", "golden or integrity or onnx/cpu"
    )
    count = sum(a.engine == "onnx" for a in open_bundle(one_view_bundle).manifest.artifacts)
    result.assert_outcomes(passed=2 + 2 * count, deselected=_others(one_view_bundle) + 1)
    result.stdout.fnmatch_lines(
        [
            "*::golden-set PASSED*",
            "*::onnx[[]onnx/cpu[]] PASSED*",
            "*::onnx-photographs[[]onnx/cpu[]] PASSED*",
            "onnx, photographs * 64 *passed",
        ]
    )


def _others(bundle: Path) -> int:
    """How many tests, photographs included, are for other providers than ONNX Runtime's on the CPU."""
    found = cases(open_bundle(bundle))
    return 2 * sum((case.artifact.engine, case.provider) != ("onnx", "cpu") for case in found)


def test_another_model_fails(
    repository: pytest.Pytester, one_view_bundle: Path, one_view_run: Path, tmp_path: Path
) -> None:
    from analyte.export.trained_model import load_model

    model = load_model(one_view_run / "model.keras")
    layer = model.get_layer("head_logits")
    kernel, bias = layer.get_weights()
    layer.set_weights([kernel * 1.1, bias + np.linspace(0.0, 1.0, len(bias))])
    model.save(tmp_path / "other.keras")
    options = ("--analyte-model", tmp_path / "other.keras", "-k", "golden-set or onnx/cpu")
    result = run_apart(repository, "--analyte-bundle", one_view_bundle, *options)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [
            "*::golden-set FAILED*",
            "*::onnx[[]onnx/cpu[]] FAILED*",
            "The golden set is not what Keras says now*",
        ]
    )
