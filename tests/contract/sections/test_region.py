"""``[region]`` of a profile: what is wrong, in one line that names file, key, expected and got."""

from __future__ import annotations

from pathlib import Path

import pytest

from analyte.contract.errors import ProfileError
from analyte.contract.profile import load_profile
from contract.datasets import assert_one_line

REST = """
[device]
id = "bench-1"
[engine]
name = "onnx"
provider = "cpu"
artifacts = ["onnx"]
"""
CIRCLE = """[region.circle]
x = 320
y = 240.5
radius = 110
tolerance = 0.2
margin = 1.5
"""
MARKERS = """[region.markers]
dictionary = "4X4_50"
ids = [0, 1, 2, 3]
width = 800
height = 600
expected = [[10, 10], [810, 10], [810, 610], [10, 610]]
tolerance_px = 5
"""
WELLS = """[region.wells]
rows = 8
columns = 12
first = [50, 60]
last = [600, 410]
size = 40
"""
GOOD = {"circle": CIRCLE, "markers": MARKERS, "wells": WELLS, "all": MARKERS + WELLS}


def write(folder: Path, text: str) -> Path:
    path = folder / "p.toml"
    path.write_text(text + REST, "utf-8")
    return path


@pytest.mark.parametrize("name", GOOD)
def test_good(tmp_path: Path, name: str) -> None:
    region = load_profile(write(tmp_path, GOOD[name])).region
    assert (region.circle is not None) == (name == "circle")
    assert (region.markers is not None) == (name in ("markers", "all"))
    assert (region.wells is not None) == (name in ("wells", "all"))


@pytest.mark.parametrize(
    ("good", "old", "new", "says"),
    [
        (
            "circle",
            "x = 320",
            "x = -1",
            "region.circle.x: input should be greater than or equal to 0, got -1",
        ),
        ("circle", "x = 320", "x = nan", "region.circle.x: "),
        ("circle", "x = 320", "x = inf", "region.circle.x: must be a finite number, got inf"),
        ("circle", "x = 320", 'x = "320 px"', "region.circle.x: "),
        ("circle", "x = 320\n", "", "region.circle.x: is required"),
        (
            "circle",
            "x = 320",
            "cx = 320",
            "region.circle.cx: unknown key, expected x, y, radius, tolerance, margin",
        ),
        (
            "circle",
            "= 110",
            "= 15",
            "region.circle.radius: input should be greater than or equal to 16, got 15",
        ),
        (
            "circle",
            "= 0.2",
            "= 20",
            "region.circle.tolerance: input should be less than or equal to 1, got 20",
        ),
        ("circle", "= 0.2", "= 0", "region.circle.tolerance: input should be greater than 0, got 0"),
        (
            "circle",
            "= 1.5",
            "= 0.4",
            "region.circle.margin: input should be greater than or equal to 0.5",
        ),
        ("markers", "[0, 1, 2, 3]", "[0, 1, 2]", "region.markers.ids"),
        (
            "markers",
            "[0, 1, 2, 3]",
            "[0, 1, 2, 2]",
            "ids must be four different markers from 0, got [0, 1, 2, 2]",
        ),
        (
            "markers",
            "[0, 1, 2, 3]",
            "[0, 1, 2, -3]",
            "ids must be four different markers from 0, got [0, 1, 2, -3]",
        ),
        (
            "markers",
            "width = 800",
            "width = 0",
            "region.markers.width: input should be greater than 0, got 0",
        ),
        (
            "markers",
            "width = 800",
            "width = 90000",
            "region.markers.width: input should be less than or equal to",
        ),
        ("markers", ", [10, 610]]", "]", "expected must hold four centres, got 3"),
        ("markers", "= 5", "= 0", "region.markers.tolerance_px: input should be greater than 0, got 0"),
        (
            "markers",
            "expected = [[",
            "# [[",
            "region.markers: tolerance_px needs expected, the four centres that it is counted from",
        ),
        (
            "markers",
            "_px = 5",
            " = 5",
            "region.markers.tolerance: unknown key, expected dictionary, ids, width",
        ),
        (
            "wells",
            "rows = 8",
            "rows = 27",
            "region.wells.rows: input should be less than or equal to 26, got 27",
        ),
        ("wells", "rows = 8", "rows = 2.5", "region.wells.rows: "),
        ("wells", "size = 40", "size = -4", "region.wells.size: input should be greater than 0, got -4"),
        ("wells", "[50, 60]", "[50]", "region.wells.first: entry 2 is required"),
        ("wells", "[50, 60]", "[50, 60, 70]", "region.wells.first: must have at most 2 entries, got ["),
        ("wells", "[50, 60]", "50", "region.wells.first: must be a list in brackets, got 50"),
        ("markers", "[0, 1, 2, 3]", "{}", "region.markers.ids: must be a list in brackets"),
        (
            "wells",
            "[50, 60]",
            "[19, 60]",
            "the square around well A1 leaves the frame: expected a centre at 20 px or more, got 19, 60",
        ),
        (
            "wells",
            "size = 40",
            "size = 110",
            "the square around well A1 leaves the frame: expected a centre at 55",
        ),
        (
            "wells",
            "[600, 410]",
            "[40, 410]",
            "wells lie on each other: expected columns to the right and rows below",
        ),
        (
            "wells",
            "[600, 410]",
            "[600, 70]",
            "wells lie on each other: expected columns to the right and rows below",
        ),
        (
            "wells",
            "rows = 8",
            "rows = 1\ntop_right = [600, 60]",
            "top_right needs several rows and columns",
        ),
        (
            "wells",
            "rows = 8\ncolumns = 12",
            "rows = 1\ncolumns = 1",
            "one well has one centre: expected last = [",
        ),
        (
            "wells",
            "size = 40",
            "size = 40\ntop_right = [600, 9]",
            "the square around well A10 leaves the frame",
        ),
        (
            "all",
            "[600, 410]",
            "[790, 410]",
            "region: wells A12 leaves the rectified picture of markers: expected within 800x600, "
            "got it to reach 810, 80",
        ),
    ],
)
def test_wrong_values(tmp_path: Path, good: str, old: str, new: str, says: str) -> None:
    assert GOOD[good].count(old) == 1
    path = write(tmp_path, GOOD[good].replace(old, new))
    with pytest.raises(ProfileError) as caught:
        load_profile(path)
    assert_one_line(caught.value, 3, f"{path}: ", says)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (CIRCLE + WELLS, "region: expected one of boxes, circle and wells, got circle and wells"),
        (
            "[region.boxes]\nsample = { x = 1, y = 2, w = 3, h = 4 }\n" + CIRCLE,
            "region: expected one of boxes, circle and wells, got boxes and circle",
        ),
        (
            "[region.boxes]\nsample = { x = 1, y = 2, w = 3, h = 599 }\n" + MARKERS,
            "region: boxes.sample leaves the rectified picture of markers: expected within 800x600, "
            "got it to reach 4, 601",
        ),
        (
            CIRCLE.replace("320", "801") + MARKERS,
            "region: circle leaves the rectified picture of markers: expected within 800x600",
        ),
        ("[region]\ncircle = 5\n", "region.circle: must be a table of keys, got 5"),
        (
            "[region.circel]\nx = 1\n",
            "region.circel: unknown key, expected boxes, circle, markers, wells",
        ),
    ],
)
def test_sections_that_do_not_go_together(tmp_path: Path, text: str, says: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ProfileError) as caught:
        load_profile(path)
    assert_one_line(caught.value, 3, f"{path}: ", says)
