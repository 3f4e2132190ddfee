"""Priorities are for the journal, and for nobody else."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyte.runtime.service.journal import Priority, goes_to_journal, log_line
from runtime.conftest import analyte_command


@pytest.mark.parametrize("journal", [True, False])
def test_lines_of_the_daemon(tmp_path: Path, bundle: Path, profile: Path, journal: bool) -> None:
    reader, writer = os.pipe()
    found = os.fstat(writer if journal else reader)
    stream = f"{found.st_dev}:{found.st_ino if journal else found.st_ino + 1}"
    command = analyte_command("daemon", "--device", profile, "--bundle", bundle, "--source", "gone.avi")
    subprocess.run(
        command,
        cwd=tmp_path,
        env=os.environ | {"JOURNAL_STREAM": stream},
        stderr=writer,
        check=False,
        timeout=30,
    )
    os.close(writer)
    with os.fdopen(reader) as lines:
        (line,) = [line for line in lines if "stopped: " in line]
    assert line.startswith("<3>analyte daemon: " if journal else "analyte daemon: ")


@given(st.text())
def test_any_stream_is_the_journal_or_not(text: str) -> None:
    assert not goes_to_journal(0, {"JOURNAL_STREAM": text})


def test_closed_file_and_no_variable() -> None:
    assert not goes_to_journal(987654, {"JOURNAL_STREAM": "1:2"})
    assert not goes_to_journal(2, {})


def test_one_line() -> None:
    assert log_line("a\nb", Priority.WARNING, journal=True) == "<4>a b"
    assert log_line("a", Priority.WARNING, journal=False) == "a"
