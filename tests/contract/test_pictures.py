"""Pictures of a dataset: every one that cannot be used is listed with its row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from analyte.contract.errors import DatasetError
from analyte.contract.imaging import read_image
from analyte.contract.labels_file import load_dataset
from analyte.contract.pictures import load_pictures
from analyte.contract.preprocessing import PreprocessingSpec, preprocess
from contract.datasets import TOML, assert_one_line, write_dataset, write_picture

SPEC = PreprocessingSpec(size=8)


def test_pictures_of_any_size(tmp_path: Path) -> None:
    folder = write_dataset(tmp_path / "d")
    write_picture(folder / "b.png", 200, (97, 31))
    samples = load_dataset(folder).samples
    done: list[int] = []
    images = load_pictures(samples, SPEC, where=folder, on_progress=done.append)
    assert (images.shape, images.dtype) == ((2, 1, 8, 8, 3), np.uint8)
    assert (images[:, 0].mean(axis=(1, 2, 3)) == [10, 200]).all()
    assert done == [1, 1]


def test_views_and_regions(tmp_path: Path) -> None:
    rows = ["b.png,1,s,sample,,,,", "a.png,1,s,reference,4,2,8,8"]
    toml = TOML + 'views = ["reference", "sample"]\n'
    folder = write_dataset(tmp_path / "d", rows, header="path,value,sample,view,x,y,w,h", toml=toml)
    (sample,) = load_dataset(folder).samples
    images = load_pictures((sample,), SPEC, where=folder)
    for position, view in enumerate(sample.views):
        assert (images[0, position] == preprocess(read_image(view.path), SPEC, view.region)).all()
    assert images[0].mean(axis=(1, 2, 3)).tolist() == [10, 11]


def test_problems_are_listed_with_their_rows(tmp_path: Path) -> None:
    rows = ["a.png,1,,,,", "cut.jpg,1,,,,", "b.png,1,0,0,17,4", "empty.png,1,,,,", "text.png,1,,,,"]
    names = ("a.png", "b.png", "cut.jpg")
    folder = write_dataset(tmp_path / "d", rows, header="path,value,x,y,w,h", pictures=names)
    (folder / "cut.jpg").write_bytes((folder / "cut.jpg").read_bytes()[:-40])
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.png").write_text("no picture", "utf-8")
    with pytest.raises(DatasetError) as caught:
        load_pictures(load_dataset(folder).samples, SPEC, where=folder)
    assert_one_line(
        caught.value,
        3,
        "4 pictures cannot be used",
        "row 3: cut.jpg: ",
        "row 4: b.png: ",
        "row 5: empty.png: ",
        "row 6: text.png: not a readable picture. Replace them",
        "'analyte data check' lists them all",
        "the region lies outside the picture",
    )
    assert "row 2" not in caught.value.line()


def test_long_lists_are_cut(tmp_path: Path) -> None:
    names = [f"{i}.png" for i in range(11)]
    folder = write_dataset(tmp_path / "d", [f"{name},1" for name in names], pictures=names)
    samples = load_dataset(folder).samples
    for name in names:
        (folder / name).unlink()
    with pytest.raises(DatasetError, match=r"11 pictures cannot be used: row 2: .* and 7 more"):
        load_pictures(samples, SPEC, where=folder)
    with pytest.raises(DatasetError) as caught:
        load_pictures(samples, SPEC, where=folder)
    assert len(caught.value.line()) < 400 + len(str(folder))


def test_nothing_to_load() -> None:
    assert load_pictures((), SPEC, where="d").shape == (0, 1, 8, 8, 3)
