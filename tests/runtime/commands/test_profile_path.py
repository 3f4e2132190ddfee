"""Names of shipped profiles, in every command that takes one."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from analyte.cli import COMMANDS
from analyte.runtime.commands.profile_path import ProfilePath
from analyte.runtime.commands.read import command as read
from conftest import Invoke
from runtime.tiny_bundles import write_picture, write_profile


def _commands(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        yield name, command
        return
    for word, inner in command.commands.items():
        yield from _commands(inner, f"{name} {word}")


def _all() -> list[tuple[str, click.Command]]:
    modules = {name: importlib.import_module(entry.module) for name, entry in COMMANDS.items()}
    return [pair for name, module in modules.items() for pair in _commands(module.command, name)]


def device_of(bundle: Path, picture: Path) -> str:
    """Return the id of the device that a picture was measured as."""
    arguments = [str(bundle), str(picture), "--device", "x86-cpu", "--json"]
    result = CliRunner().invoke(read, arguments)
    assert result.exit_code == 0, result.output
    found: str = json.loads(result.stdout)[0]["device"]
    return found


def test_every_profile_is_found_in_the_same_way() -> None:
    options = [
        (name, option)
        for name, command in _all()
        for option in command.params
        if "--device" in option.opts or option.name == "profile"
    ]
    assert {"daemon", "read", "selftest", "region find", "quality"} <= {name for name, _ in options}
    assert [name for name, option in options if not isinstance(option.type, ProfilePath)] == []


def test_no_file_is_a_usage_error_for_who_may_not_read_it() -> None:
    # click would look itself, and end with exit code 2; whoever opens the file says it in one line, with 3.
    looking = [
        f"{name} {option.name}"
        for name, command in _all()
        for option in command.params
        if isinstance(option.type, click.Path) and option.type.readable
    ]
    assert looking == []


def test_a_name_stands_for_the_shipped_profile(invoke: Invoke, bundle: Path, tmp_path: Path) -> None:
    picture = write_picture(tmp_path / "a.png", (10, 20, 30))
    assert device_of(bundle, picture) == "x86-cpu"
    assert invoke("selftest", bundle, "--device", "x86-cpu").code == 0


def test_a_file_wins_over_a_name_and_a_folder_does_not(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    picture = write_picture(tmp_path / "a.png", (10, 20, 30))
    (tmp_path / "x86-cpu").mkdir()
    assert device_of(bundle, picture) == "x86-cpu"
    (tmp_path / "x86-cpu").rmdir()
    write_profile(tmp_path / "x86-cpu")
    assert device_of(bundle, picture) == "bench-1"


@pytest.mark.parametrize("given", ["raspberry-pi-99", "nowhere/p.toml"])
def test_an_unknown_one_is_answered_with_the_names(invoke: Invoke, bundle: Path, given: str) -> None:
    outcome = invoke("daemon", "--device", given, "--bundle", bundle)
    assert outcome.code == 3
    assert outcome.stderr.count("\n") == 1
    assert "there is no such profile; expected a file or one of" in outcome.stderr
    assert "x86-cpu" in outcome.stderr
