"""A short training on real photographs, from labels to a proved bundle."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest

from analyte.contract.run import load_record
from conftest import Invoke

pytestmark = [pytest.mark.real_data, pytest.mark.slow]


@pytest.fixture
def strips(real_data: Path, tmp_path: Path) -> Path:
    """The pH strips in undyed and in red buffers: 54 photographs with a region each."""
    source = real_data / "ph_strip_lightbox"
    if not source.is_dir():
        pytest.skip(f"no ph_strip_lightbox in {real_data}")
    folder = tmp_path / "strips"
    folder.mkdir()
    with (source / "labels.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["subset"] in ("training", "red")]
    assert len(rows) == 54
    for row in rows:
        row["path"] = str((source / row["path"]).resolve())
    with (folder / "labels.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    shutil.copy(source / "dataset.toml", folder)
    return folder


def test_ph_strips_end_to_end(strips: Path, tmp_path: Path, invoke: Invoke) -> None:
    run, bundle = tmp_path / "run", tmp_path / "ph.analyte"
    trained = invoke("train", strips, "-o", run, "--epochs", 8, "--batch-size", 16)
    assert trained.code == 0, trained.stderr
    record = load_record(run)
    # The regions are 30 px wide: nothing is enlarged.
    assert record.preprocessing.size == 24
    assert sum(record.dataset.counts.values()) == 54
    # pH 5.0 to 8.6; the mean of all would be off by 0.9.
    assert record.validation_mae["baseline"] < 0.6
    # Float formats only: a network of eight epochs owes nothing to the gate for int8.
    exported = invoke("export", run, "-o", bundle, "--format", "onnx", "--format", "tflite")
    assert exported.code == 0, exported.stderr
    evaluated = invoke("evaluate", bundle, strips, "--json")
    assert evaluated.code == 0, evaluated.stderr
    found = json.loads(evaluated.stdout)
    assert (found["split"], found["unit"]) == ("test", "pH")
    assert [row["name"] for row in found["results"]] == ["keras", "baseline", "onnx", "tflite"]
    assert {row["n"] for row in found["results"]} == {record.dataset.counts["test"]}
