"""Regions as people write them."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from analyte.contract.errors import AnalyteError, ProfileError, SettingsError
from analyte.contract.preprocessing import Box
from analyte.runtime.regions.boxes import check_one_frame, parse_regions

BOX = Box(x=1, y=2, w=3, h=4)
VIEWS = ("reference", "sample")


@pytest.mark.parametrize("text", ["1,2,3,4", "sample=1,2,3,4", "sample= 1, 2, 3, 4 "])
def test_one_view(text: str) -> None:
    assert parse_regions([text], ["sample"]) == {"sample": BOX}


def test_two_views() -> None:
    parsed = parse_regions(["sample=1,2,3,4", "reference=0,0,5,5"], VIEWS)
    assert parsed == {"sample": BOX, "reference": Box(x=0, y=0, w=5, h=5)}


def test_view_name_with_an_equals_sign() -> None:
    assert parse_regions(["a=b=1,2,3,4"], ["a=b", "c"]) == {"a=b": BOX}


@pytest.mark.parametrize(
    "texts",
    [
        ["1,2,3"],
        ["1,2,3,4,5"],
        ["1,2,0,4"],
        ["1,2,3,-4"],
        ["1,2,3,4.5"],
        ["1_0,2,3,4"],
        ["\u0661,2,3,4"],
        ["1,2,3,99999999999999999999"],
        [""],
        ["=1,2,3,4", "=1,2,3,4"],
        ["other=1,2,3,4"],
        ["1,2,3,4", "1,2,3,4"],
    ],
)
def test_refused(texts: list[str]) -> None:
    with pytest.raises(SettingsError):
        parse_regions(texts, ["sample"])


def test_view_must_be_named_where_there_are_several() -> None:
    with pytest.raises(SettingsError, match=r"expected reference=x,y,w,h or sample=x,y,w,h"):
        parse_regions(["1,2,3,4"], VIEWS)


@given(st.lists(st.text(max_size=20) | st.from_regex(r"(\w{0,3}=)?\d*,\d*,\d*,\d*"), max_size=3))
@example(["²,1,1,1"])
def test_nothing_but_analyte_errors(texts: list[str]) -> None:
    with contextlib.suppress(AnalyteError):
        assert set(parse_regions(texts, VIEWS[:1])) <= set(VIEWS)


def test_one_frame_must_show_every_view() -> None:
    check_one_frame({}, ["sample"], where="p.toml")
    check_one_frame({"reference": BOX, "sample": BOX}, VIEWS, where="p.toml")
    with pytest.raises(ProfileError, match=r"p\.toml: no region for view sample.*got reference"):
        check_one_frame({"reference": BOX}, VIEWS, where="p.toml")
    with pytest.raises(ProfileError, match=r"region\.boxes\.other: the bundle has no such view"):
        check_one_frame({"other": BOX}, ["sample"], where="p.toml")
