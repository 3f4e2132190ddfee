"""A real browser before a device."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

import pytest

from analyte.runtime.serve.context import Context
from analyte.runtime.serve.server import PageServer

if shutil.which("chromium") is None or not Path("/usr/bin/chromedriver").exists():
    pytest.skip("chromium or chromedriver is not installed", allow_module_level=True)
webdriver = pytest.importorskip("selenium.webdriver")
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

PATIENCE_S = 60


class Page:
    """A browser before a device."""

    def __init__(self, context: Context, folder: Path) -> None:
        bound = socket.create_server(("127.0.0.1", 0))
        self.server = PageServer(context, bound, folder / "device.toml")
        self.address = f"http://127.0.0.1:{bound.getsockname()[1]}"
        self.context = context
        options = webdriver.ChromeOptions()
        for word in (
            "--headless=new",
            "--no-sandbox",
            "--disable-dev-shm-usage",
            f"--user-data-dir={folder}/c",
        ):
            options.add_argument(word)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options, webdriver.ChromeService("/usr/bin/chromedriver"))

    def open(self) -> None:
        self.driver.get(self.address)
        self.until(lambda: self.driver.find_elements(By.CSS_SELECTOR, "body[data-ready], form"))

    def until(self, true: object) -> None:
        assert callable(true)
        WebDriverWait(self.driver, PATIENCE_S, 0.05).until(lambda driver: true())

    def text(self, id: str) -> str:
        return str(self.driver.find_element(By.ID, id).text)

    def click(self, id: str) -> None:
        self.driver.execute_script("arguments[0].click()", self.driver.find_element(By.ID, id))

    def type(self, id: str, text: str) -> None:
        self.driver.find_element(By.ID, id).send_keys(text)

    def errors(self) -> list[str]:
        return [one["message"] for one in self.driver.get_log("browser") if one["level"] != "INFO"]
