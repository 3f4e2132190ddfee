"""A file appears whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from analyte.contract.errors import OutputError
from analyte.contract.output_file import staged_file


def test_appears_when_done(tmp_path: Path) -> None:
    path = tmp_path / "new" / "x.zip"
    with staged_file(path, overwrite=False) as file:
        file.write(b"data")
        assert not path.exists()
    assert path.read_bytes() == b"data"
    assert [entry.name for entry in path.parent.iterdir()] == ["x.zip"]


@pytest.mark.parametrize(("private", "mode"), [(True, 0o600), (False, 0o640)])
def test_mode(tmp_path: Path, private: bool, mode: int) -> None:
    before = os.umask(0o027)
    try:
        with staged_file(tmp_path / "x", overwrite=False, private=private) as file:
            file.write(b"data")
        assert (tmp_path / "x").stat().st_mode & 0o777 == mode
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)


def test_failure_leaves_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"old")

    def fail() -> None:
        with staged_file(tmp_path / "x", overwrite=True) as file:
            file.write(b"new")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert (tmp_path / "x").read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


def test_existing_is_kept(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"old")
    with pytest.raises(OutputError, match="exists already"), staged_file(tmp_path / "x", overwrite=False):
        pytest.fail("nothing is to be written")
    with pytest.raises(OutputError, match="is a folder"), staged_file(tmp_path, overwrite=True):
        pytest.fail("nothing is to be written")


def test_full_disk(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="the disk is full"), staged_file(tmp_path / "x", overwrite=False):
        raise OSError(28, "No space left on device")
    assert not list(tmp_path.iterdir())
