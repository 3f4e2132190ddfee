"""Photographs of a dataset through the whole device."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from analyte.contract.bundle import open_bundle
from analyte.contract.dataset import Dataset, sample_hashes
from analyte.contract.errors import DatasetError
from analyte.contract.labels_file import load_dataset
from analyte.runtime.engines.registry import open_engine
from analyte.runtime.photographs import (
    Photographed,
    check_dataset_fits,
    measure_photographs,
    spread_samples,
    unseen,
)
from runtime.tiny_bundles import SIGMA, edit_manifest, value_of, write_picture

TOML = 'name = "dye"\nanalyte = "dye"\nunit = "mg/L"\nrange = [0.0, 100.0]\n'


def dataset(folder: Path, rows: str, columns: str = "path,value") -> Dataset:
    (folder / "labels.csv").write_text(f"{columns}\n{rows}", "utf-8")
    (folder / "dataset.toml").write_text(TOML, "utf-8")
    return load_dataset(folder)


def measure(bundle: Path, data: Dataset) -> list[Photographed]:
    opened = open_bundle(bundle)
    artifact = opened.manifest.artifacts[0]
    engine = open_engine(opened.read(artifact), artifact.engine)
    try:
        return measure_photographs(opened, artifact, engine, data, data.samples)
    finally:
        engine.close()


def test_value_of_the_region(bundle: Path, tmp_path: Path) -> None:
    """The picture is grey but for its region: only whoever cuts it out reads the colour."""
    import cv2

    file = write_picture(tmp_path / "a.png", (50, 50, 50))
    pixels = cv2.imread(str(file))
    assert pixels is not None
    pixels[10:30, 20:50] = (10, 60, 200)
    assert cv2.imwrite(str(file), pixels)
    data = dataset(tmp_path, "a.png,80,20,10,30,20\na.png,20,0,40,20,8\n", "path,value,x,y,w,h")
    inside, outside = measure(bundle, data)
    assert inside.value == inside.reading.value == pytest.approx(value_of((10, 60, 200)), abs=1e-3)
    assert inside.sigma == pytest.approx(SIGMA)
    assert outside.value == pytest.approx(value_of((50, 50, 50)), abs=1e-3)


def test_refused_readings_still_tell_what_the_engine_said(bundle: Path, tmp_path: Path) -> None:
    write_picture(tmp_path / "far.png", (250, 250, 255))
    (tmp_path / "broken.png").write_bytes(b"no picture")
    far, broken = measure(bundle, dataset(tmp_path, "far.png,50\nbroken.png,50\n"))
    assert far.reading.refused
    assert far.value == pytest.approx(value_of((250, 250, 255)), abs=1e-3)
    assert broken.reading.refused
    assert (broken.value, broken.sigma) == (None, None)


def test_samples_are_spread_over_the_values(tmp_path: Path) -> None:
    values = (*[5] * 20, 0, 10, 2)
    for index in range(len(values)):
        write_picture(tmp_path / f"{index}.png", (index, 2, 3))
    data = dataset(tmp_path, "".join(f"{index}.png,{value}\n" for index, value in enumerate(values)))
    found = [sample.value for sample in spread_samples(data, 3)]
    assert found == [0, 5, 10]
    assert len(spread_samples(data, 100)) == len(values)


def test_what_training_saw_is_left_out(bundle: Path, tmp_path: Path) -> None:
    import shutil

    for index in range(3):
        write_picture(tmp_path / f"{index}.png", (index, 2, 3))
    data = dataset(tmp_path, "0.png,1,test\n1.png,2,test\n2.png,3,train\n", "path,value,split")
    copied = tmp_path / "b.analyte"
    shutil.copytree(bundle, copied)
    provenance = open_bundle(copied).manifest.provenance.model_dump()

    def saw(hashes: list[str]) -> Path:
        provenance["dataset"] |= {"seen": hashes}
        edit_manifest(copied, provenance=provenance)
        return copied

    first, second, _ = sample_hashes(data.samples)
    assert [s.value for s in unseen(open_bundle(saw([first])), data).samples] == [2.0]
    with pytest.raises(DatasetError, match="saw every sample"):
        unseen(open_bundle(saw([first, second])), data)
    # Nobody saw what cannot be read; the device refuses it.
    (tmp_path / "1.png").unlink()
    assert [s.value for s in unseen(open_bundle(saw([first, second])), data).samples] == [2.0]


def test_dataset_of_another_kind(bundle: Path, tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png", (1, 2, 3))
    data = dataset(tmp_path, "a.png,1\n")
    opened = open_bundle(bundle)
    check_dataset_fits(opened, data)
    for changes in ({"unit": "g/L"}, {"views": ("a", "b")}):
        with pytest.raises(DatasetError, match="does not fit the bundle"):
            check_dataset_fits(opened, replace(data, spec=data.spec.model_copy(update=changes)))
    with pytest.raises(DatasetError, match="no samples"):
        check_dataset_fits(opened, replace(data, samples=()))
