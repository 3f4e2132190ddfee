"""A page that stays open while its daemon is started anew."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.serve.browser import Browser, By
from runtime.serve.live import LiveDevice


@pytest.fixture
def device(tmp_path: Path) -> Iterator[LiveDevice]:
    made = LiveDevice(tmp_path, tokens=False)
    yield made
    made.stop()


@pytest.fixture
def browser(device: LiveDevice, tmp_path: Path) -> Iterator[Browser]:
    made = Browser(device.address, tmp_path)
    yield made
    made.close()


def values_shown(browser: Browser) -> int:
    """Return how many values the history shows."""
    chart = browser.driver.find_element(By.CSS_SELECTOR, "#history svg")
    found = re.match(r"\d+", chart.get_attribute("aria-label"))
    assert found
    return int(found[0])


def test_what_was_missed_is_fetched_and_the_page_works_on(device: LiveDevice, browser: Browser) -> None:
    browser.open()
    browser.until(lambda: re.match(r"\d", browser.text("number")))
    device.stop()
    browser.until(lambda: browser.text("state").startswith("No answer for"))
    while_away = device.newest("readings")
    device.start()
    # Made before the browser tries again.
    device.until(lambda: device.newest("readings") > while_away + 2, "it does not measure")
    browser.until(lambda: browser.text("state") in ("Measuring", "Attention needed"))
    browser.until(lambda: not browser.element("now").get_attribute("class"))
    browser.element("stop").click()
    browser.until(lambda: browser.text("said") == "Stopped")
    device.until(lambda: device.status()["frame_age_s"] > 0.4, "it takes pictures")
    kept = device.api("readings?limit=200")["readings"]
    assert while_away < len(kept) < 200, "a gap would show"
    browser.until(lambda: values_shown(browser) == sum(not one["refused"] for one in kept))
    refused = [one["id"] for one in kept if one["refused"]][:12]
    images = browser.driver.find_elements(By.CSS_SELECTOR, "#refused img")
    assert [image.get_attribute("src").split("/")[-2] for image in images] == refused
    # The line to the daemon was cut: nothing else may be wrong.
    assert all("ERR_" in one for one in browser.errors())
