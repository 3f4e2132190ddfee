"""Every action of the page, as a person does it, in a real browser over a real daemon: what the page shows,
what the API says and what the audit trail holds."""

from __future__ import annotations

import base64
import csv
import io
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from analyte.contract.bundle import open_bundle
from runtime.bundles.packing import packed
from runtime.serve.browser import Browser, By, Keys
from runtime.serve.live import PEOPLE, SHOWN, LiveDevice
from runtime.tiny_bundles import value_of

SIZES = ((390, 844), (800, 480), (1280, 800))


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveDevice]:
    made = LiveDevice(tmp_path_factory.mktemp("live"))
    yield made
    made.stop()


@pytest.fixture(scope="module")
def browser(device: LiveDevice) -> Iterator[Browser]:
    made = Browser(device.address, device.folder)
    made.driver.execute_cdp_cmd(
        "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(device.folder)}
    )
    yield made
    made.close()


class Desk:
    """A person before the page of a device."""

    def __init__(self, device: LiveDevice, browser: Browser, who: str) -> None:
        self.device, self.browser, self.who = device, browser, who
        self.role = str(PEOPLE[who])
        browser.driver.delete_all_cookies()
        browser.screen(1280, 800)
        browser.errors()
        browser.driver.get(f"{device.address}/login")
        browser.type("token", device.tokens[who])
        browser.driver.find_element(By.CSS_SELECTOR, "form button").click()
        browser.until(lambda: browser.driver.find_elements(By.CSS_SELECTOR, "body[data-ready]"))
        self.seen = device.newest("events")

    def press(self, id: str) -> str:
        """Click a button; return what the page says of it once it is done."""
        self.browser.driver.execute_script("document.getElementById('said').textContent = ''")
        self.browser.element(id).click()
        self.browser.until(lambda: self.browser.text("said") not in ("", "Please wait"))
        return self.browser.text("said")

    @property
    def well(self) -> bool:
        """Whether the page says it as a success."""
        return "good" in self.browser.element("said").get_attribute("class")

    def written(self, what: str = "") -> list[dict[str, Any]]:
        """Return what the audit trail holds since the person sat down, of a kind."""
        return [one for one in self.device.rows("events", self.seen) if one["what"].startswith(what)]

    def wrote(self, what: str, why: str = "") -> dict[str, Any]:
        """Return the one line that the trail has of this, by this person and for this reason."""
        (found,) = (one for one in self.written(what) if one["what"] == what)
        assert (found["who"], found["role"], found["why"]) == (self.who, self.role, why)
        return found

    def leave(self) -> None:
        """Sign out, with nothing wrong in the console."""
        assert self.browser.errors() == []
        self.browser.element("logout").click()
        self.browser.until(lambda: self.browser.driver.find_elements(By.ID, "token"))


@pytest.fixture(autouse=True)
def _as_found(device: LiveDevice) -> Iterator[None]:
    """Let a test that failed half-way spoil no other one."""
    yield
    status = device.status()
    if status["locked"]:
        device.post("controls/release", "sue", {"why": "left so by a test"})
    if not status["measuring"]:
        device.post("start", "sue")


@pytest.fixture
def sit(device: LiveDevice, browser: Browser) -> Any:
    return lambda who: Desk(device, browser, who)


def number(text: str) -> float:
    found = re.search(r"-?\d+(\.\d+)?", text)
    assert found, text
    return float(found[0])


def test_a_wrong_token_is_refused_in_words_and_written_down(device: LiveDevice, browser: Browser) -> None:
    seen = device.newest("events")
    browser.open()
    browser.type("token", "ann:guessed")
    browser.press(Keys.ENTER)
    browser.until(lambda: browser.text("said"))
    assert browser.text("said") == "The token is wrong or expired."
    (found,) = device.rows("events", seen)
    assert (found["what"], found["who"]) == ("login.failed", "unknown")
    assert "guessed" not in str(found)
    # The browser itself says that the page wants somebody to sign in, and that the token was refused.
    assert all("401" in one for one in browser.errors())


def test_signing_in_and_out_is_written_down(device: LiveDevice, browser: Browser, sit: Any) -> None:
    seen = device.newest("events")
    for who, role in PEOPLE.items():
        desk = sit(who)
        assert browser.text("who") == f"{who} ({role})"
        for id, least in (("measure", 1), ("run-control", 1), ("service", 2)):
            assert browser.element(id).is_displayed() == (list(PEOPLE).index(who) >= least)
        desk.leave()
    found = [(one["what"], one["who"], one["role"]) for one in device.rows("events", seen)]
    expected = [(f"login.{what}", *one) for one in PEOPLE.items() for what in ("succeeded", "ended")]
    assert found == expected


def test_the_value_changes_with_what_the_camera_sees(device: LiveDevice, browser: Browser, sit: Any) -> None:
    desk = sit("ann")
    wanted = {round(value_of(colour)) for colour in SHOWN}
    shown: set[int] = set()

    def all_seen() -> bool:
        text = browser.text("number")
        if re.match(r"\d", text):
            shown.add(round(float(text)))
        return wanted <= shown

    browser.until(all_seen)
    assert shown == wanted
    newest = device.api("readings?refused=false&limit=1")["readings"][0]
    assert any(abs(newest["value"] - value_of(colour)) < 0.5 for colour in SHOWN)
    browser.until(lambda: browser.text("unit") == newest["unit"])
    browser.until(lambda: browser.element("picture").is_displayed())
    assert device.ask("picture.jpg").startswith(b"\xff\xd8")
    desk.leave()


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")


def since(device: LiveDevice, at: str) -> list[dict[str, Any]]:
    """Return the readings of pictures that were taken later."""
    return [one for one in device.rows("readings") if one["captured_at"] > at]


def test_stop_measure_now_and_start(device: LiveDevice, browser: Browser, sit: Any) -> None:
    desk = sit("otto")
    assert desk.press("stop") == "Stopped"
    assert browser.text("state") == "Stopped"
    assert device.status()["measuring"] is False
    desk.wrote("measuring.stopped")
    device.until(lambda: device.status()["frame_age_s"] > 0.4, "it takes pictures")
    stopped = now()
    assert desk.press("measure") == "Measuring now"
    device.until(lambda: since(device, stopped), "no reading")
    device.until(lambda: device.status()["frame_age_s"] > 0.4, "it goes on")
    desk.wrote("measuring.asked")
    (one,) = since(device, stopped)
    word = "Refused" if one["refused"] else str(round(one["value"]))
    browser.until(lambda: browser.text("number").startswith(word))
    assert desk.press("start") == "Measuring"
    assert device.status()["measuring"] is True
    desk.wrote("measuring.started")
    device.until(lambda: len(since(device, stopped)) > 3, "it does not go on")
    desk.leave()


def choose(browser: Browser, material: str) -> None:
    (found,) = [
        one
        for one in browser.driver.find_elements(By.CSS_SELECTOR, "#material option")
        if one.text == material
    ]
    found.click()


def run_control(desk: Desk, material: str) -> str:
    """Run a control until the camera sees what gives a value, as a person would."""
    choose(desk.browser, material)
    while "refused" in (said := desk.press("run-control")):
        pass
    return said


def test_controls_lock_out_and_release(device: LiveDevice, browser: Browser, sit: Any) -> None:
    desk = sit("otto")
    assert (run_control(desk, "within"), desk.well) == ("Control: accepted", True)
    made = desk.wrote("control.measured")
    assert (made["new"]["material"], made["new"]["outcome"]) == ("within", "accepted")
    chart = device.api("controls")["controls"]
    assert chart[-1]["value"] == made["new"]["value"]
    assert browser.driver.find_elements(By.CSS_SELECTOR, "#controls svg .dot")

    assert "failed" in run_control(desk, "beyond")
    assert not desk.well
    assert device.status()["locked"] is True
    assert "beyond" in browser.text("obstacles")
    # What is refused for a reason of its own keeps that one.
    browser.until(lambda: "A supervisor has to release" in browser.text("interval"))
    assert browser.text("number") == "Refused"
    assert browser.driver.find_elements(By.CSS_SELECTOR, "#controls svg .bad")
    desk.leave()

    desk = sit("sue")
    assert "reason" in desk.press("release")
    assert desk.written("lockout") == []
    browser.type("why", "a drop too much")
    assert desk.press("release").startswith("Released")
    assert desk.written("lockout.released")[0]["who"] == "sue"
    desk.wrote("lockout.released", "a drop too much")
    assert device.status()["locked"] is False
    assert not browser.element("release").is_displayed()
    browser.until(lambda: re.match(r"\d", browser.text("number")))
    desk.leave()


def test_refused_readings_stand_there_with_picture_and_reason(
    device: LiveDevice, browser: Browser, sit: Any
) -> None:
    desk = sit("ann")
    browser.until(lambda: "outside the calibrated range" in browser.text("refused"))
    kept = {one["id"]: one for one in device.rows("readings") if one["refused"]}
    image = browser.driver.find_element(By.CSS_SELECTOR, "#refused img")
    browser.until(lambda: browser.driver.execute_script("return arguments[0].naturalWidth", image) == 64)
    address = image.get_attribute("src")
    found = kept[address.split("/")[-2]]
    assert device.ask(address.partition("/api/v1/")[2]).startswith(b"\x89PNG")
    assert (device.folder / "refused" / found["frame_file"]).is_file()
    desk.leave()


def test_a_new_bundle_is_tried_takes_over_and_the_way_back(
    device: LiveDevice, browser: Browser, sit: Any
) -> None:
    old = device.status()["bundle"]
    new = packed(device.folder, "second")
    new_id = open_bundle(new).id
    desk = sit("sue")
    assert "Choose a file" in desk.press("upload")
    browser.type("bundle", str(new))
    assert desk.press("upload").startswith(f"Bundle taken: {new_id[:16]}")
    desk.wrote("bundle.installed")
    assert desk.wrote("bundle.upload_asked_done")["new"] == new_id
    device.until(lambda: device.status()["bundle"] == new_id, "the bundle does not take over")
    browser.until(lambda: new_id[:16] in browser.text("health"))
    (promoted,) = desk.written("bundle.promoted")
    assert (promoted["who"], promoted["role"]) == ("device", "device")
    assert promoted["new"]["shadow"]["compared"] >= 3

    browser.type("why", "reads high")
    assert desk.press("rollback").startswith(f"Went back to: {old[:16]}")
    desk.wrote("bundle.chosen", "reads high")
    desk.wrote("bundle.roll_back_asked", "reads high")
    device.until(lambda: device.status()["bundle"] == old, "it does not go back")
    browser.until(lambda: old[:16] in browser.text("health"))
    device.until(lambda: device.rows("readings")[-1]["bundle"] == old, "another bundle measures")
    desk.leave()


def test_standards_are_measured_and_readings_recalibrated_and_back(
    device: LiveDevice, browser: Browser, sit: Any
) -> None:
    desk = sit("sue")
    assert "known value first" in desk.press("measure-standard")
    browser.type("known", "30")
    while not desk.press("measure-standard").startswith("Standard: 30 mg/L is read as"):
        assert not desk.well
    made = desk.written("standard.measured")[-1]
    assert (made["who"], made["role"], made["new"]["known"]) == ("sue", "supervisor", 30.0)
    assert device.api("standards")["standards"][-1]["reading"] == made["new"]["value"]
    assert "30 mg/L" in browser.text("standards-list")

    assert "reason" in desk.press("recalibrate")
    assert desk.written("recalibration") == []
    browser.type("calibrate-why", "a new lamp")
    assert desk.press("recalibrate").startswith("Recalibrated: ")
    desk.wrote("recalibration.made", "a new lamp")
    assert device.status()["calibration"] == "1"
    device.until(lambda: device.rows("readings")[-1]["recalibration"] == "1", "readings are not corrected")
    desk.press("undo-recalibration")
    desk.wrote("recalibration.undone", "a new lamp")
    assert device.status()["calibration"] == ""
    device.until(lambda: device.rows("readings")[-1]["recalibration"] == "", "readings are corrected")
    assert all("422" in one for one in browser.errors())
    desk.leave()


def test_an_operators_day_without_a_mouse(device: LiveDevice, browser: Browser) -> None:
    browser.driver.delete_all_cookies()
    browser.driver.get(f"{device.address}/login")
    browser.errors()
    seen = device.newest("events")
    browser.tab_to("token")
    browser.press(device.tokens["otto"], Keys.ENTER)
    browser.until(lambda: browser.driver.find_elements(By.CSS_SELECTOR, "body[data-ready]"))
    browser.tab_to("stop")
    browser.press(Keys.ENTER)
    browser.until(lambda: browser.text("said") == "Stopped")
    # The button is of no use any more: the focus is on the one that now is.
    assert browser.focused() == "start"
    browser.press(Keys.SPACE)
    browser.until(lambda: browser.text("said") == "Measuring")
    assert browser.focused() == "stop"
    browser.tab_to("material")
    browser.press("w")
    browser.tab_to("run-control")
    browser.press(Keys.ENTER)
    browser.until(lambda: browser.text("said").startswith("Control: "))
    browser.driver.execute_script("document.activeElement.blur(); scrollTo(0, 0)")
    browser.driver.execute_script("document.getElementById('logout').focus()")
    browser.press(Keys.ENTER)
    browser.until(lambda: browser.driver.find_elements(By.ID, "token"))
    found = {(one["what"], one["who"]) for one in device.rows("events", seen)}
    assert {(what, "otto") for what in ("measuring.stopped", "measuring.started", "control.asked")} <= found
    assert browser.errors() == []


def has_room(browser: Browser, id: str, width: int) -> bool:
    box = browser.element(id).rect
    return box["x"] >= 0 and box["x"] + box["width"] <= width and box["height"] >= 40


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_every_screen_shows_all_of_it(browser: Browser, sit: Any, size: tuple[int, int], scheme: str) -> None:
    desk = sit("sue")
    width, height = size
    browser.screen(width, height, scheme)
    browser.driver.get(desk.device.address)
    browser.until(lambda: browser.driver.find_elements(By.CSS_SELECTOR, "body[data-ready]"))
    browser.until(lambda: browser.element("picture").is_displayed())
    browser.until(lambda: re.match(r"\d", browser.text("number")))
    assert browser.driver.execute_script("return document.documentElement.scrollWidth") <= width
    for id in (
        "measure",
        "stop",
        "run-control",
        "measure-standard",
        "recalibrate",
        "rollback",
        "upload",
        "why",
    ):
        assert has_room(browser, id, width), id
    back = browser.driver.execute_script("return getComputedStyle(document.body).backgroundColor")
    levels = [int(one) for one in re.findall(r"\d+", back)[:3]]
    assert (max(levels) < 80) == (scheme == "dark")
    # Value and buttons are there without scrolling.
    assert browser.element("stop").rect["y"] + browser.element("stop").rect["height"] <= height
    if kept := os.environ.get("ANALYTE_SCREENSHOTS"):
        picture = browser.driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True})
        name = f"live-{width}x{height}-{scheme}.png"
        (Path(kept) / name).write_bytes(base64.b64decode(picture["data"]))
    desk.leave()


def test_a_person_promotes_a_bundle_that_waits(
    device: LiveDevice, browser: Browser, tmp_path: Path, sit: Any
) -> None:
    other = LiveDevice(tmp_path / "other", colours=SHOWN, bundles="")
    try:
        new = packed(tmp_path, "third")
        new_id = open_bundle(new).id
        desk = Desk(other, browser, "sue")
        browser.type("bundle", str(new))
        assert desk.press("upload").startswith(f"Bundle taken: {new_id[:16]}")
        browser.until(lambda: browser.element("promote").is_displayed())
        other.until(lambda: other.status()["trial"]["compared"] >= 3, "nothing is compared")
        browser.until(lambda: "readings beside the running one" in browser.text("health"))
        assert other.status()["bundle"] != new_id
        assert "reason" in desk.press("promote")
        browser.type("why", "as good as the old one")
        assert desk.press("promote").startswith(f"Chosen: {new_id[:16]}")
        desk.wrote("bundle.chosen", "as good as the old one")
        desk.wrote("bundle.promotion_asked", "as good as the old one")
        other.until(lambda: other.status()["bundle"] == new_id, "it does not take over")
        browser.until(lambda: not browser.element("promote").is_displayed())
        assert other.rows("readings")[-1]["refused"] is False
        desk.leave()
    finally:
        other.stop()


@pytest.mark.parametrize("content", [b"a letter", b"PK\x03\x04 and no more"])
def test_a_file_that_is_no_bundle_is_refused_by_its_own_name(
    device: LiveDevice, browser: Browser, sit: Any, tmp_path: Path, content: bytes
) -> None:
    desk = sit("sue")
    wrong = tmp_path / "ma lettre é.zip"
    wrong.write_bytes(content)
    browser.type("bundle", str(wrong))
    said = desk.press("upload")
    assert said.startswith("ma lettre é.zip: ")
    assert "/" not in said
    assert not desk.well
    found = desk.wrote("bundle.upload_asked_failed")
    assert "ma lettre é.zip" in found["new"]
    assert "/tmp" not in found["new"]
    assert desk.written("bundle.installed") == []
    assert not list((device.folder / "bundles").glob(".incoming*"))
    (error,) = browser.errors()
    assert "422" in error


def test_saved_csv_is_what_the_store_holds(device: LiveDevice, browser: Browser, sit: Any) -> None:
    desk = sit("ann")
    file = device.folder / "readings.csv"
    browser.element("csv").click()
    device.until(file.is_file, "nothing is saved")
    saved = {int(one["sequence"]): one for one in csv.DictReader(io.StringIO(file.read_text("utf-8")))}
    stored = {one["sequence"]: one for one in device.rows("readings") if one["sequence"] <= max(saved)}
    assert saved.keys() == stored.keys()
    for sequence, one in stored.items():
        row = saved[sequence]
        assert (row["id"], row["refused"].lower()) == (one["id"], str(one["refused"]).lower())
        assert (float(row["value"]) if row["value"] else None) == one["value"]
        assert row["unit"] == one["unit"]
    desk.leave()
