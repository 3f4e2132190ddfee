"""Packed bundles: the same bytes from the same content, and no other bytes are taken."""

from __future__ import annotations

import io
import os
import random
import shutil
import stat
import struct
import subprocess
import tempfile
import warnings
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyte.contract import archive as archive_module
from analyte.contract.archive import MAX_FILES, Archive, write_archive
from analyte.contract.bundle import open_bundle
from analyte.contract.errors import AnalyteError, InputError, IntegrityError
from contract.datasets import assert_one_line
from runtime.tiny_bundles import File, write_bundle

CONTENT = {"manifest.json": b"{}\n", "model.onnx": bytes(range(256)) * 5, "Card.md": b"", "a..b": b"x"}
CENTRAL, END = b"PK\1\2", b"PK\5\6"


def packed(content: dict[str, bytes] = CONTENT) -> bytes:
    file = io.BytesIO()
    write_archive(content, content.__getitem__, file)
    return file.getvalue()


def refused(path: Path, data: bytes, *parts: str) -> None:
    path.write_bytes(data)
    with pytest.raises(IntegrityError) as caught:
        Archive(path)
    assert_one_line(caught.value, 7, str(path), *parts)
    assert len(caught.value.line()) < 500


class TestGood:
    def test_content_comes_back(self, tmp_path: Path) -> None:
        (tmp_path / "b.zip").write_bytes(packed())
        archive = Archive(tmp_path / "b.zip")
        assert {name: archive.read(name) for name in archive.names()} == CONTENT
        assert archive.names() == sorted(CONTENT)
        with archive.on_disk("model.onnx") as path:
            assert path.name == "model.onnx"
            assert path.read_bytes() == CONTENT["model.onnx"]
        assert not path.exists()

    def test_same_bytes_whatever_the_order(self) -> None:
        assert packed(dict(reversed(CONTENT.items()))) == packed()

    def test_bytes_are_these_for_ever(self) -> None:
        """Worked out by hand from the format's description, so that no later version packs otherwise."""
        header = struct.pack("<5H3I2H", 20, 0, 0, 0, 0x21, zlib.crc32(b"hi"), 2, 2, 1, 0)
        local = b"PK\3\4" + header + b"n" + b"hi"
        attributes = struct.pack("<3H2I", 0, 0, 0, 0o100644 << 16, 0)
        central = b"PK\1\2" + struct.pack("<H", 0x314) + header + attributes + b"n"
        end = b"PK\5\6" + struct.pack("<4H2IH", 0, 0, 1, 1, 47, 33, 0)
        assert packed({"n": b"hi"}) == local + central + end

    def test_others_can_read_it(self, tmp_path: Path) -> None:
        path = tmp_path / "b.zip"
        path.write_bytes(packed())
        with zipfile.ZipFile(path) as other:
            assert other.testzip() is None
            assert {name: other.read(name) for name in other.namelist()} == CONTENT
            for info in other.infolist():
                assert info.date_time == (1980, 1, 1, 0, 0, 0)
                assert stat.filemode(info.external_attr >> 16) == "-rw-r--r--"
        if shutil.which("unzip"):
            subprocess.run(["unzip", "-tq", path], check=True, capture_output=True)

    def test_empty(self, tmp_path: Path) -> None:
        (tmp_path / "b.zip").write_bytes(packed({}))
        assert Archive(tmp_path / "b.zip").names() == []

    @pytest.mark.parametrize("name", ["../x", "/x", "a/b", ".x", "", "µ", "x" * 101])
    def test_names_that_are_not_packed(self, name: str) -> None:
        with pytest.raises(InputError, match="does not fit into a packed bundle"):
            packed({name: b""})

    def test_too_many_files(self) -> None:
        packed({f"f{number}": b"" for number in range(MAX_FILES)})
        with pytest.raises(InputError, match="does not fit into a packed bundle"):
            packed({f"f{number}": b"" for number in range(MAX_FILES + 1)})

    def test_no_such_entry(self, tmp_path: Path) -> None:
        (tmp_path / "b.zip").write_bytes(packed())
        with pytest.raises(IntegrityError, match="missing"):
            Archive(tmp_path / "b.zip").read("gone")


def by_zipfile(*entries: tuple[str | zipfile.ZipInfo, bytes], **options: int) -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w", **options) as archive:  # type: ignore[call-overload]
        warnings.simplefilter("ignore")  # zipfile warns of names that are there twice
        for name, data in entries:
            archive.writestr(name, data)
    return file.getvalue()


def entry(name: str = "a", mode: int = stat.S_IFREG | 0o644) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, mode << 16
    return info


def patched(data: bytes, mark: bytes, offset: int, new: bytes) -> bytes:
    """Overwrite bytes ``offset`` after the last ``mark``."""
    start = data.rindex(mark) + offset
    return data[:start] + new + data[start + len(new) :]


OUT, NO_FILE = "a name that leads out of the folder", "a name that is no plain file's"
HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "parent": (lambda: by_zipfile((entry("../x"), b"")), OUT),
    "parent within": (lambda: by_zipfile((entry("a/../../x"), b"")), OUT),
    "absolute": (lambda: by_zipfile((entry("/etc/x"), b"")), OUT),
    "backslash": (lambda: by_zipfile((entry("..\\x"), b"")), OUT),
    "drive": (lambda: by_zipfile((entry("C:x"), b"")), NO_FILE),
    "nested": (lambda: by_zipfile((entry("a/b"), b"")), NO_FILE),
    "hidden": (lambda: by_zipfile((entry(".x"), b"")), NO_FILE),
    "not ASCII": (lambda: by_zipfile((entry("µ"), b"")), NO_FILE),
    "line feed": (lambda: by_zipfile((entry("a\nb"), b"")), NO_FILE),
    "nul": (lambda: patched(by_zipfile((entry("a?b"), b"")), CENTRAL, 46, b"a\0b"), NO_FILE),
    "empty name": (lambda: by_zipfile((entry(""), b"")), NO_FILE),
    "long name": (lambda: by_zipfile((entry("x" * 300), b"")), NO_FILE),
    "folder": (lambda: by_zipfile((entry("d/", stat.S_IFDIR | 0o755), b"")), "a folder"),
    "folder by mode": (lambda: by_zipfile((entry("d", stat.S_IFDIR | 0o755), b"")), "a folder"),
    "link": (lambda: by_zipfile((entry("a", stat.S_IFLNK | 0o777), b"/etc/passwd")), "a link"),
    "twice": (lambda: by_zipfile((entry("a"), b"1"), (entry("a"), b"2")), "there already"),
    "twice by case": (lambda: by_zipfile((entry("a"), b"1"), (entry("A"), b"2")), "there already"),
    "encrypted": (lambda: patched(packed({"a": b"x"}), CENTRAL, 8, b"\1\0"), "encrypted"),
    "deflated bomb": (
        lambda: by_zipfile(("a", bytes(10_000_000)), compression=zipfile.ZIP_DEFLATED),
        "compressed",
    ),
    "claims to be large": (lambda: patched(packed(), CENTRAL, 20, b"\xff\xff\xff\x7f" * 2), "more than 5368"),
    "entries that overlap": (lambda: patched(packed(), CENTRAL, 42, b"\0\0\0\0"), "altered"),
    "too many": (lambda: by_zipfile(*((entry(f"f{n}"), b"") for n in range(300))), "256 entries"),
    "claims to be many": (lambda: patched(packed(), END, 8, b"\xff\xff\xff\xff"), "256 entries"),
    "other time": (lambda: by_zipfile((zipfile.ZipInfo("a", (2026, 1, 1, 0, 0, 0)), b"")), "altered"),
    "other mode": (lambda: by_zipfile((entry("a", stat.S_IFREG | 0o755), b"")), "altered"),
    "not sorted": (lambda: by_zipfile((entry("b"), b""), (entry("a"), b"")), "altered"),
    "something after it": (lambda: packed() + b"x", "something was added"),
    "something before it": (lambda: b"PK\3\4" + packed(), "cut off, or something was added"),
    "another after it": (lambda: packed() + packed(), "cut off, or something was added"),
    "cut": (lambda: packed()[:-1], "cut off"),
    "head only": (lambda: packed()[:20], "cut off"),
    "no directory": (lambda: packed()[: packed().index(CENTRAL)], "cut off"),
    "only the end": (lambda: patched(packed(), END, 12, bytes(8))[-22:], "altered"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile(tmp_path: Path, kind: str) -> None:
    make, says = HOSTILE[kind]
    refused(tmp_path / "b.zip", make(), says)


def test_comments_and_zip64_are_refused(tmp_path: Path) -> None:
    file = io.BytesIO(packed())
    with zipfile.ZipFile(file, "a") as other:
        other.comment = b"hello"
    refused(tmp_path / "b.zip", file.getvalue(), "something was added")
    data, locator = packed(), struct.pack("<4sLQL", b"PK\6\7", 0, 0, 1)
    cut = data.rindex(END)
    longer = patched(data[:cut] + locator + data[cut:], END, 12, struct.pack("<I", cut + 20 - len(CENTRAL)))
    refused(tmp_path / "b.zip", longer)


def test_larger_than_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_module, "MAX_BYTES", 1000)
    refused(tmp_path / "b.zip", packed_past_the_limit(), "1000 bytes")
    path = tmp_path / "sparse.zip"
    with path.open("wb") as file:
        file.write(packed({}))
        file.truncate(1 << 40)
    with pytest.raises(IntegrityError, match="is larger than a packed bundle may be"):
        Archive(path)


def packed_past_the_limit() -> bytes:
    return by_zipfile((entry("a"), bytes(600)), (entry("b"), bytes(600)))


def test_what_is_read_is_bounded_by_what_was_looked_at(tmp_path: Path) -> None:
    """Who changes the file afterwards is found by the hashes of the manifest."""
    path = write_bundle(tmp_path / "b.analyte", [File("onnx", "onnx", b"model")])
    content = {file.name: file.read_bytes() for file in path.iterdir()}
    (tmp_path / "b.zip").write_bytes(packed(content))
    bundle = open_bundle(tmp_path / "b.zip")
    bundle.verify()
    (tmp_path / "b.zip").write_bytes(packed(content | {"card.md": b"# tony\n"}))
    with pytest.raises(IntegrityError, match=r"card\.md: the file is not the one"):
        bundle.verify()


def test_every_byte_around_the_content_counts(tmp_path: Path) -> None:
    data, path = packed(), tmp_path / "b.zip"
    spans = [(data.index(content), len(content)) for content in CONTENT.values() if len(content) > 3]
    around = [at for at in range(len(data)) if not any(s <= at < s + n for s, n in spans)]
    assert len(around) > 300
    generator = random.Random(0)
    for at in around:
        flipped = data[:at] + bytes([data[at] ^ generator.randrange(1, 256)]) + data[at + 1 :]
        path.write_bytes(flipped)
        with pytest.raises(IntegrityError):
            Archive(path)


def opened(path: Path) -> Archive | None:
    """Open a zip, or see that the refusal is one line."""
    try:
        return Archive(path)
    except AnalyteError as error:
        problem = error
    assert_one_line(problem, 7)
    return None


@settings(max_examples=150)
@given(
    st.binary(max_size=200)
    | st.tuples(st.integers(0, len(packed())), st.integers(0, 60), st.binary(max_size=60)).map(
        lambda cut: packed()[: cut[0]] + cut[2] + packed()[cut[0] + cut[1] :]
    )
)
def test_any_bytes_give_the_content_or_one_line(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "b.zip"
        path.write_bytes(data)
        archive = opened(path)
        if archive is None:
            return
        again = io.BytesIO()
        write_archive(archive.names(), archive.read, again)
        assert again.getvalue() == data


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable(tmp_path: Path) -> None:
    (tmp_path / "b.zip").write_bytes(packed())
    (tmp_path / "b.zip").chmod(0)
    with pytest.raises(InputError, match="Permission denied"):
        Archive(tmp_path / "b.zip")
