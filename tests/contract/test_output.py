"""Outputs: whole or not there, and the old one until the new one is whole."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from analyte.contract.errors import AnalyteError, OutputError
from analyte.contract.output import check_output, from_os_error, staged_folder
from contract.datasets import assert_one_line


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder whose contents a test can list."""
    folder = tmp_path / "place"
    folder.mkdir()
    return folder


@pytest.fixture
def old(place: Path) -> Path:
    """An older result."""
    folder = place / "out"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "old.txt").write_text("old", "utf-8")
    return folder


def assert_untouched(old: Path) -> None:
    assert [path.name for path in old.parent.iterdir()] == ["out"]
    assert [path.name for path in old.rglob("*")] == ["sub", "old.txt"]
    assert (old / "sub" / "old.txt").read_text("utf-8") == "old"


def write(path: Path, *, overwrite: bool = False, error: BaseException | None = None) -> None:
    with staged_folder(path, overwrite=overwrite) as folder:
        (folder / "new.txt").write_text("new", "utf-8")
        assert not (path / "new.txt").exists()
        if error is not None:
            raise error


def refused(path: Path, *parts: str, overwrite: bool = False, error: BaseException | None = None) -> None:
    with pytest.raises(OutputError) as caught:
        write(path, overwrite=overwrite, error=error)
    assert_one_line(caught.value, 3, *parts)


def test_new_folder(place: Path) -> None:
    write(place / "deep" / "out")
    assert [path.name for path in (place / "deep").iterdir()] == ["out"]
    assert (place / "deep" / "out" / "new.txt").read_text("utf-8") == "new"


def test_is_as_readable_as_other_folders(place: Path) -> None:
    (place / "other").mkdir()
    write(place / "out")
    assert (place / "out").stat().st_mode == (place / "other").stat().st_mode


def test_overwrite_replaces_everything(old: Path) -> None:
    write(old, overwrite=True)
    assert [path.name for path in old.parent.iterdir()] == ["out"]
    assert [path.name for path in old.iterdir()] == ["new.txt"]


def test_existing_is_refused(old: Path) -> None:
    refused(old, f"{old}: exists already", "--overwrite")
    with pytest.raises(OutputError, match="exists already"):
        check_output(old, overwrite=False)
    check_output(old, overwrite=True)
    assert_untouched(old)


FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
FAILURES = [
    (FULL, OutputError, "the disk is full. Free some space"),
    (OSError(errno.EDQUOT, "quota"), OutputError, "the disk is full"),
    (OSError(errno.EACCES, "denied"), OutputError, "not allowed"),
    (ValueError("bug"), ValueError, "bug"),
    (AnalyteError("refused"), AnalyteError, "refused"),
    (KeyboardInterrupt(), KeyboardInterrupt, "^$"),
]


@pytest.mark.parametrize(("error", "kind", "says"), FAILURES)
def test_failure_leaves_nothing(
    place: Path, error: BaseException, kind: type[BaseException], says: str
) -> None:
    with pytest.raises(kind, match=says):
        write(place / "out", error=error)
    assert not list(place.iterdir())


@pytest.mark.parametrize(("error", "kind", "says"), FAILURES)
def test_failed_overwrite_leaves_the_old(
    old: Path, error: BaseException, kind: type[BaseException], says: str
) -> None:
    with pytest.raises(kind, match=says):
        write(old, overwrite=True, error=error)
    assert_untouched(old)


def test_error_is_about_the_output_or_the_file_that_it_names(place: Path) -> None:
    refused(place / "out", f"{place / 'out'}: the disk is full", error=FULL)
    with (
        pytest.raises(OutputError, match=r"picture\.png: No such file"),
        staged_folder(place / "out", overwrite=False),
    ):
        (place / "picture.png").read_bytes()
    with pytest.raises(OutputError) as caught, staged_folder(place / "out", overwrite=False) as folder:
        (folder / "no" / "x").write_bytes(b"")
    assert caught.value.where == str(place / "out")


@pytest.mark.parametrize("stop", [FULL, KeyboardInterrupt()])
def test_failure_while_the_new_takes_the_place_of_the_old(
    old: Path, monkeypatch: pytest.MonkeyPatch, stop: BaseException
) -> None:
    """The old result is away for a moment: it comes back whatever happens in it."""
    rename = Path.rename

    def interrupted(self: Path, target: Path) -> Path:
        if (self / "new.txt").exists():
            raise stop
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises((OutputError, KeyboardInterrupt)):
        write(old, overwrite=True)
    assert_untouched(old)


def test_old_result_is_kept_when_it_cannot_be_put_back(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = Path.rename

    def failing(self: Path, target: Path) -> Path:
        if self != old:
            raise OSError(errno.EIO, "input/output error", str(self))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(OutputError) as caught:
        write(old, overwrite=True)
    (kept,) = old.parent.rglob("old.txt")
    assert str(kept.parents[1]) in caught.value.line()


def test_killed_process_leaves_the_old(old: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from analyte.contract.output import staged_folder\n"
        "with staged_folder(Path(sys.argv[1]), overwrite=True) as folder:\n"
        "    (folder / 'new.txt').write_text('new'); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(old)], timeout=60, check=False)
    assert done.returncode == -9
    assert (old / "sub" / "old.txt").read_text("utf-8") == "old"
    assert not (old / "new.txt").exists()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, timeout=10, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount command")
    if done.returncode != 0:
        pytest.skip(f"not allowed to mount a tmpfs: {done.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], timeout=10, check=True)


def test_disk_that_is_really_full(small_disk: Path) -> None:
    write(small_disk / "out")
    with pytest.raises(OutputError) as caught, staged_folder(small_disk / "out", overwrite=True) as folder:
        (folder / "large").write_bytes(bytes(200_000))
    assert_one_line(caught.value, 3, f"{small_disk / 'out'}: the disk is full")
    assert [path.name for path in small_disk.rglob("*")] == ["out", "new.txt"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_file_in_the_way(place: Path, overwrite: bool) -> None:
    (place / "out").write_text("precious", "utf-8")
    refused(place / "out", "exists already" if not overwrite else "is a file", overwrite=overwrite)
    assert (place / "out").read_text("utf-8") == "precious"


@pytest.mark.parametrize("overwrite", [False, True])
def test_broken_link_in_the_way(place: Path, overwrite: bool) -> None:
    (place / "out").symlink_to(place / "gone")
    refused(place / "out", str(place / "out"), overwrite=overwrite)
    assert (place / "out").is_symlink()


def test_link_to_an_old_result(place: Path, old: Path) -> None:
    link = place / "link"
    link.symlink_to(old)
    write(link, overwrite=True)
    assert (link / "new.txt").exists()
    assert (old / "sub" / "old.txt").read_text("utf-8") == "old"


@pytest.mark.parametrize("name", [".", "..", "../..", "here"])
def test_folder_that_one_works_in_is_never_replaced(
    place: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (place / "here").mkdir()
    (place / "here" / "precious.txt").write_text("x", "utf-8")
    monkeypatch.chdir(place / "here")
    refused(Path(name) if name != "here" else place / "here", "working in", overwrite=True)
    assert (place / "here" / "precious.txt").exists()


def test_parent_is_a_file(place: Path) -> None:
    (place / "file").write_text("x", "utf-8")
    refused(place / "file" / "out", f"{place / 'file'}: not a folder")


def test_name_that_is_too_long(place: Path) -> None:
    refused(place / ("n" * 250), "too long")
    assert not list(place.iterdir())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_folder_that_may_not_be_written(place: Path) -> None:
    place.chmod(0o500)
    refused(place / "out", "not allowed")


@pytest.mark.parametrize("error", [OSError(), OSError("odd"), OSError(errno.EIO, "bad\nblock", "f")])
def test_any_system_error_has_words(error: OSError) -> None:
    found = from_os_error(error)
    assert_one_line(found, 3)
    assert found.line()


def test_a_folder_of_another_kind_is_never_overwritten(tmp_path: Path) -> None:
    data = tmp_path / "photographs"
    data.mkdir()
    (data / "labels.csv").write_text("path,value\n")
    with pytest.raises(OutputError, match=r"not replaced; expected a folder with run\.json"):
        check_output(data, overwrite=True, marker="run.json")
    with (
        pytest.raises(OutputError),
        staged_folder(data, overwrite=True, marker="run.json"),
    ):
        pytest.fail("the block ran")
    assert (data / "labels.csv").read_text() == "path,value\n"


def test_a_folder_of_the_same_kind_is_overwritten(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "run.json").write_text("old")
    with staged_folder(run, overwrite=True, marker="run.json") as folder:
        (folder / "run.json").write_text("new")
    assert (run / "run.json").read_text() == "new"
