"""The chart: readable by machines and by people who see no colours."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyte.contract.errors import InputError, SettingsError
from analyte.contract.event import Role
from analyte.contract.sections.control import ControlSection
from analyte.runtime.control.recalibration import Standard
from runtime.control.memory_trail import LABEL, Device, read

SVG = "{http://www.w3.org/2000/svg}"


def device_of(*values: float, name: str = "low") -> Device:
    section = ControlSection.model_validate({"materials": [{"name": name, "target": 20, "s": 1}]})
    device = Device(section)
    for value in values:
        device.clock.wait(2.0)
        device.control.measured(name, read(value), "ann", Role.OPERATOR)
    return device


def tree(device: Device, last: int = 60) -> ET.Element:
    return ET.fromstring(device.control.chart(last=last))


def said(root: ET.Element) -> list[str]:
    """What the chart says of each point and mark."""
    return [
        str(group[0].text) for group in root.iter(f"{SVG}g") if len(group) and group[0].tag == f"{SVG}title"
    ]


def test_every_control_has_its_place_shape_and_words() -> None:
    root = tree(device_of(20.0, 22.5, 21.0, 25.0))
    points = said(root)
    assert len(points) == 4
    assert points[1].endswith("22.50 µg/mL, +2.50 s, warning; 1-2s (+2.50 s)")
    assert "failed; 1-3s (+5.00 s)" in points[3]
    # The legend has one of each shape as well.
    circles = [float(str(one.get("cy"))) for one in root.iter(f"{SVG}circle")][1:]
    assert len(circles) == 2
    assert circles[1] < circles[0]  # higher is up
    shapes = [str(one.get("d"))[-5:] for one in root.iter(f"{SVG}path")]
    assert shapes == ["h-12z", "h-10z", "h-12z", "h-10z"]  # triangle, square
    texts = [str(one.text) for one in root.iter(f"{SVG}text")]
    assert "1-3s/1-2s +5.0 s" in texts  # drawn at the edge, so its place does not tell
    assert {"20 (target)", "22 (+2 s)", "17 (-3 s)"} <= set(texts)


def test_it_describes_itself() -> None:
    root = tree(device_of(20.0, 25.0))
    assert root.get("role") == "img"
    title, description = root[0], root[1]
    assert (title.tag, title.text) == (f"{SVG}title", "Levey-Jennings chart")
    assert description.text == ("Control low: 2 values, 1 failed, 0 with a warning; target 20, s 1.")
    assert str(root.get("aria-labelledby")).split() == [title.get("id"), description.get("id")]


def test_releases_are_drawn_with_who_and_why() -> None:
    device = device_of(20.0, 25.0)
    device.control.release("bob", Role.SUPERVISOR, "pipette <2>")
    device.control.measured("low", read(20.0), "ann", Role.OPERATOR)
    device.control.recalibrate("offset", [Standard(20, 21, 0.5)], LABEL, "eve", Role.SUPERVISOR)
    device.control.undo("eve", Role.SUPERVISOR, "no")
    marks = [one for one in said(tree(device)) if " by " in one]
    assert marks == ["released by bob: pipette <2>", "recalibrated by eve; recalibration undone by eve: no"]


def test_the_last_ones_and_none() -> None:
    assert len(said(tree(device_of(*[20.0] * 9), last=4))) == 4
    empty = tree(device_of())
    assert any(one.text == "No control was measured yet." for one in empty.iter(f"{SVG}text"))


def test_one_panel_for_each_material() -> None:
    root = ET.fromstring(Device().control.chart())
    assert root.get("height") == "520"
    assert ET.fromstring(Device().control.chart("high")).get("height") == "260"


def test_unknown_materials() -> None:
    with pytest.raises(InputError, match="expected low or high"):
        Device().control.chart("hihg")
    with pytest.raises(SettingsError, match="names no control material"):
        Device(ControlSection()).control.chart()


@given(
    st.text(
        st.characters(min_codepoint=32, exclude_characters="\x7f", exclude_categories=["Cs"]),
        min_size=1,
        max_size=20,
    )
)
def test_any_name_gives_valid_xml(name: str) -> None:
    device = device_of(20.0, name=name)
    assert "<script" not in device.control.chart()
    tree(device)


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=8))
def test_everything_is_drawn_within_the_picture(values: list[float]) -> None:
    text = device_of(*values).control.chart()
    assert not re.search(r"nan|inf\b", text)
    for point in re.findall(r'points="([^"]*)"', text)[0].split():
        x, y = map(float, point.split(","))
        assert 0 <= x <= 820
        assert 0 <= y <= 260
