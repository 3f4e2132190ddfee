"""``analyte parity``: the proof, run again."""

from __future__ import annotations

import dataclasses
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analyte.contract.arrays import Float32Array, UInt8Array
from analyte.contract.bundle import GoldenSet, open_bundle, record_file, write_manifest
from analyte.export.parity import thread_counts
from analyte.export.trained_model import load_model
from analyte.runtime.engines.protocol import Prediction
from conftest import Invoke, Outcome
from conftest import invoke as _invoke
from runtime.tiny_bundles import rehash
from train.tiny_studies import Study, write_study

FIELDS = {
    "artifact", "engine", "provider", "batch", "n", "mean_deviation", "p99_deviation", "max_deviation",
    "tolerance", "passed", "threads",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Compared:
    """One call of the command."""

    bundle: Path
    picture: Path
    outcome: Outcome

    @property
    def found(self) -> dict[str, Any]:
        report: dict[str, Any] = json.loads(self.outcome.stdout)
        return report


@pytest.fixture(scope="module")
def one(one_view_bundle: Path, one_view_study: Path, tmp_path_factory: pytest.TempPathFactory) -> Compared:
    """The bundle of one view with everything that can be asked for."""
    picture = tmp_path_factory.mktemp("parity") / "map.svg"
    options = ("--dataset", one_view_study, "--photographs", 9, "--picture", picture)
    return Compared(one_view_bundle, picture, _invoke("parity", one_view_bundle, *options, "--json"))


def test_every_artifact_in_every_way(one: Compared) -> None:
    assert one.outcome.code == 0, one.outcome.stderr
    found = one.found
    assert found["passed"] is True
    golden = open_bundle(one.bundle).golden_set()
    n = len(golden.images)
    by_case: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for row in found["results"]:
        assert set(row) >= FIELDS
        assert row["passed"] is True
        assert 0 <= row["mean_deviation"] <= row["p99_deviation"] <= row["max_deviation"]
        by_case.setdefault((row["artifact"], row["engine"], row["provider"]), []).append(row)
    manifest = open_bundle(one.bundle).manifest
    providers = {"onnx": ("cpu", "reference"), "litert": ("xnnpack", "cpu", "reference")}
    unavailable = {(left["artifact"], left["engine"], left["provider"]) for left in found["skipped"]}
    everything = {(a.name, a.engine, p) for a in manifest.artifacts for p in providers[a.engine]}
    assert set(by_case) == everything - unavailable
    # What every bundle has is run in every way.
    for name, engine, provider in (("onnx", "onnx", "cpu"), ("tflite-int8", "litert", "xnnpack")):
        ways = {(row["threads"], row["batch"], row["n"]) for row in by_case[name, engine, provider]}
        assert ways == {(t, b, n) for t in thread_counts() for b in (1, 7, min(64, n))}
    for name, engine, few in (("tflite", "litert", 16), ("onnx", "onnx", 8), ("onnx-int8", "onnx", 8)):
        (row,) = by_case[name, engine, "reference"]
        assert (row["threads"], row["n"]) == (1, few)


def test_tolerances_are_those_of_export(one: Compared) -> None:
    expected = {a.name: a.parity.tolerance for a in open_bundle(one.bundle).manifest.artifacts}
    rows = [*one.found["results"], *one.found["photographs"]["results"]]
    assert {(row["artifact"], row["tolerance"]) for row in rows} == set(expected.items())


def test_what_is_not_there_is_named(one: Compared) -> None:
    left = {(s["artifact"], s["provider"]) for s in one.found["skipped"]}
    assert {("onnx", provider) for provider in ("cuda", "tensorrt", "openvino")} <= left
    assert "analyte parity: skipped onnx, onnx-int8" in one.outcome.stderr


def test_from_the_photograph_on(one: Compared) -> None:
    found = one.found["photographs"]
    assert (found["dataset"], found["samples"]) == ("dye", 9)
    cases = [(row["artifact"], row["provider"]) for row in found["results"]]
    assert {("onnx", "cpu"), ("tflite", "xnnpack"), ("tflite", "cpu"), ("tflite-int8", "xnnpack")} <= set(
        cases
    )
    assert not [provider for _, provider in cases if provider == "reference"]
    for row in found["results"]:
        assert set(row) >= FIELDS | {"refused", "judged_otherwise"}
        assert (row["n"], row["batch"], row["passed"]) == (9, 1, True)
        assert 0 < row["max_deviation"] <= row["tolerance"]
        assert row["judged_otherwise"] == 0


def test_heat_map(one: Compared) -> None:
    drawn = one.picture.read_text("utf-8")
    assert "<svg" in drawn


def test_two_views_in_tables(two_view_bundle: Path, two_view_study: Path, invoke: Invoke) -> None:
    outcome = invoke("parity", two_view_bundle, "--dataset", two_view_study, "--photographs", 5)
    assert outcome.code == 0, outcome.stderr
    above, _, below = outcome.stdout.partition("From 5 samples' photographs of dye on, one at a time:")
    for table in (above, below):
        verdicts = {
            line.rpartition(" ")[2] for line in table.splitlines() if line.startswith(("onnx", "tflite"))
        }
        assert verdicts == {"passed"}
    assert outcome.stdout.splitlines()[-1].startswith("Keras now and in the golden set differ by at most")


class TestPhotographs:
    """What differs between a device and the training's preprocessing must show."""

    def test_pipeline_that_sees_other_pixels(
        self, one_view_bundle: Path, one_view_study: Path, monkeypatch: pytest.MonkeyPatch, invoke: Invoke
    ) -> None:
        import cv2

        from analyte.runtime import photographs
        from analyte.runtime.sources.folder import read_frame
        from analyte.runtime.sources.protocol import Frame

        def swapped(path: Path, index: int) -> Frame:
            frame = read_frame(path, index)
            assert isinstance(frame, Frame)
            return dataclasses.replace(frame, pixels=cv2.cvtColor(frame.pixels, cv2.COLOR_BGR2RGB))

        monkeypatch.setattr(photographs, "read_frame", swapped)
        options = ("--dataset", one_view_study, "--photographs", 5, "--artifact", "onnx", "--json")
        outcome = invoke("parity", one_view_bundle, *options)
        assert outcome.code == 4
        found = json.loads(outcome.stdout)
        assert all(row["passed"] for row in found["results"])
        assert [row["passed"] for row in found["photographs"]["results"]] == [False]

    @pytest.mark.parametrize(
        ("views", "unit", "word"), [(("a", "b"), "mg/L", "views a, b"), (("sample",), "g/L", "in g/L")]
    )
    def test_dataset_that_does_not_fit(
        self,
        views: tuple[str, ...],
        unit: str,
        word: str,
        one_view_bundle: Path,
        tmp_path: Path,
        invoke: Invoke,
    ) -> None:
        study = write_study(tmp_path / "study", Study(samples=12, views=views, unit=unit))
        outcome = invoke("parity", one_view_bundle, "--dataset", study)
        assert (outcome.code, outcome.stdout) == (3, "")
        assert word in outcome.stderr


class TestNamed:
    """What is asked for by name is what runs."""

    def test_artifact_and_provider(self, one_view_bundle: Path, invoke: Invoke) -> None:
        options = ("--artifact", "tflite", "--provider", "cpu", "--json")
        found = json.loads(invoke("parity", one_view_bundle, *options).stdout)
        assert {(row["artifact"], row["provider"]) for row in found["results"]} == {("tflite", "cpu")}
        assert found["skipped"] == []

    @pytest.mark.parametrize(
        ("options", "code", "word"),
        [
            (("--provider", "cuda"), 5, "has no 'cuda' provider"),
            (("--provider", "coral"), 2, "no provider 'coral'"),
            (("--artifact", "onnx-int4"), 2, "no artifact 'onnx-int4'"),
            (("--picture", "map.pdf"), 2, "expected .png or .svg"),
            (("--dataset", "nowhere"), 3, "nowhere"),
            (("--overwrite",), 2, "--overwrite needs --picture"),
            (("--unit", "mg/L"), 2, "need --dataset"),
            (("--photographs", 5), 2, "need --dataset"),
        ],
    )
    def test_refused(
        self, options: tuple[str, ...], code: int, word: str, one_view_bundle: Path, invoke: Invoke
    ) -> None:
        outcome = invoke("parity", one_view_bundle, *options)
        assert (outcome.code, outcome.stdout) == (code, "")
        assert word in outcome.stderr

    def test_artifact_that_nothing_here_runs_is_not_passed(
        self, one_view_bundle: Path, monkeypatch: pytest.MonkeyPatch, invoke: Invoke
    ) -> None:
        from analyte.runtime.engines import registry

        installed = registry.is_installed
        monkeypatch.setattr(registry, "is_installed", lambda name: name != "litert" and installed(name))
        outcome = invoke("parity", one_view_bundle)
        assert (outcome.code, outcome.stdout) == (5, "")
        assert "artifact 'tflite" in outcome.stderr


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
    check_worst(found, open_bundle(one_view_bundle).golden_set())


def check_worst(found: dict[str, Any], golden: GoldenSet) -> None:
    """Worst first, and what stands there is what Keras and the artifact say of that golden image."""
    failed = {(r["artifact"], r["engine"], r["provider"]) for r in found["results"] if not r["passed"]}
    assert {(w["artifact"], w["engine"], w["provider"]) for w in found["worst"]} == failed
    images = [w for w in found["worst"] if (w["artifact"], w["provider"]) == ("onnx", "cpu")]
    off = [abs(w["value"] - w["keras"]) for w in images]
    assert len(images) == 5
    assert off == sorted(off, reverse=True)
    largest = [
        r["max_deviation"] for r in found["results"] if (r["artifact"], r["provider"]) == ("onnx", "cpu")
    ]
    assert off[0] == pytest.approx(max(largest))
    for image in images:
        assert image["true"] == golden.true[image["index"]]
        # The artifact still says what the golden set says; it is Keras that was replaced.
        assert image["value"] == pytest.approx(float(golden.value[image["index"]]), abs=1e-4)


def test_batch_that_cannot_be_run_is_a_miss(
    one_view_bundle: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A graph into which one batch size was baked opens, so its engine is not what is missing."""
    from analyte.contract.errors import UnavailableError
    from analyte.runtime.engines.onnx import OnnxEngine

    real = OnnxEngine.run

    def one_by_one(self: OnnxEngine, images: UInt8Array, beside: Float32Array | None = None) -> Prediction:
        if len(images) == 7:
            raise UnavailableError("got shape [7, 16, 16, 3]")
        return real(self, images, beside)

    monkeypatch.setattr(OnnxEngine, "run", one_by_one)
    outcome = invoke("parity", one_view_bundle, "--provider", "cpu", "--artifact", "onnx", "--json")
    assert outcome.code == 4
    found = json.loads(outcome.stdout)
    assert [row["batch"] for row in found["results"] if row["passed"] is False] == [7] * len(thread_counts())
    assert next(row["max_deviation"] for row in found["results"] if row["batch"] == 7) is None
    assert "batch 7: got shape [7, 16, 16, 3]" in found["broken"][0]["reason"]
    assert "batch 7: got shape [7, 16, 16, 3]" in outcome.stderr
    table = invoke("parity", one_view_bundle, "--provider", "cpu", "--artifact", "onnx").stdout
    assert f"FAILED ({len(thread_counts())} of {3 * len(thread_counts())})" in table


def test_worst_images_as_files(
    one_view_bundle: Path, tmp_path: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An artifact that swaps two channels; what is written is what the network saw."""
    import cv2

    from analyte.runtime.engines.onnx import OnnxEngine

    real = OnnxEngine.run
    monkeypatch.setattr(
        OnnxEngine, "run", lambda self, images, beside=None: real(self, images[..., [1, 0, 2]], beside)
    )
    folder = tmp_path / "worst"
    options = ("--artifact", "onnx", "--provider", "cpu", "--worst", folder)
    outcome = invoke("parity", one_view_bundle, *options)
    assert outcome.code == 4
    assert "FAILED" in outcome.stdout
    table = outcome.stdout.partition("Worst images of what failed, in mg/L:\n")[2].splitlines()[1:6]
    indices = [int(line.split()[2]) for line in table]
    golden = open_bundle(one_view_bundle).golden_set()
    assert sorted(file.name for file in folder.iterdir()) == sorted(f"onnx-cpu-{i}.png" for i in indices)
    pixels = cv2.imread(str(folder / f"onnx-cpu-{indices[0]}.png"))
    assert pixels is not None
    written = pixels[:, :, ::-1]
    size = golden.images.shape[2]
    factor = len(written) // size
    np.testing.assert_array_equal(written[::factor, ::factor], golden.images[indices[0], 0])


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


@pytest.mark.parametrize(
    ("name", "code", "says"),
    [
        (
            "damaged.keras",
            7,
            "not a readable Keras model; expected what model.save('NAME.keras') writes; got 8 b",
        ),
        ("cut.keras", 7, "that are no whole zip. Copy it again"),
        ("empty.keras", 7, "got an empty file. Copy it again"),
        ("missing.keras", 3, "no such model file"),
        ("model.zip", 3, "not the name of a Keras model; expected NAME.keras"),
        ("folder", 3, "a folder, and a model is one file; expected NAME.keras"),
        ("run", 3, "a folder, and a model is one file; expected NAME.keras. Name the file in it: "),
    ],
)
def test_model_file_that_is_none(
    name: str,
    code: int,
    says: str,
    one_view_bundle: Path,
    one_view_run: Path,
    tmp_path: Path,
    invoke: Invoke,
) -> None:
    (tmp_path / "damaged.keras").write_bytes(b"no model")
    (tmp_path / "empty.keras").write_bytes(b"")
    whole = (one_view_run / "model.keras").read_bytes()
    (tmp_path / "cut.keras").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "model.zip").write_bytes(whole)
    (tmp_path / "folder").mkdir()
    (tmp_path / "run").symlink_to(one_view_run)
    outcome = invoke("parity", one_view_bundle, "--model", tmp_path / name)
    assert outcome.code == code
    assert name in outcome.stderr
    assert says in outcome.stderr
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


def test_model_of_another_input(one_view_bundle: Path, two_view_run: Path, invoke: Invoke) -> None:
    outcome = invoke("parity", one_view_bundle, "--model", two_view_run / "model.keras", "--artifact", "onnx")
    assert outcome.code == 3
    assert "the model does not fit the bundle" in outcome.stderr
    assert "expected image [16, 16, 3]; got image [2, 16, 16, 3]" in outcome.stderr
