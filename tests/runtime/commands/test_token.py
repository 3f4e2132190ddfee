"""``analyte token``: what the command line refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import Invoke


@pytest.mark.parametrize("days", ["nan", "inf", "0", "-1", "1e9"])
def test_days_are_a_number(tmp_path: Path, invoke: Invoke, days: str) -> None:
    done = invoke("token", "add", tmp_path / "t.json", "ann", "--role", "viewer", "--days", days)
    assert (done.code, done.stdout) == (2, "")
    assert not (tmp_path / "t.json").exists()


def test_a_token_without_days_never_expires(tmp_path: Path, invoke: Invoke) -> None:
    assert invoke("token", "add", tmp_path / "t.json", "ann", "--role", "viewer").stdout.startswith("ann:")
    assert invoke("token", "list", tmp_path / "t.json").stdout == "ann\tviewer\tnever expires\n"
