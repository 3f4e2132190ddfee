"""Every way in which a table of labels goes wrong: named with its row, all at once, in one line."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyte.contract.dataset import Dataset
from analyte.contract.errors import DatasetError
from analyte.contract.labels_file import load_dataset
from analyte.contract.preprocessing import Box
from contract.datasets import TOML, assert_one_line, write_dataset, write_picture

REGION = "path,value,x,y,w,h"


def refused(path: Path, *parts: str, unit: str | None = None) -> str:
    """Load what cannot be loaded and return the message."""
    with pytest.raises(DatasetError) as caught:
        load_dataset(path, unit=unit)
    assert_one_line(caught.value, 3, *parts)
    return caught.value.line()


def test_good_dataset(tmp_path: Path) -> None:
    data = load_dataset(write_dataset(tmp_path / "d"))
    assert [(s.value, s.views[0].path.name, s.views[0].row) for s in data.samples] == [
        (1.0, "a.png", 2),
        (2.0, "b.png", 3),
    ]
    assert (data.spec.label.unit, data.spec.label.span) == ("mg/L", 10.0)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("a.png,", "value '' is not a number"),
        ("a.png,five", "value 'five' is not a number"),
        ("a.png,5 mg/L", "value '5 mg/L' is not a number"),
        ('a.png,"1,5"', "value '1,5' is not a number (decimals need a point, not a comma)"),
        ("a.png,1_5", "value '1_5' is not a number"),
        ("a.png,nan", "value 'nan' is not finite"),
        ("a.png,-inf", "value '-inf' is not finite"),
        ("a.png,1e999", "value '1e999' is not finite"),
        (",1", "no path"),
        ("missing.png,1", "no such picture 'missing.png'"),
        (".,1", "no such picture '.'"),
        ("a.png/x,1", "no such picture 'a.png/x'"),
        (f"{'n' * 300}.png,1", "no such picture 'nnn"),
        ("a.png,1,5", "3 cells under a header of 2 columns (decimals need a point"),
        ("a.png", "1 cells under a header of 2 columns"),
    ],
)
def test_bad_rows_are_named(tmp_path: Path, row: str, says: str) -> None:
    line = refused(write_dataset(tmp_path / "d", ["a.png,1", row]), "labels.csv", f"row 3: {says}")
    assert "row 2" not in line
    assert len(line) < 400 + len(str(tmp_path))


def test_all_bad_rows_are_listed_up_to_a_screenful(tmp_path: Path) -> None:
    rows = [f"no{i}.png,1" for i in range(20)]
    line = refused(write_dataset(tmp_path / "d", rows), "20 rows", "row 2:", "row 9:", "and 12 more")
    assert "row 10:" not in line


@pytest.mark.parametrize(
    "region",
    ["1,1,0,4", "1,1,4,-1", "-1,0,4,4", "0.5,0,4,4", "1,,4,4", "a,b,c,d", "1_0,0,4,4", "0,0,4,"],
)
def test_bad_regions(tmp_path: Path, region: str) -> None:
    data = write_dataset(tmp_path / "d", [f"a.png,1,{region}"], header=REGION)
    refused(data, f"row 2: region x,y,w,h = {region} is not four whole numbers of pixels")


def test_region_is_read(tmp_path: Path) -> None:
    data = load_dataset(write_dataset(tmp_path / "d", ["a.png,1,1,2,3,4", "b.png,2,,,,"], header=REGION))
    assert [s.views[0].region for s in data.samples] == [Box(x=1, y=2, w=3, h=4), None]


@pytest.mark.parametrize("header", ["file,value", "path,label", "path;value", "path\tvalue", "Path,Value"])
def test_missing_column(tmp_path: Path, header: str) -> None:
    refused(write_dataset(tmp_path / "d", header=header), "column", "path and value, separated by commas")


def test_header_cells_may_have_spaces(tmp_path: Path) -> None:
    assert len(load_dataset(write_dataset(tmp_path / "d", header=" path , value")).samples) == 2


def test_duplicated_header_column(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "d", ["a.png,1,2"], header="path,value,value")
    refused(data, "more than once", "value")


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf"])
def test_empty_file(tmp_path: Path, content: bytes) -> None:
    data = write_dataset(tmp_path / "d")
    (data / "labels.csv").write_bytes(content)
    refused(data, "labels.csv", "an empty file")


def test_header_only(tmp_path: Path) -> None:
    refused(write_dataset(tmp_path / "d", []), "the dataset is empty")


def test_nothing_there(tmp_path: Path) -> None:
    refused(tmp_path / "none", "no such dataset", str(tmp_path / "none"))


def test_empty_folder(tmp_path: Path) -> None:
    refused(tmp_path, "the dataset is empty")


def test_folder_where_the_table_is_expected(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").mkdir()
    refused(tmp_path, "got folders 'labels.csv'")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_line_ends_and_byte_order_mark(tmp_path: Path, end: str, mark: bytes) -> None:
    data = write_dataset(tmp_path / "d")
    (data / "labels.csv").write_bytes(mark + end.join(["path,value", "a.png,1", "b.png,2"]).encode())
    assert [s.views[0].row for s in load_dataset(data).samples] == [2, 3]


@pytest.mark.parametrize(
    ("content", "got"),
    [
        ("path,value\nµ.png,1\n".encode("latin-1"), "got byte 0xb5 in line 2"),
        ("path,value\na.png,1\n".encode("utf-16"), "got UTF-16, which Excel calls 'Unicode Text'"),
        ("path,value\na.png,1\n".encode("utf-16-le"), "got UTF-16"),
        (b"PK\x03\x04\x14\0\x06", "got a workbook (.xlsx or .ods)"),
        (b"\xd0\xcf\x11\xe0\xa1", "got a workbook (.xls)"),
    ],
)
def test_other_encodings(tmp_path: Path, content: bytes, got: str) -> None:
    data = write_dataset(tmp_path / "d")
    (data / "labels.csv").write_bytes(content)
    refused(data, "not UTF-8 text", got, "Save it as CSV UTF-8", "in Excel: File, Save As")


@pytest.mark.parametrize(
    ("header", "fix"),
    [
        ("path;value", "separated by semicolons, as Excel does where the decimal sign is a comma"),
        ("Path;Value;Group", "separated by semicolons"),
        ("path\tvalue", "separated by tabs"),
        ("Path,Value", "rename Path to path, Value to value"),
        ("file,concentration", "Name the column of file names path"),
    ],
)
def test_header_of_a_spreadsheet(tmp_path: Path, header: str, fix: str) -> None:
    refused(write_dataset(tmp_path / "d", header=header), "a required column is missing", fix)


def test_optional_columns_in_capitals(tmp_path: Path) -> None:
    """Left out, a column Group would be missed by nobody, and groups would leak into the test."""
    rows = ["a.png,1,A,x", "b.png,2,B,y"]
    data = write_dataset(tmp_path / "d", rows, header="path,value,Group,Note")
    refused(data, "written in lower case; expected group; got Group. Rename")
    declared = TOML + 'categorical_covariates = ["Group"]\n'
    write_dataset(data, rows, header="path,value,Group,Note", toml=declared)
    assert len(load_dataset(data).samples) == 2


def test_folder_of_pictures_without_labels(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png")
    refused(tmp_path, "no labels.csv", "got 1 pictures of unknown value. Write labels.csv with columns path")


def test_folder_of_other_folders(tmp_path: Path) -> None:
    write_picture(tmp_path / "monday" / "a.png")
    refused(tmp_path, "its sub-folders are not named by values", "got folders 'monday'. Write labels.csv")


@pytest.mark.parametrize(
    ("name", "fix"),
    [("c.AVI", "is a video"), ("c.mp4", "analyte daemon --device PROFILE --bundle BUNDLE --source c.mp4")],
)
def test_a_video_is_no_table(tmp_path: Path, name: str, fix: str) -> None:
    (tmp_path / name).write_bytes(b"RIFF")
    refused(tmp_path / name, fix)


def test_quoted_newlines_keep_names_and_row_numbers(tmp_path: Path) -> None:
    rows = ['a.png,1,"two\nlines"', '"new\nline.png",2,x', "gone.png,3,x"]
    pictures = ("a.png", "new\nline.png")
    data = write_dataset(tmp_path / "d", rows, header="path,value,note", pictures=pictures)
    refused(data, "1 rows", "row 6: no such picture 'gone.png'")
    write_picture(data / "gone.png")
    loaded = load_dataset(data)
    assert [s.views[0].row for s in loaded.samples] == [2, 4, 6]
    assert loaded.samples[1].views[0].path.name == "new\nline.png"


@pytest.mark.parametrize("character", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028"])
def test_only_line_ends_end_lines(tmp_path: Path, character: str) -> None:
    name = f"a{character}b.png"
    data = load_dataset(write_dataset(tmp_path / "d", [f"{name},1"], pictures=[name]))
    assert data.samples[0].views[0].path.name == name


@pytest.mark.parametrize("row", ['a.png,1,"half', 'a.png,1,"half" inch'])
def test_unclosed_quote_loses_no_rows(tmp_path: Path, row: str) -> None:
    data = write_dataset(tmp_path / "d", ["a.png,1,x", row, "b.png,2,y"], header="path,value,note")
    refused(data, "row 3 is no CSV", "quote")


def test_very_long_cell(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "d", [f"a.png,1,{'x' * 200_000}"], header="path,value,note")
    line = refused(data, "row 2 is no CSV", "field limit")
    assert len(line) < 400 + len(str(tmp_path))


def test_blank_rows_are_skipped_and_counted(tmp_path: Path) -> None:
    data = load_dataset(write_dataset(tmp_path / "d", ["a.png,1", "", " , ", "b.png,2"]))
    assert [s.views[0].row for s in data.samples] == [2, 5]


def test_nul_in_a_path(tmp_path: Path) -> None:
    refused(write_dataset(tmp_path / "d", ["a\0.png,1"]), "row 2: no such picture")


def test_pictures_may_lie_elsewhere(tmp_path: Path) -> None:
    outside = write_picture(tmp_path / "outside.png")
    data = load_dataset(write_dataset(tmp_path / "d", ["../outside.png,1", f"{outside},1"]))
    assert all(s.views[0].path.samefile(outside) for s in data.samples)


def test_broken_link(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "d", ["link.png,1"])
    (data / "link.png").symlink_to(tmp_path / "gone.png")
    refused(data, "row 2: no such picture 'link.png'")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("name", ["labels.csv", "dataset.toml"])
def test_unreadable_file(tmp_path: Path, name: str) -> None:
    data = write_dataset(tmp_path / "d")
    (data / name).chmod(0)
    refused(data, name, "Permission denied")


@pytest.mark.parametrize("value", ["-0.1", "10.001"])
def test_value_outside_the_range(tmp_path: Path, value: str) -> None:
    data = write_dataset(tmp_path / "d", ["a.png,0", f"b.png,{value}"])
    refused(data, f"row 3: value {value}", "range 0 to 10 mg/L")


def test_ends_of_the_range_are_inside(tmp_path: Path) -> None:
    assert len(load_dataset(write_dataset(tmp_path / "d", ["a.png,0", "b.png,10"])).samples) == 2


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
            (TOML + "colour = 1\n", "colour: unknown key"),
            (TOML.replace("unit", "units"), "unit: is required"),
            (TOML.replace("[0.0, 10.0]", "[10.0, 0.0]"), "range: must be [low, high] with low < high"),
            (TOML.replace("[0.0, 10.0]", "[1.0, 1.0]"), "range: must be [low, high] with low < high"),
            (TOML.replace("[0.0, 10.0]", "[0.0, nan]"), "range.1: must be a finite number, got nan"),
            (TOML.replace("[0.0, 10.0]", "[0.0, inf]"), "range.1: must be a finite number, got inf"),
            (TOML.replace("[0.0, 10.0]", "[0.0]"), "value, such as [0.0, 10.0], got [0.0]"),
            (TOML.replace("[0.0, 10.0]", "'0 to 10'"), "range: must be the lowest and the highest"),
            (TOML.replace('"mg/L"', '""'), "unit: "),
            (TOML.replace('"mg/L"', "5"), "unit: input should be a valid string, got 5"),
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
        refused(data, "dataset.toml", "not valid TOML")

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
