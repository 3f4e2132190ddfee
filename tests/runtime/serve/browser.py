"""A real browser, and one before a device that is a stand-in."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analyte.runtime.serve.context import Context
from analyte.runtime.serve.server import PageServer

if shutil.which("chromium") is None or not Path("/usr/bin/chromedriver").exists():
    pytest.skip("chromium or chromedriver is not installed", allow_module_level=True)
webdriver = pytest.importorskip("selenium.webdriver")
from selenium.webdriver import ActionChains  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

PATIENCE_S = 20


class Browser:
    """Headless Chromium at an address, with what a person does in it."""

    def __init__(self, address: str, folder: Path) -> None:
        self.address = address
        options = webdriver.ChromeOptions()
        for word in (
            "--headless=new",
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            f"--user-data-dir={folder}/c",
        ):
            options.add_argument(word)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options, webdriver.ChromeService("/usr/bin/chromedriver"))

    def open(self) -> None:
        self.driver.get(self.address)
        self.until(lambda: self.driver.find_elements(By.CSS_SELECTOR, "body[data-ready], form"))

    def until(self, true: Callable[[], Any]) -> None:
        WebDriverWait(self.driver, PATIENCE_S, 0.05).until(lambda driver: true())

    def element(self, id: str) -> Any:
        return self.driver.find_element(By.ID, id)

    def text(self, id: str) -> str:
        return str(self.element(id).text)

    def click(self, id: str) -> None:
        """Click, wherever the page is scrolled to."""
        self.driver.execute_script("arguments[0].click()", self.element(id))

    def press(self, *keys: str) -> None:
        ActionChains(self.driver).send_keys(*keys).perform()

    def type(self, id: str, text: str) -> None:
        self.element(id).send_keys(text)

    def focused(self) -> str:
        script = "return document.activeElement.id || document.activeElement.className"
        return str(self.driver.execute_script(script))

    def tab_to(self, id: str) -> None:
        """Press the tab key until an element has the focus."""
        for _ in range(40):
            if self.focused() == id:
                return
            self.press(Keys.TAB)
        pytest.fail(f"{id} is not reached by the tab key")

    def screen(self, width: int, height: int, scheme: str = "light") -> None:
        """Be a screen of another size (CSS pixels) and scheme of colours."""
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": False})  # fmt: skip
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {
            "features": [{"name": "prefers-color-scheme", "value": scheme}]})  # fmt: skip

    def errors(self) -> list[str]:
        """Return the errors and warnings of the console since the last call."""
        levels = ("SEVERE", "WARNING")
        return [one["message"] for one in self.driver.get_log("browser") if one["level"] in levels]

    def close(self) -> None:
        self.driver.quit()


class Page(Browser):
    """A browser before a device."""

    def __init__(self, context: Context, folder: Path) -> None:
        bound = socket.create_server(("127.0.0.1", 0))
        self.server = PageServer(context, bound, folder / "device.toml")
        self.context = context
        super().__init__(f"http://127.0.0.1:{bound.getsockname()[1]}", folder)

    def close(self) -> None:
        super().close()
        self.server.close()
