"""Which ways to run a bundle there are, and what becomes of those that are not available."""

from __future__ import annotations

from pathlib import Path

import pytest

from analyte.contract.bundle import open_bundle
from analyte.contract.errors import SettingsError, UnavailableError
from analyte.runtime import cases as module
from analyte.runtime.cases import Attempts, Case, Wanted, cases, check_there, skipped_lines


def names(bundle: Path, wanted: Wanted | None = None, *, reference: bool = False) -> list[str]:
    return [case.name for case in cases(open_bundle(bundle), wanted, reference=reference)]


def test_all(both_engines_bundle: Path) -> None:
    fast = ["onnx[onnx/cpu]", "onnx[onnx/cuda]", "onnx[onnx/tensorrt]", "onnx[onnx/openvino]"]
    fast += ["tflite[litert/xnnpack]", "tflite[litert/cpu]"]
    assert names(both_engines_bundle) == fast
    assert names(both_engines_bundle, reference=True) == [*fast, "tflite[litert/reference]"]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Wanted(("tflite",)), ["tflite[litert/xnnpack]", "tflite[litert/cpu]"]),
        (Wanted(engines=("litert",), providers=("cpu",)), ["tflite[litert/cpu]"]),
        (Wanted(providers=("cpu",)), ["onnx[onnx/cpu]", "tflite[litert/cpu]"]),
        (Wanted(providers=("reference",)), ["tflite[litert/reference]"]),
    ],
)
def test_named(wanted: Wanted, expected: list[str], both_engines_bundle: Path) -> None:
    assert names(both_engines_bundle, wanted) == expected


@pytest.mark.parametrize(
    "wanted", [Wanted(("int4",)), Wanted(engines=("torch",)), Wanted(providers=("coral",))]
)
def test_unknown(wanted: Wanted, both_engines_bundle: Path) -> None:
    with pytest.raises(SettingsError):
        names(both_engines_bundle, wanted)


def test_names_that_exclude_each_other(both_engines_bundle: Path) -> None:
    with pytest.raises(SettingsError, match="tflite for litert"):
        names(both_engines_bundle, Wanted(("tflite",), (), ("cuda",)))


def test_there_or_not(both_engines_bundle: Path) -> None:
    found: dict[str, bool] = {}
    for case in cases(open_bundle(both_engines_bundle), reference=True):
        try:
            check_there(case)
        except UnavailableError:
            found[case.name] = False
        else:
            found[case.name] = True
    assert [name for name, there in found.items() if there] == [
        "onnx[onnx/cpu]",
        "tflite[litert/xnnpack]",
        "tflite[litert/cpu]",
        "tflite[litert/reference]",
    ]


def test_absent_provider_is_asked_for_once_and_nothing_is_tried_on_it(
    both_engines_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    real = module.open_engine
    monkeypatch.setattr(
        module,
        "open_engine",
        lambda model, engine, provider, *rest, **where: (
            asked.append(provider) or real(model, engine, provider, *rest, **where)
        ),
    )
    cuda = cases(open_bundle(both_engines_bundle))[1]
    attempts, tried = Attempts(strict=False), list[Case]()
    assert [attempts.attempt(cuda, tried.append) for _ in range(2)] == [None, None]
    assert (asked, tried) == (["cuda"], [])
    assert [(s.artifact, s.engine, s.provider) for s in attempts.skipped] == [("onnx", "onnx", "cuda")] * 2
    (line,) = skipped_lines(attempts.skipped)
    assert line.startswith("skipped onnx, onnx on cuda: ")
    assert line.endswith("has no 'cuda' provider")
    # What to install is for those who ask.
    assert "pip install" in attempts.skipped[0].reason


def test_one_short_line_for_many_artifacts(both_engines_bundle: Path) -> None:
    cpu, cuda, *_ = cases(open_bundle(both_engines_bundle))
    attempts = Attempts(strict=False)
    for number in range(9):
        artifact = cuda.artifact.model_copy(update={"name": f"onnx-{number}"})
        attempts.attempt(Case(artifact, "cuda"), fail)
    attempts.attempt(cpu, fail_at_length)
    lines = skipped_lines(attempts.skipped)
    assert lines[0].startswith("skipped onnx-0, onnx-1 and 7 more on cuda: ONNX Runtime")
    assert lines[1].startswith("skipped onnx on cpu: it broke; got no no no")
    assert len(lines) == 2
    assert max(map(len, lines)) < 200


def fail(case: Case) -> None:
    raise UnavailableError("gone")


def fail_at_length(case: Case) -> None:
    raise UnavailableError("it broke", got="no " * 1000)


def test_one_file_that_fails_says_nothing_of_the_next(both_engines_bundle: Path) -> None:
    cpu = cases(open_bundle(both_engines_bundle))[0]
    attempts = Attempts(strict=False)
    assert attempts.attempt(cpu, fail) is None
    assert [left.reason for left in attempts.skipped] == ["gone"]
    assert attempts.attempt(cpu, lambda case: case.name) == "onnx[onnx/cpu]"


def test_strict(both_engines_bundle: Path) -> None:
    cpu, cuda, *_ = cases(open_bundle(both_engines_bundle))
    with pytest.raises(UnavailableError, match="gone"):
        Attempts(strict=True).attempt(cpu, fail)
    with pytest.raises(UnavailableError, match="'cuda'"):
        Attempts(strict=True).attempt(cuda, lambda case: None)
