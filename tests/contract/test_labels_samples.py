"""What labels make of pictures: samples, groups, splits, covariates, and folders named by value."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyte.contract.dataset import Dataset
from analyte.contract.errors import DatasetError
from analyte.contract.labels_file import load_dataset
from contract.datasets import TOML, assert_one_line, refused, write_dataset, write_picture


class TestSamples:
    HEADER = "path,value,sample,view,group"
    TOML = TOML + 'views = ["reference", "sample"]\n'
    GOOD = ("b.png,1,s,sample,g", "a.png,1,s,reference,g")

    def write(self, folder: Path, *rows: str) -> Path:
        return write_dataset(folder / "d", rows, header=self.HEADER, toml=self.TOML)

    def test_views_come_in_the_declared_order(self, tmp_path: Path) -> None:
        (sample,) = load_dataset(self.write(tmp_path, *self.GOOD)).samples
        assert [view.path.name for view in sample.views] == ["a.png", "b.png"]
        assert (sample.id, sample.group) == ("s", "g")

    @pytest.mark.parametrize(
        ("rows", "says"),
        [
            (GOOD[:1], "sample 's' (row 2) has views sample"),
            ((*GOOD, GOOD[0]), "has views sample, reference, sample"),
            ((GOOD[0], GOOD[0]), "has views sample, sample"),
            ((GOOD[0], "a.png,1,s,blank,g"), "has views sample, blank"),
            ((GOOD[0], "a.png,2,s,reference,g"), "rows that contradict each other"),
            ((GOOD[0], "a.png,1,s,reference,h"), "rows that contradict each other"),
        ],
    )
    def test_incomplete_or_contradictory(self, tmp_path: Path, rows: tuple[str, ...], says: str) -> None:
        refused(self.write(tmp_path, *rows), says, "reference, sample")

    def test_splits_of_one_sample_contradict(self, tmp_path: Path) -> None:
        rows = [f"{row},{split}" for row, split in zip(self.GOOD, ("train", "test"), strict=True)]
        data = write_dataset(tmp_path / "d", rows, header=self.HEADER + ",split", toml=self.TOML)
        refused(data, "rows that contradict each other")

    def test_a_reference_may_serve_many_values(self, tmp_path: Path) -> None:
        more = ("a.png,2,t,sample,h", "a.png,2,t,reference,h")
        assert len(load_dataset(self.write(tmp_path, *self.GOOD, *more)).samples) == 2


def test_one_picture_with_two_values(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "d", ["a.png,1", "a.png,2"])
    refused(data, "(row 3) is the picture of row 2 with another value")


def test_one_picture_listed_twice_is_two_samples(tmp_path: Path) -> None:
    data = load_dataset(write_dataset(tmp_path / "d", ["a.png,1", "a.png,1"]))
    assert len({s.id for s in data.samples}) == 2


def test_unknown_split(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "d", ["a.png,1,training"], header="path,value,split")
    refused(data, "row 2: split 'training' is none of train, val, test")


def test_group_only_in_the_first_row_of_a_block(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "d", ["a.png,1,strip1", "b.png,1,"], header="path,value,group")
    refused(data, "row 3", "without a group")


def test_empty_group_column_is_none(tmp_path: Path) -> None:
    data = load_dataset(write_dataset(tmp_path / "d", ["a.png,1,", "b.png,1,"], header="path,value,group"))
    assert len({s.group for s in data.samples}) == 2


class TestToml:
    @pytest.mark.parametrize(
        ("toml", "says"),
        [
            (TOML + "colour = 1\n", "colour: unknown key, expected name, analyte, unit, range, views"),
            (TOML.replace("unit", "units"), "unit: is required"),
            (TOML.replace("[0.0, 10.0]", "[10.0, 0.0]"), "range: must be [low, high] with low < high"),
            (TOML.replace("[0.0, 10.0]", "[1.0, 1.0]"), "range: must be [low, high] with low < high"),
            (TOML.replace("[0.0, 10.0]", "[0.0, nan]"), "range.1: must be a finite number, got nan"),
            (TOML.replace("[0.0, 10.0]", "[0.0, inf]"), "range.1: must be a finite number, got inf"),
            (TOML.replace("[0.0, 10.0]", "[0.0]"), "value, such as [0.0, 10.0], got [0.0]"),
            (TOML.replace("[0.0, 10.0]", "'0 to 10'"), "range: must be the lowest and the highest"),
            (TOML.replace('"mg/L"', '""'), "unit: "),
            (TOML.replace('"mg/L"', "5"), "unit: must be text in quotes, got 5"),
            (TOML + "views = []\n", "views: "),
            (TOML + 'views = ["a", "a"]\n', "views: must be different names"),
            (TOML + 'rotation_invariant = "perhaps"\n', "rotation_invariant: "),
            ("name = [", "not valid TOML"),
            ("name = " + "[" * 5000, "not valid TOML"),
            ("name = " + "1" * 5000, "not valid TOML"),
        ],
    )
    def test_refused(self, tmp_path: Path, toml: str, says: str) -> None:
        line = refused(write_dataset(tmp_path / "d", toml=toml), "dataset.toml: ", says)
        assert len(line) < 400 + len(str(tmp_path))

    def test_not_utf8(self, tmp_path: Path) -> None:
        data = write_dataset(tmp_path / "d")
        (data / "dataset.toml").write_bytes(TOML.replace("mg", "µg").encode("latin-1"))
        refused(data, "dataset.toml", "not UTF-8 text; got byte 0xb5", "Save it as UTF-8")

    def test_byte_order_mark(self, tmp_path: Path) -> None:
        data = write_dataset(tmp_path / "d")
        (data / "dataset.toml").write_bytes(b"\xef\xbb\xbf" + TOML.encode())
        assert load_dataset(data).spec.name == "dye"

    def test_unit_and_analyte_are_said_once(self, tmp_path: Path) -> None:
        data = write_dataset(tmp_path / "d")
        refused(data, "states the unit already", unit="g")
        with pytest.raises(DatasetError, match="states the analyte already"):
            load_dataset(data, analyte="dye")


class TestBareTable:
    def test_needs_a_unit(self, tmp_path: Path) -> None:
        data = write_dataset(tmp_path / "d", toml=None)
        refused(data / "labels.csv", "in which unit", "--unit")

    def test_range_is_that_of_the_values(self, tmp_path: Path) -> None:
        data = load_dataset(write_dataset(tmp_path / "d", toml=None), unit="mg/L", analyte="dye")
        assert (data.spec.range, data.spec.unit, data.spec.analyte) == ((1.0, 2.0), "mg/L", "dye")

    def test_test_values_have_no_part_in_the_range(self, tmp_path: Path) -> None:
        """They would tell the network's scale how far the test reaches; beyond it they are extrapolation."""
        rows = ["a.png,1,train", "b.png,2,val", "c.png,7,test"]
        pictures = ("a.png", "b.png", "c.png")
        data = write_dataset(tmp_path / "d", rows, header="path,value,split", toml=None, pictures=pictures)
        loaded = load_dataset(data, unit="mg/L")
        assert loaded.spec.range == (1.0, 2.0)
        assert [sample.value for sample in loaded.samples] == [1.0, 2.0, 7.0]

    def test_one_value_gives_no_range(self, tmp_path: Path) -> None:
        data = write_dataset(tmp_path / "d", ["a.png,5", "b.png,5"], toml=None)
        refused(data, "every picture has the same value", "5 mg/L", unit="mg/L")

    def test_a_picture_is_no_table(self, tmp_path: Path) -> None:
        refused(write_picture(tmp_path / "a.png"), "is a picture", "analyte read BUNDLE a.png")


class TestFolders:
    def write(self, root: Path, *names: str) -> Path:
        for level, name in enumerate(names, start=10):
            write_picture(root / name, level)
        return root

    def test_values_are_the_names(self, tmp_path: Path) -> None:
        data = load_dataset(self.write(tmp_path, "0/a.png", "2.5/a.png", "-1e1/b.jpg"), unit="mg/L")
        assert sorted(s.value for s in data.samples) == [-10.0, 0.0, 2.5]
        assert len({s.group for s in data.samples}) == 3

    @pytest.mark.parametrize("name", ["blank", "1_5", "nan", "1,5"])
    def test_other_names(self, tmp_path: Path, name: str) -> None:
        refused(self.write(tmp_path, "0/a.png", f"{name}/a.png"), f"folder '{name}'", unit="mg/L")

    def test_folder_without_a_usable_picture(self, tmp_path: Path) -> None:
        self.write(tmp_path, "0/a.png")
        (tmp_path / "5").mkdir()
        (tmp_path / "5" / "phone.heic").write_bytes(b"x")
        refused(tmp_path, "folder '5' has no .bmp, .jpeg, .jpg, .png", unit="mg/L")

    def test_hidden_files_are_no_pictures(self, tmp_path: Path) -> None:
        self.write(tmp_path, "0/a.png", "1/a.png")
        (tmp_path / "1" / "._a.png").write_bytes(b"resource fork")
        (tmp_path / ".cache").mkdir()
        assert len(load_dataset(tmp_path, unit="mg/L").samples) == 2

    def test_value_outside_the_range_names_the_picture(self, tmp_path: Path) -> None:
        self.write(tmp_path, "0/a.png", "11/a.png")
        (tmp_path / "dataset.toml").write_text(TOML, "utf-8")
        refused(tmp_path, "picture 11/a.png: value 11")


@given(
    st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters="/"), max_size=12)
        | st.sampled_from(["path,value", "a.png,1", '"', ",", "\n", "\r\n", "value", "path", "1e400"]),
        max_size=12,
    )
)
@settings(max_examples=60, deadline=None)
def test_any_table_gives_samples_or_one_line(
    tmp_path_factory: pytest.TempPathFactory, parts: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    try:
        write_dataset(folder, pictures=["a.png"])
        (folder / "labels.csv").write_bytes("".join(parts).encode())
        found = load_dataset(folder)
    except DatasetError as error:
        assert_one_line(error, 3)
    else:
        assert isinstance(found, Dataset)
        assert found.samples
    finally:
        shutil.rmtree(folder)


class TestCovariates:
    """Columns that dataset.toml names."""

    toml = TOML + 'covariates = ["temperature"]\ncategorical_covariates = ["lot"]\n'
    header = "path,value,lot,note,temperature"
    rows = ("a.png,1,B,x,21.5", "b.png,2,7,,-3e-1")

    def write(self, folder: Path, *rows: str, header: str = "", toml: str = "") -> Path:
        return write_dataset(folder, rows or self.rows, header=header or self.header, toml=toml or self.toml)

    def test_good(self, tmp_path: Path) -> None:
        data = load_dataset(self.write(tmp_path / "d"))
        # Numbers, then categories, whatever the order of the columns.
        assert [sample.covariates for sample in data.samples] == [(21.5, "B"), (-0.3, "7")]
        assert data.covariates_of(data.samples[1]) == {"temperature": -0.3, "lot": "7"}

    def test_columns_that_are_not_named_are_left_aside(self, tmp_path: Path) -> None:
        data = load_dataset(self.write(tmp_path / "d", "a.png,1,,,", "b.png,2,,,", toml=TOML))
        assert [sample.covariates for sample in data.samples] == [(), ()]

    @pytest.mark.parametrize(
        ("row", "says"),
        [
            ("b.png,2,7,,", "row 3: temperature is empty"),
            ("b.png,2,,,1", "row 3: lot is empty"),
            ("b.png,2,7,,warm", "row 3: temperature 'warm' is not a number"),
            ("b.png,2,7,,1_5", "row 3: temperature '1_5' is not a number"),
            ("b.png,2,7,,nan", "row 3: temperature 'nan' is not finite"),
        ],
    )
    def test_bad_rows_are_named(self, tmp_path: Path, row: str, says: str) -> None:
        line = refused(self.write(tmp_path / "d", self.rows[0], row), says)
        assert "1 covariates that cannot be used" in line
        assert "row 2" not in line

    def test_no_such_column(self, tmp_path: Path) -> None:
        data = self.write(tmp_path / "d", "a.png,1,B", "b.png,2,B", header="path,value,lot")
        refused(data, "no column for covariate 'temperature'; expected columns temperature, lot", "got lot")

    def test_mistyped_column(self, tmp_path: Path) -> None:
        header = "path,value,lot,tempreature"
        data = self.write(tmp_path / "d", "a.png,1,B,2", "b.png,2,B,3", header=header)
        refused(data, "no column for covariate 'temperature'", "Is 'tempreature' meant?")

    def test_folder_of_folders_has_no_columns(self, tmp_path: Path) -> None:
        for value in ("1", "2"):
            write_picture(tmp_path / value / "a.png", int(value))
        (tmp_path / "dataset.toml").write_text(self.toml, "utf-8")
        refused(tmp_path, "no column for covariate 'temperature'", "got no other column")

    def test_views_of_a_sample_agree(self, tmp_path: Path) -> None:
        toml = self.toml + 'views = ["blank", "well"]\n'
        header = "path,value,sample,view,lot,temperature"
        good = ("a.png,1,s,blank,B,2", "b.png,1,s,well,B,2.0")
        data = load_dataset(self.write(tmp_path / "good", *good, header=header, toml=toml))
        assert [sample.covariates for sample in data.samples] == [(2.0, "B")]
        bad = self.write(tmp_path / "bad", good[0], "b.png,1,s,well,B,3", header=header, toml=toml)
        refused(bad, "sample 's' (row 2) has other covariates in another of its views")

    @pytest.mark.parametrize(
        ("line", "says"),
        [
            ('covariates = ["a", "a"]', "covariates: must be different names"),
            ('covariates = "a"', 'covariates: must be a list of names, such as ["temperature"'),
            ("covariates = [1]", "covariates: must be a list of names"),
            ("[categorical_covariates]\na = 1", "categorical_covariates: must be a list of names"),
            ('views = "sample"', "views: must be a list of names"),
            ('covariates = [""]', "covariates: must be different names"),
            ('covariates = ["a"]\ncategorical_covariates = ["a"]', "a cannot be a number and a category"),
            ('covariates = ["value"]', "the column value has a meaning of its own"),
            ('categorical_covariates = ["session"]', "the column session has a meaning of its own"),
        ],
    )
    def test_names(self, tmp_path: Path, line: str, says: str) -> None:
        refused(self.write(tmp_path / "d", toml=f"{TOML}{line}\n"), "dataset.toml", says)

    def test_digest_knows_them(self, tmp_path: Path) -> None:
        first = load_dataset(self.write(tmp_path / "1"))
        warmer = load_dataset(self.write(tmp_path / "2", self.rows[0], "b.png,2,7,,-2e-1"))
        noted = load_dataset(self.write(tmp_path / "3", self.rows[0], "b.png,2,7,other note,-0.30"))
        assert first.digest() == noted.digest() != warmer.digest()
