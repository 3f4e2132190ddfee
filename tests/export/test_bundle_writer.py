"""What a bundle holds, and that nothing leaves which does not say what Keras said."""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest

from analyte.contract.bundle import open_bundle
from analyte.contract.errors import IntegrityError
from analyte.contract.manifest import Manifest
from analyte.contract.run import load_record, load_samples, save_record
from analyte.export import formats
from analyte.export.formats import FORMATS, Format
from analyte.export.gate import TOLERANCE_OF_RANGE
from analyte.export.keras_to_onnx import keras_to_onnx
from analyte.export.source import Source
from analyte.export.trained_model import load_model, predict
from conftest import BUNDLED, Invoke

FILES = {
    "manifest.json", "manifest.sha256", "golden.npz", "card.md", "report.html", "model.keras",
    *(f"model{FORMATS[name].suffix}" for name in BUNDLED),
}  # fmt: skip
both_views = pytest.mark.parametrize("word", ["one", "two"])


class TestContents:
    """Every file of a bundle."""

    @pytest.fixture
    def bundle(self, word: str, request: pytest.FixtureRequest) -> Path:
        return request.getfixturevalue(f"{word}_view_bundle")

    @pytest.fixture
    def run(self, word: str, request: pytest.FixtureRequest) -> Path:
        return request.getfixturevalue(f"{word}_view_run")

    @both_views
    def test_files_and_hashes(self, bundle: Path) -> None:
        assert {file.name for file in bundle.iterdir()} == FILES
        opened = open_bundle(bundle)
        opened.verify()
        manifest = opened.manifest
        assert manifest.report is not None
        records = (
            *manifest.artifacts, manifest.golden, manifest.model, manifest.card, manifest.report,
        )  # fmt: skip
        assert {record.file for record in records} == FILES - {"manifest.json", "manifest.sha256"}
        for record in records:
            data = (bundle / record.file).read_bytes()
            assert record.sha256 == hashlib.sha256(data).hexdigest()
            assert record.size_bytes == len(data)
        assert opened.id == hashlib.sha256((bundle / "manifest.json").read_bytes()).hexdigest()

    @both_views
    def test_manifest_says_what_the_run_says(self, bundle: Path, run: Path) -> None:
        manifest, record = open_bundle(bundle).manifest, load_record(run)
        assert manifest.name == bundle.name.removesuffix(".analyte")
        for name in (
            "label",
            "views",
            "rotation_invariant",
            "preprocessing",
            "interval",
            "baseline",
            "disagreement_limit",
            "foreign",
        ):
            assert getattr(manifest, name) == getattr(record, name)
        provenance = manifest.provenance
        assert provenance.dataset == record.dataset
        assert (provenance.recipe, provenance.seed) == (record.recipe, record.seed)
        assert provenance.parameters == record.parameters
        needed = {"analyte", "python", "tensorflow", "keras", "onnx", "tf2onnx", "onnxruntime", "numpy"}
        assert needed <= set(provenance.versions)
        assert [artifact.name for artifact in manifest.artifacts] == list(BUNDLED)
        for artifact in manifest.artifacts:
            entry = FORMATS[artifact.name]
            assert (artifact.engine, artifact.precision) == (entry.engine, entry.precision)

    @both_views
    def test_parity_is_measured_on_validation(self, bundle: Path, run: Path) -> None:
        opened, samples = open_bundle(bundle), load_samples(run)
        exact = predict(load_model(run / "model.keras"), samples.val_images).value
        mae = float(np.abs(exact - samples.val_values).mean())
        for artifact in opened.manifest.artifacts:
            parity = artifact.parity
            assert parity.n == len(samples.val_values)
            assert parity.mae_keras == pytest.approx(mae)
            tolerance = TOLERANCE_OF_RANGE[artifact.precision] * opened.manifest.label.span
            assert parity.tolerance == pytest.approx(tolerance)
            assert 0 <= parity.mean <= parity.p99 <= parity.max
            assert abs(parity.mae - mae) <= parity.mean + 1e-9
            gated = parity.max if artifact.precision.startswith("float") else parity.p99
            assert gated <= tolerance

    @both_views
    def test_golden_set_is_what_keras_says(self, bundle: Path, run: Path) -> None:
        golden, samples = open_bundle(bundle).golden_set(), load_samples(run)
        assert 1 <= len(golden.images) <= 64
        exact = predict(load_model(run / "model.keras"), golden.images)
        np.testing.assert_array_equal(golden.value, exact.value)
        np.testing.assert_array_equal(golden.sigma, exact.sigma)
        np.testing.assert_array_equal(golden.features, exact.features)
        # Validation pictures with their values, from one end of the range to the other.
        known = {p.tobytes(): v for p, v in zip(samples.val_images, samples.val_values, strict=True)}
        assert [known[picture.tobytes()] for picture in golden.images] == golden.true.tolist()
        assert golden.true.min() == samples.val_values.min()
        assert golden.true.max() == samples.val_values.max()

    @both_views
    def test_model_is_that_of_the_run(self, bundle: Path, run: Path) -> None:
        assert (bundle / "model.keras").read_bytes() == (run / "model.keras").read_bytes()

    @both_views
    def test_report_is_that_of_the_run(self, bundle: Path, run: Path, tmp_path: Path) -> None:
        """It is of this very model, and nobody can change it unnoticed."""
        text = (bundle / "report.html").read_text("utf-8")
        assert text == (run / "report.html").read_text("utf-8")
        assert hashlib.sha256((bundle / "model.keras").read_bytes()).hexdigest() in text
        altered = Path(shutil.copytree(bundle, tmp_path / "b.analyte"))
        (altered / "report.html").write_text(text.replace("does NOT beat", "beats") + " ", "utf-8")
        with pytest.raises(IntegrityError, match=r"report\.html"):
            open_bundle(altered).verify()

    @both_views
    def test_card(self, bundle: Path, run: Path) -> None:
        text = (bundle / "card.md").read_text("utf-8")
        record = load_record(run)
        assert text.startswith(f"# {bundle.name.removesuffix('.analyte')}\n")
        assert "Reads **dye** in **mg/L** from 0 to 10" in text
        assert ", ".join(record.views) in text
        assert record.dataset.sha256[:16] in text
        assert "CC0-1.0" in text
        # One session in validation: whichever error is smaller, nothing is decided.
        assert "cannot be told apart from the calibration curve" in record.verdict
        assert f"\n- Validation split: {record.verdict}\n" in text
        assert "`report.html`" in text
        for name in BUNDLED:
            assert f"| {name} |" in text


def test_run_without_report_or_verdict(one_view_run: Path, tmp_path: Path, invoke: Invoke) -> None:
    """As of a run by hand: it is exported all the same, and nothing is claimed."""
    run, bundle = Path(shutil.copytree(one_view_run, tmp_path / "run")), tmp_path / "b.analyte"
    (run / "report.html").unlink()
    record = load_record(run)
    save_record(record.model_copy(update={"verdict": ""}), run)
    outcome = invoke("export", run, "-o", bundle, "--format", "onnx")
    assert outcome.code == 0, outcome.stderr
    opened = open_bundle(bundle)
    opened.verify()
    assert opened.manifest.report is None
    assert not (bundle / "report.html").exists()
    text = (bundle / "card.md").read_text("utf-8")
    assert "report.html" not in text
    network, curve = (record.validation_mae[name] for name in ("keras", "baseline"))
    assert f"network {network:.4g} mg/L, calibration curve {curve:.4g} mg/L; which is better was not" in text
    assert "beat" not in text


def test_golden_pictures_span_a_large_validation_split(one_view_run: Path, tmp_path: Path) -> None:
    """Where there are more than 64, they are spread evenly over the values."""
    from analyte.contract.run import RunSamples
    from analyte.export.bundle_writer import GOLDEN_SIZE, write_bundle

    run, folder = tmp_path / "run", tmp_path / "bundle"
    shutil.copytree(one_view_run, run)
    folder.mkdir()
    samples = load_samples(run)
    # The training pictures are made the judges, only to have many.
    RunSamples(
        samples.val_images, samples.val_values, samples.val_sessions,
        samples.train_images, samples.train_values, samples.train_sessions,
    ).save(run)  # fmt: skip
    assert len(samples.train_values) > GOLDEN_SIZE
    write_bundle(run, folder, "b", [FORMATS["onnx"]])
    golden = open_bundle(folder).golden_set()
    assert len(golden.true) == GOLDEN_SIZE
    assert (np.diff(golden.true) >= 0).all()
    assert np.diff(golden.true).max() < 0.05 * 10


def perturbed(source: Source) -> bytes:
    """A conversion that lost a little of one weight, as a converter with a bug would."""
    copy = keras.models.clone_model(source.model)
    copy.set_weights(source.model.get_weights())
    layer = copy.get_layer("head_logits")
    kernel, bias = layer.get_weights()
    kernel[:, ::2] *= 1.02
    layer.set_weights([kernel, bias])
    return keras_to_onnx(copy)


class TestGate:
    """A sabotaged converter."""

    @pytest.fixture(autouse=True)
    def sabotage(self, monkeypatch: pytest.MonkeyPatch) -> None:
        bad: Format = dataclasses.replace(FORMATS["onnx"], convert=perturbed)
        monkeypatch.setitem(formats.FORMATS, "onnx", bad)

    def test_nothing_is_written(self, one_view_run: Path, tmp_path: Path, invoke: Invoke) -> None:
        out = tmp_path / "b.analyte"
        outcome = invoke("export", one_view_run, "-o", out, "--format", "onnx", "--format", "tflite")
        assert outcome.code == 4
        assert list(tmp_path.iterdir()) == []
        # The table still shows which, and by how much; the line says what it means.
        table, *_ = outcome.stdout.split("\n\n")
        rows = {line.split()[0]: line for line in table.splitlines()}
        assert "FAILED" in rows["onnx"]
        assert "FAILED" not in rows["tflite"]
        assert "onnx: max deviation" in outcome.stderr
        assert "mg/L" in outcome.stderr
        assert len(outcome.stderr.strip().splitlines()) == 1

    def test_says_where_it_deviates(self, one_view_run: Path, tmp_path: Path, invoke: Invoke) -> None:
        outcome = invoke("export", one_view_run, "-o", tmp_path / "b", "--format", "onnx")
        table = outcome.stdout.split("\n\n")[1].splitlines()
        assert table[0].split()[:2] == ["validation", "picture"]
        deviations = [abs(float(line.split()[-1])) for line in table[1:]]
        assert deviations == sorted(deviations, reverse=True)
        assert deviations[0] > 1e-4

    def test_let_pass_with_the_miss_on_record(
        self, one_view_run: Path, tmp_path: Path, invoke: Invoke
    ) -> None:
        out = tmp_path / "b.analyte"
        outcome = invoke(
            "export", one_view_run, "-o", out, "--format", "onnx", "--format", "tflite", "--allow-degraded"
        )
        assert outcome.code == 0, outcome.stderr
        artifacts = {artifact.name: artifact for artifact in open_bundle(out).manifest.artifacts}
        assert artifacts["tflite"].degraded == ()
        assert any("max deviation" in problem for problem in artifacts["onnx"].degraded)
        card = (out / "card.md").read_text("utf-8")
        assert "**onnx misses its tolerance**" in card
        assert "**tflite misses" not in card
        # It does not pass for a sound one on the device either, even if its golden pictures were right.
        assert invoke("selftest", out).code == 4
        photograph = tmp_path / "a.png"
        cv2.imwrite(str(photograph), load_samples(one_view_run).val_images[0, 0])
        refused = invoke("read", out, photograph, "--artifact", "onnx")
        assert (refused.code, "missed its tolerance when it was exported" in refused.stderr) == (4, True)
        # Nobody named one: the first that passed is taken.
        assert "artifact tflite on" in invoke("read", out, photograph).stderr

    def test_old_bundle_is_kept(
        self, one_view_run: Path, one_view_bundle: Path, tmp_path: Path, invoke: Invoke
    ) -> None:
        out = tmp_path / "b.analyte"
        shutil.copytree(one_view_bundle, out)
        before = {file.name: file.read_bytes() for file in out.iterdir()}
        outcome = invoke("export", one_view_run, "-o", out, "--format", "onnx", "--overwrite")
        assert outcome.code == 4
        assert {file.name: file.read_bytes() for file in out.iterdir()} == before
        assert [p.name for p in tmp_path.iterdir()] == ["b.analyte"]


def test_manifest_has_no_room_for_unknown_keys(one_view_bundle: Path) -> None:
    text = (one_view_bundle / "manifest.json").read_text("utf-8")
    assert Manifest.model_validate_json(text).model_dump_json(indent=2) + "\n" == text
