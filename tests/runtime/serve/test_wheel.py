"""The wheel holds the page: without a file of it a device would serve half of one."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("hatchling")
from analyte.runtime.serve.routes.page import FILES, STATIC

ROOT = Path(__file__).parents[3]
INSIDE = "analyte/runtime/serve/static/"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Give the content of each static file in a wheel that was built now, by its name."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("*.whl")
    with zipfile.ZipFile(built) as packed:
        names = [name for name in packed.namelist() if name.startswith(INSIDE)]
        return {name.removeprefix(INSIDE): packed.read(name) for name in names}


def test_the_wheel_holds_every_file_of_the_page_as_it_is_here(wheel: dict[str, bytes]) -> None:
    assert wheel == {path.name: path.read_bytes() for path in STATIC.iterdir()}


def test_what_is_served_and_what_the_page_asks_for_is_there(wheel: dict[str, bytes]) -> None:
    assert set(FILES) <= set(wheel)
    asked = {
        name
        for content in wheel.values()
        for name in re.findall(r"[\"'(]/static/([^\"')]+)", content.decode("utf-8"))
    }
    assert {"app.js", "charts.js", "app.css", "icon.svg", "login.js"} <= asked
    assert asked <= set(FILES)
