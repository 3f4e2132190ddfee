"""The page in a real browser: every action, no error in its console."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest

from analyte.contract.event import Role
from analyte.contract.sections.serve import ServeSection
from analyte.runtime.serve.instrument import TrialStatus
from analyte.runtime.serve.tokens import TokenFile
from runtime.serve.browser import By, Page
from runtime.serve.fake import FakeInstrument, fake_context, some_readings


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    made = Page(fake_context(None), tmp_path)
    yield made
    made.close()


def test_every_action_of_the_page_reaches_the_device(page: Page, tmp_path: Path) -> None:
    device = cast(FakeInstrument, page.context.instrument)
    device.trial = TrialStatus(
        bundle="cd" * 32, compared=9, mean_difference=0.1, largest=0.2, refused_by_new=0
    )
    page.open()
    assert "9 readings beside the running one, on average 0.10 mg/L apart" in page.text("health")
    done = device.calls
    packed = tmp_path / "new.zip"
    packed.write_bytes(b"PK")
    page.click("rollback")
    page.until(lambda: "reason" in page.text("said"))
    page.type("why", "new lot")
    page.click("recalibrate")
    page.until(lambda: "choose a standard" in page.text("said"))
    page.click("measure-standard")
    page.until(lambda: "known value" in page.text("said"))
    page.type("known", "50")
    page.type("calibrate-why", "new lamp")
    page.type("bundle", str(packed))
    actions = {"stop": "stop", "start": "start", "measure": "measure", "run-control": "control low",
               "release": "release", "measure-standard": "standard 50", "recalibrate": "offset s0",
               "undo-recalibration": "undo", "promote": "promote", "rollback": "roll back",
               "upload": "upload"}  # fmt: skip
    for button, call in actions.items():
        page.until(lambda button=button: page.driver.find_element(By.ID, button).is_enabled())
        page.click(button)
        page.until(lambda call=call: call in done)
        page.until(lambda: "good" in page.driver.find_element(By.ID, "said").get_attribute("class"))
    assert page.errors() == []


def test_a_new_reading_is_shown_and_an_old_one_is_not_shown_as_new(page: Page) -> None:
    page.open()
    assert "No reading for" in page.text("value")
    page.until(lambda: page.context.broker.clients == 1)
    now = datetime.now(UTC).isoformat()
    page.context.broker.publish(
        replace(some_readings(1)[0], value=12.34, lower=12.0, upper=12.7, captured_at=now)
    )
    page.until(lambda: "12.3" in page.text("value") and "mg/L" in page.text("value"))
    assert "95 % interval" in page.text("interval") or "interval" in page.text("interval")
    page.until(lambda: "No reading for" in page.text("value"))
    assert page.errors() == []


def test_a_plate_says_which_well_and_shows_them_all(page: Page) -> None:
    page.open()
    page.until(lambda: page.context.broker.clients == 1)
    now = datetime.now(UTC).isoformat()
    for site, value in (("A1", 3.0), ("A2", 7.0)):
        page.context.broker.publish(
            replace(
                some_readings(1)[0], site=site, value=value, lower=value - 1, upper=value + 1, captured_at=now
            )
        )
    page.until(lambda: page.text("site") == "Well A2")
    assert page.text("wells").split("\n") == ["A1: 3.0", "A2: 7.0"]
    assert page.errors() == []


def test_refused_readings_stand_there_with_picture_and_words(page: Page) -> None:
    page.open()
    assert "Focus the camera" in page.text("refused")
    assert page.driver.find_elements(By.CSS_SELECTOR, "#refused img")
    assert page.driver.find_elements(By.CSS_SELECTOR, "#history svg .line")


def test_a_viewer_signs_in_and_sees_no_actions(tmp_path: Path) -> None:
    file = tmp_path / "tokens.json"
    token = TokenFile(file).add("ann", Role.VIEWER, None)
    page = Page(fake_context(file, ServeSection(tokens=file)), tmp_path)
    try:
        page.open()
        page.type("token", token)
        page.driver.find_element(By.CSS_SELECTOR, "form button").click()
        page.until(lambda: page.driver.find_elements(By.CSS_SELECTOR, "body[data-ready]"))
        for id in ("measure", "stop", "run-control", "standards", "service"):
            assert not page.driver.find_element(By.ID, id).is_displayed()
        page.click("logout")
        page.until(lambda: page.driver.find_elements(By.ID, "token"))
    finally:
        page.close()


@pytest.mark.parametrize("size", [(390, 844), (800, 480), (1280, 800)])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_the_screen(page: Page, size: tuple[int, int], scheme: str) -> None:
    width, height = size
    page.screen(width, height, scheme)
    page.open()
    page.until(lambda: page.context.broker.clients == 1)
    page.context.broker.publish(replace(some_readings(4)[3], captured_at=datetime.now(UTC).isoformat()))
    page.until(lambda: "mg/L" in page.text("value"))
    page.until(lambda: page.driver.find_element(By.ID, "picture").is_displayed())
    assert page.driver.execute_script("return document.documentElement.scrollWidth") <= width
    kept = os.environ.get("ANALYTE_SCREENSHOTS")
    if kept:
        page.driver.save_screenshot(str(Path(kept) / f"page-{width}x{height}-{scheme}.png"))
