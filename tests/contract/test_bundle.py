"""Bundles and run folders: what was written comes back, and what was altered is refused."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analyte.contract.bundle import Bundle, open_bundle, record_file
from analyte.contract.errors import AnalyteError, InputError, IntegrityError, SettingsError
from analyte.contract.manifest import Manifest
from analyte.contract.run import (
    DatasetRecord,
    RunRecord,
    RunSamples,
    graph_input,
    load_record,
    load_samples,
    save_record,
)
from contract.datasets import assert_one_line
from runtime.tiny_bundles import File, edit_manifest, write_bundle


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files = [File("onnx", "onnx", b"model"), File("tflite", "litert", b"other model")]
    return write_bundle(tmp_path / "b.analyte", files)


def refused(call: Callable[[], object], kind: type[AnalyteError], code: int, *parts: str) -> None:
    with pytest.raises(AnalyteError) as caught:
        call()
    assert type(caught.value) is kind
    assert_one_line(caught.value, code, *parts)
    assert len(caught.value.line()) < 700


class TestOpen:
    def test_good(self, folder: Path) -> None:
        bundle = open_bundle(folder)
        bundle.verify()
        assert bundle.artifact("tflite").engine == "litert"
        assert bundle.read(bundle.artifact("onnx")) == b"model"
        assert len(bundle.id) == 64

    def test_id_is_that_of_the_manifest(self, folder: Path, tmp_path: Path) -> None:
        other = Path(shutil.copytree(folder, tmp_path / "moved.analyte"))
        assert open_bundle(other).id == open_bundle(folder).id
        edit_manifest(other, name="renamed")
        assert open_bundle(other).id != open_bundle(folder).id

    def test_manifest_survives_json(self, folder: Path) -> None:
        manifest = open_bundle(folder).manifest
        assert Manifest.model_validate_json(manifest.model_dump_json()) == manifest

    def test_a_lost_manifest_is_damage(self, folder: Path) -> None:
        (folder / "manifest.json").unlink()
        refused(lambda: open_bundle(folder), IntegrityError, 7, "manifest.json: the manifest is missing")

    def test_a_zip_of_something_else_is_no_bundle(self, tmp_path: Path) -> None:
        path = tmp_path / "model.keras"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("config.json", "{}")
        refused(lambda: open_bundle(path), InputError, 3, "model.keras: not a bundle")

    def test_a_bundle_that_another_program_packed_is_refused_as_such(
        self, folder: Path, tmp_path: Path
    ) -> None:
        path = tmp_path / "b.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.write(folder / "manifest.json", "b.analyte/manifest.json")
        refused(lambda: open_bundle(path), IntegrityError, 7, "packed by 'analyte bundle pack'")

    def test_nothing_there(self, tmp_path: Path) -> None:
        refused(
            lambda: open_bundle(tmp_path / "none"), InputError, 3, f"{tmp_path}/none: no such file or folder"
        )

    @pytest.mark.parametrize("name", ["empty", "file"])
    def test_no_bundle(self, tmp_path: Path, name: str) -> None:
        (tmp_path / "empty").mkdir()
        (tmp_path / "file").write_bytes(b"x")
        refused(lambda: open_bundle(tmp_path / name), InputError, 3, "not a bundle", "manifest.json")

    @pytest.mark.parametrize(
        "content", [b"", b"{", b"\xff\xfe{}", b"\x80", b"[" * 100_000, b'{"n": ' + b"1" * 5000 + b"}"]
    )
    def test_damaged_manifest(self, folder: Path, content: bytes) -> None:
        (folder / "manifest.json").write_bytes(content)
        refused(lambda: open_bundle(folder), IntegrityError, 7, "manifest.json: not valid JSON")

    @pytest.mark.parametrize("content", ["[]", "5", "null", '"x"'])
    def test_manifest_that_is_no_table(self, folder: Path, content: str) -> None:
        (folder / "manifest.json").write_text(content, "utf-8")
        refused(lambda: open_bundle(folder), IntegrityError, 7, "manifest.json: must be a table of keys, got")

    def test_newer_schema(self, folder: Path) -> None:
        edit_manifest(folder, schema_version=2, key_of_the_future=1)
        refused(
            lambda: open_bundle(folder), IntegrityError, 7, "written by a newer analyte", "got 2", "Update"
        )

    @pytest.mark.parametrize("version", ["2", 2.0, 0, -1, None, "new"])
    def test_schema_that_is_none(self, folder: Path, version: object) -> None:
        edit_manifest(folder, schema_version=version)
        refused(lambda: open_bundle(folder), IntegrityError, 7, "schema_version: ")

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            ({"surprise": 1}, "surprise: unknown key"),
            ({"artifacts": []}, "artifacts: "),
            ({"label": {"analyte": "dye", "unit": "", "range": [0, 1]}}, "label.unit: "),
            ({"label": {"analyte": "dye", "unit": "g", "range": [1, 0]}}, "label.range: must be [low, high]"),
            ({"golden": {"file": "../golden.npz", "sha256": "0" * 64, "size_bytes": 1}}, "golden.file: "),
            ({"golden": {"file": "/etc/passwd", "sha256": "0" * 64, "size_bytes": 1}}, "golden.file: "),
            ({"golden": {"file": "golden.npz\n", "sha256": "0" * 64, "size_bytes": 1}}, "golden.file: "),
            ({"golden": {"file": "golden.npz", "sha256": "0", "size_bytes": 1}}, "golden.sha256: "),
            (
                {"interval": {"coverage": 0.95, "quantile": 1e999, "n": 3}},
                "interval.quantile: must be a finite",
            ),
            ({"preprocessing": {"size": 16, "colour": "bgr"}}, "preprocessing.colour: "),
            ({"preprocessing": {"size": 32}}, "preprocessing was altered"),
            ({"preprocessing_sha256": "0" * 64}, "preprocessing was altered"),
        ],
    )
    def test_altered_manifest(self, folder: Path, change: dict[str, Any], says: str) -> None:
        edit_manifest(folder, **change)
        refused(lambda: open_bundle(folder), IntegrityError, 7, "manifest.json: ", says)

    @pytest.mark.parametrize(("old", "new"), [('"unit":"', '"unit":"m'), ('"quantile":', '"quantile":1')])
    def test_manifest_that_is_edited_by_hand(self, folder: Path, old: str, new: str) -> None:
        file = folder / "manifest.json"
        text = json.dumps(json.loads(file.read_text("utf-8")), separators=(",", ":"))
        edit_manifest(folder)
        assert old in text
        file.write_text(text.replace(old, new), "utf-8")
        refused(lambda: open_bundle(folder), IntegrityError, 7, "the manifest was altered after export")

    @pytest.mark.parametrize("content", [None, b"", b"\xff\xfe", b"0" * 64 + b"  manifest.json\n"])
    def test_hash_of_the_manifest_that_is_missing_or_another(
        self, folder: Path, content: bytes | None
    ) -> None:
        file = folder / "manifest.sha256"
        file.unlink()
        if content is not None:
            file.write_bytes(content)
        refused(lambda: open_bundle(folder), IntegrityError, 7, "manifest")

    def test_missing_key(self, folder: Path) -> None:
        manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
        del manifest["label"]
        (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")
        refused(lambda: open_bundle(folder), IntegrityError, 7, "label: is required")

    def test_unknown_artifact(self, folder: Path) -> None:
        bundle = open_bundle(folder)
        refused(
            lambda: bundle.artifact("onnx-int8"), SettingsError, 2, "'onnx-int8'", "expected onnx, tflite"
        )


FILES = ("onnx.onnx", "tflite.tflite", "golden.npz", "model.keras", "card.md", "report.html")


class TestFiles:
    def damage(self, folder: Path, name: str, how: str) -> None:
        file = folder / name
        data = file.read_bytes()
        if how == "missing":
            file.unlink()
        elif how == "folder":
            file.unlink()
            file.mkdir()
        elif how == "link":
            file.unlink()
            file.symlink_to(folder / "gone")
        elif how == "empty":
            file.write_bytes(b"")
        elif how == "cut":
            file.write_bytes(data[:-1])
        else:
            file.write_bytes(bytes([data[0] ^ 1]) + data[1:])

    @pytest.mark.parametrize("name", FILES)
    @pytest.mark.parametrize("how", ["missing", "folder", "link", "empty", "cut", "bit"])
    def test_damage_is_found(self, folder: Path, name: str, how: str) -> None:
        bundle = open_bundle(folder)
        self.damage(folder, name, how)
        refused(bundle.verify, IntegrityError, 7, str(folder / name), "Copy the bundle again")

    def test_a_bundle_may_lack_the_report(self, folder: Path) -> None:
        (folder / "report.html").unlink()
        refused(open_bundle(folder).verify, IntegrityError, 7, "report.html")
        edit_manifest(folder, report=None)
        open_bundle(folder).verify()

    def test_other_files_stay_readable(self, folder: Path) -> None:
        bundle = open_bundle(folder)
        self.damage(folder, "onnx.onnx", "bit")
        assert bundle.read(bundle.artifact("tflite")) == b"other model"
        refused(lambda: bundle.read(bundle.artifact("onnx")), IntegrityError, 7, "sha256", "got ")

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
    def test_unreadable(self, folder: Path) -> None:
        bundle = open_bundle(folder)
        (folder / "card.md").chmod(0)
        refused(bundle.verify, IntegrityError, 7, "cannot be read", "Permission denied")


def npz(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def npy() -> bytes:
    file = io.BytesIO()
    np.save(file, np.zeros(3))
    return file.getvalue()


NO_ARRAYS = [
    b"",
    b"text",
    b"PK\x03\x04 and then nothing",
    npz(images=np.zeros((1, 1, 8, 8, 3), np.uint8))[:-30],
    npz(something=np.zeros(3)),
    npz(images=np.array([None]), train_images=np.array([None])),
    npy(),
]


class TestGoldenSet:
    def replaced(self, folder: Path, data: bytes) -> Bundle:
        (folder / "golden.npz").write_bytes(data)
        edit_manifest(folder, golden=record_file(folder / "golden.npz").model_dump())
        return open_bundle(folder)

    def test_good(self, folder: Path) -> None:
        golden = open_bundle(folder).golden_set()
        assert golden.images.shape == (12, 1, 16, 16, 3)
        assert golden.value.dtype == np.float32
        assert len(golden.sigma) == len(golden.features) == len(golden.true) == 12

    @pytest.mark.parametrize("data", NO_ARRAYS, ids=range(len(NO_ARRAYS)))
    def test_damaged(self, folder: Path, data: bytes) -> None:
        bundle = self.replaced(folder, data)
        refused(bundle.golden_set, IntegrityError, 7, "golden.npz: damaged")


@pytest.fixture
def run(folder: Path, tmp_path: Path) -> Path:
    """A run folder that says what the bundle says."""
    manifest = open_bundle(folder).manifest
    record = {
        "recipe": "r",
        "settings": {"epochs": 3, "augment": True, "size": None, "rate": 0.1, "name": "µ"},
        "seed": 0,
        "label": manifest.label,
        "views": ("sample",),
        "rotation_invariant": True,
        "preprocessing": manifest.preprocessing,
        "parameters": 5,
        "dataset": DatasetRecord(
            name="d", sha256="0" * 64, licence="", counts={"train": 2}, seen=("0" * 16,)
        ),
        "splits": {"a.png": "train"},
        "baseline": manifest.baseline,
        "interval": manifest.interval,
        "validation_mae": {"keras": 0.1, "baseline": 1 / 3},
        "epochs": 3,
        "best_epoch": 2,
        "interrupted": False,
        "seconds": 1.5,
        "versions": {},
        "created_at": "2026-01-01T00:00:00+00:00",
    }
    # The record may grow numbers of its own; what matters here is that they come back.
    for name, field in RunRecord.model_fields.items():
        if name not in record and field.is_required():
            record[name] = 0.25
    path = tmp_path / "run"
    path.mkdir()
    (path / "model.keras").write_bytes(b"model")
    save_record(RunRecord.model_validate(record), path)
    samples().save(path)
    return path


def samples() -> RunSamples:
    images = np.random.default_rng(0).integers(0, 255, (3, 1, 8, 8, 3), dtype=np.uint8)
    values = np.array([0.1, 1 / 3, 2.0])
    return RunSamples(images, values, ("day 1", "µ", "日"), images[:1], values[:1], ("day 2",))


class TestRun:
    def test_record_survives_json(self, run: Path, tmp_path: Path) -> None:
        record = load_record(run)
        (tmp_path / "again").mkdir()
        (tmp_path / "again" / "model.keras").write_bytes(b"model")
        save_record(record, tmp_path / "again")
        assert load_record(tmp_path / "again") == record
        assert record.validation_mae["baseline"] == 1 / 3

    def test_samples_survive(self, run: Path) -> None:
        loaded, saved = load_samples(run), samples()
        for field in dataclasses.fields(RunSamples):
            got, expected = getattr(loaded, field.name), getattr(saved, field.name)
            assert type(got) is type(expected)
            assert np.array_equal(got, expected)

    def test_nothing_there(self, tmp_path: Path) -> None:
        refused(
            lambda: load_record(tmp_path / "none"), InputError, 3, f"{tmp_path}/none: no such file or folder"
        )

    @pytest.mark.parametrize("name", ["run.json", "model.keras"])
    def test_no_run_folder(self, run: Path, name: str) -> None:
        (run / name).unlink()
        refused(lambda: load_record(run), InputError, 3, "not a run folder", "analyte train")

    @pytest.mark.parametrize("content", [b"", b"{", b"\x80", b"[" * 100_000, b"1" * 5000])
    def test_damaged_record(self, run: Path, content: bytes) -> None:
        (run / "run.json").write_bytes(content)
        refused(lambda: load_record(run), IntegrityError, 7, "run.json: not valid JSON")

    def test_record_that_is_no_table(self, run: Path) -> None:
        (run / "run.json").write_text("[]", "utf-8")
        refused(lambda: load_record(run), IntegrityError, 7, "run.json: must be a table of keys, got []")

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            ({"schema_version": 2}, "written by a newer analyte"),
            ({"schema_version": "2"}, "schema_version: "),
            ({"surprise": 1}, "surprise: unknown key"),
            ({"seed": "first"}, "seed: "),
        ],
    )
    def test_altered_record(self, run: Path, change: dict[str, object], says: str) -> None:
        data = json.loads((run / "run.json").read_text("utf-8"))
        (run / "run.json").write_text(json.dumps(data | change), "utf-8")
        refused(lambda: load_record(run), IntegrityError, 7, "run.json: ", says)

    @pytest.mark.parametrize("data", [None, *NO_ARRAYS], ids=range(len(NO_ARRAYS) + 1))
    def test_damaged_samples(self, run: Path, data: bytes | None) -> None:
        (run / "samples.npz").unlink()
        if data is not None:
            (run / "samples.npz").write_bytes(data)
        refused(
            lambda: load_samples(run), IntegrityError, 7, "samples.npz: missing or damaged", "Train again"
        )


@pytest.mark.parametrize(("views", "shape"), [(1, (4, 8, 8, 3)), (2, (4, 2, 8, 8, 3))])
def test_graph_input(views: int, shape: tuple[int, ...]) -> None:
    assert graph_input(np.zeros((4, views, 8, 8, 3))).shape == shape
