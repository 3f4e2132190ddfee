"""The page by keyboard, for a screen reader, and for eyes that see less contrast."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from runtime.serve.browser import Keys, Page
from runtime.serve.fake import FakeInstrument, fake_context


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    made = Page(fake_context(None), tmp_path)
    yield made
    made.close()


def test_every_control_is_reached_by_tab_in_order_and_answers_to_enter(page: Page) -> None:
    page.open()
    page.driver.execute_script("document.activeElement.blur()")
    reached: list[str] = []
    while len(reached) < 40 and reached[-1:] != ["upload"]:
        page.press(Keys.TAB)
        reached.append(page.focused())
        if reached[-1] == "measure":
            page.press(Keys.ENTER)
    # What is disabled or hidden is left out.
    wanted = ["skip", "measure", "stop", "csv", "material", "run-control"]
    wanted += ["known", "measure-standard", "method", "calibrate-why", "recalibrate", "undo-recalibration"]
    wanted += ["why", "release", "rollback", "bundle", "upload"]
    assert [one for one in reached if one in wanted] == wanted
    page.until(lambda: "measure" in cast(FakeInstrument, page.context.instrument).calls)


def test_everything_that_takes_focus_has_a_name(page: Page) -> None:
    page.open()
    tree = page.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    nameless = [
        node["role"]["value"]
        for node in tree
        if not node.get("ignored")
        and node["role"]["value"] in {"button", "link", "textbox", "combobox", "image", "checkbox"}
        and not node.get("name", {}).get("value")
    ]
    assert nameless == []
