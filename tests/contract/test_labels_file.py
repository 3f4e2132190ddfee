"""Every way in which a table of labels goes wrong: named with its row, all at once, in one line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from analyte.contract.labels_file import load_dataset
from analyte.contract.preprocessing import Box
from contract.datasets import TOML, refused, write_dataset, write_picture

REGION = "path,value,x,y,w,h"


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


def test_pictures_of_a_phone_are_not_left_out_without_a_word(tmp_path: Path) -> None:
    write_picture(tmp_path / "10" / "a.png")
    for name in ("IMG_1.HEIC", "b.dng", "Thumbs.db"):
        (tmp_path / "10" / name).write_bytes(b"x")
    said = refused(tmp_path, "folder '10' has pictures of kinds that are not read: IMG_1.HEIC, b.dng")
    assert "Thumbs.db" not in said


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
