"""Pictures that commands draw: whole or not at all."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import BinaryIO

import pytest

pytest.importorskip("matplotlib", reason="needs matplotlib")

from analyte.contract.errors import OutputError
from analyte.runtime.picture import new_figure, save_picture


@pytest.mark.parametrize(("name", "begins"), [("p.png", b"\x89PNG"), ("p.SVG", b"<?xml")])
def test_the_suffix_decides(tmp_path: Path, name: str, begins: bytes) -> None:
    save_picture(new_figure(1, 1), tmp_path / "new" / name)
    assert (tmp_path / "new" / name).read_bytes().startswith(begins)


def test_a_full_disk_leaves_the_old_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figure = new_figure(1, 1)

    def full(file: BinaryIO, **options: object) -> None:
        file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(figure, "savefig", full)
    (tmp_path / "p.png").write_bytes(b"old")
    with pytest.raises(OutputError, match=r"p\.png: the disk is full"):
        save_picture(figure, tmp_path / "p.png")
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("p.png", b"old")]
