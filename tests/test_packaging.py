"""The shape of the repository: what would break the namespace, the wheel or the direction of imports."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PORTIONS = ("train", "export", "runtime")
MODULES = sorted(path for portion in PORTIONS for path in (ROOT / portion).rglob("*.py"))
MAX_LINES = 400


def test_modules_are_found() -> None:
    assert len(MODULES) > 40
    assert {path.relative_to(ROOT).parts[0] for path in MODULES} == set(PORTIONS)


@pytest.mark.parametrize("portion", PORTIONS)
def test_namespace_has_no_init(portion: str) -> None:
    """One would hide the portions in the other two folders."""
    assert not (ROOT / portion / "__init__.py").exists()
    assert not (ROOT / portion / "analyte" / "__init__.py").exists()


def test_every_other_folder_of_modules_has_an_init() -> None:
    namespaces = {ROOT / portion / "analyte" for portion in PORTIONS}
    folders = {path.parent for path in MODULES} - namespaces
    assert not [folder for folder in folders if not (folder / "__init__.py").is_file()]


def test_folders_in_between_have_an_init_too() -> None:
    """A folder without one, that only holds packages, would be left out by type checkers."""
    for path in MODULES:
        parts = path.relative_to(ROOT).parts
        for depth in range(3, len(parts)):
            assert ROOT.joinpath(*parts[:depth], "__init__.py").is_file(), path


@pytest.mark.parametrize("package", ["train", "export", "runtime", "contract"])
def test_types_are_declared(package: str) -> None:
    portion = "runtime" if package == "contract" else package
    assert (ROOT / portion / "analyte" / package / "py.typed").is_file()


def test_nothing_else_lies_in_the_namespace() -> None:
    allowed = {"train", "export", "runtime", "contract", "cli.py", "demo.py"}
    found = {
        entry.name
        for portion in PORTIONS
        for entry in (ROOT / portion / "analyte").iterdir()
        if entry.name != "__pycache__"
    }
    assert found <= allowed


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_are_short(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= MAX_LINES


def test_imports_point_one_way() -> None:
    """The contracts of pyproject.toml: train | export -> runtime -> contract, no TensorFlow on the device."""
    program = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    done = subprocess.run(
        [sys.executable, "-c", program, "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 kept, 0 broken" in done.stdout


def test_build_settings() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wheel = settings["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["packages"] == [f"{portion}/analyte" for portion in PORTIONS]
    assert wheel["dev-mode-dirs"] == list(PORTIONS)
    assert settings["project"]["scripts"] == {"analyte": "analyte.cli:main"}
    assert settings["tool"]["mypy"]["strict"] is True


def test_base_installation_needs_no_framework() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    base = " ".join(settings["project"]["dependencies"])
    assert not [name for name in ("tensorflow", "onnx", "litert", "torch", "matplotlib") if name in base]
