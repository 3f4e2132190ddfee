"""What a dataset is known by: its digest and its duplicates."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from analyte.contract.dataset import duplicates_across_splits, groups_of
from analyte.contract.labels_file import load_dataset
from analyte.contract.splits import assign_splits
from contract.datasets import TOML, write_dataset, write_picture

HEADER = "path,value,x,y,w,h,split"
ROWS = ("a.png,1,0,0,8,8,train", "a.png,1,8,0,8,8,train", "b.png,2,0,0,8,8,test")


def write(folder: Path) -> Path:
    return write_dataset(folder, ROWS, header=HEADER)


def edit(name: str, old: str, new: str) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        text = (folder / name).read_text("utf-8")
        assert old in text
        (folder / name).write_text(text.replace(old, new, 1), "utf-8")

    return apply


def reverse_rows(folder: Path) -> None:
    header, *rows = (folder / "labels.csv").read_text("utf-8").splitlines()
    (folder / "labels.csv").write_text("\n".join([header, *reversed(rows)]), "utf-8")


def one_pixel(folder: Path) -> None:
    write_picture(folder / "a.png", 11)


@pytest.mark.parametrize(
    ("change", "same"),
    [
        (reverse_rows, True),
        (edit("labels.csv", "value", " value "), True),
        (edit("dataset.toml", '"dye"', '"another name"'), True),
        (one_pixel, False),
        (edit("labels.csv", "a.png,1", "a.png,1.0000001"), False),
        (edit("labels.csv", ",8,0,8,8", ",7,0,8,8"), False),
        (edit("labels.csv", "train", "val"), False),
        (edit("dataset.toml", "mg/L", "ug/L"), False),
        (edit("dataset.toml", "10.0", "20.0"), False),
    ],
)
def test_digest(tmp_path: Path, change: Callable[[Path], None], same: bool) -> None:
    first = write(tmp_path / "here")
    second = shutil.copytree(first, tmp_path / "deep" / "there")
    assert load_dataset(second).digest() == load_dataset(first).digest()
    change(second)
    assert (load_dataset(second).digest() == load_dataset(first).digest()) is same


def test_digest_of_a_bare_table_does_not_know_its_folder_or_order(tmp_path: Path) -> None:
    """``evaluate`` recognises the training data by it, and takes the test split that training set aside."""
    names = [f"{i}.png" for i in range(8)]
    rows = [f"{name},{i}" for i, name in enumerate(names)]
    first = write_dataset(tmp_path / "a", rows, toml=None, pictures=names)
    second = write_dataset(tmp_path / "b", rows, toml=None, pictures=names)
    reverse_rows(second)
    one, two = (
        assign_splits(load_dataset(folder, unit="mg/L"), seed=3).digest() for folder in (first, second)
    )
    assert one == two


def test_digest_of_folders(tmp_path: Path) -> None:
    digests: list[str] = []
    for root in ("a", "b"):
        for value in (0, 1):
            write_picture(tmp_path / root / str(value) / "p.png", value)
        digests.append(load_dataset(tmp_path / root, unit="mg/L").digest())
    assert digests[0] == digests[1]


class TestDuplicates:
    def pairs(self, folder: Path, *rows: str, header: str = "path,value,split") -> list[tuple[str, str]]:
        data = load_dataset(write_dataset(folder, rows, header=header, pictures=("a.png", "b.png")))
        return [
            (one.views[0].path.name, two.views[0].path.name) for one, two in duplicates_across_splits(data)
        ]

    def test_found_by_their_bytes(self, tmp_path: Path) -> None:
        tmp_path.joinpath("d").mkdir()
        shutil.copy(write_picture(tmp_path / "x.png", 10), tmp_path / "d" / "copy.png")
        assert self.pairs(tmp_path / "d", "a.png,1,train", "b.png,2,train", "copy.png,1,test") == [
            ("a.png", "copy.png")
        ]

    def test_within_a_split_they_do_no_harm(self, tmp_path: Path) -> None:
        assert not self.pairs(tmp_path / "d", "a.png,1,train", "a.png,1,train", "b.png,2,test")

    def test_listed_twice(self, tmp_path: Path) -> None:
        assert self.pairs(tmp_path / "d", "a.png,1,train", "a.png,1,val") == [("a.png", "a.png")]

    def test_other_regions_of_one_photograph_are_no_duplicates(self, tmp_path: Path) -> None:
        rows = ("a.png,1,0,0,4,4,train", "a.png,2,4,4,4,4,test")
        assert not self.pairs(tmp_path / "d", *rows, header=HEADER)


def test_subset_counts_and_groups(tmp_path: Path) -> None:
    data = load_dataset(write(tmp_path / "d"))
    assert data.counts() == {"test": 1, "train": 2}
    assert [s.value for s in data.subset("test").samples] == [2.0]
    assert not data.subset("val").samples
    # Regions of one photograph are one group: they must not stand on two sides of a split.
    assert groups_of(data.samples) == ["a.png", "b.png"]
    assert load_dataset(write_dataset(tmp_path / "e")).counts() == {"unassigned": 2}


def test_spec_defaults(tmp_path: Path) -> None:
    spec = load_dataset(write_dataset(tmp_path / "d", toml=TOML)).spec
    assert (spec.views, spec.rotation_invariant, spec.noise_floor) == (("sample",), True, None)
