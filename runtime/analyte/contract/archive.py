"""A bundle as one file: a zip of one form, so that the same content always gives the same bytes.

Entries are stored without compression (model files hardly shrink, other libraries compress to other
bytes, and what is never unpacked cannot burst), sorted by name, dated 1980-01-01, of mode 0644; no
folders, extra fields or comments. Whoever opens one derives its bytes anew from its content: any other
byte is refused.

Layout of a zip: PKWARE APPNOTE 6.3.10, sections 4.3.7 (header), 4.3.12 (directory), 4.3.16 (its end).
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from analyte.contract.bundle_files import MAX_BYTES
from analyte.contract.errors import InputError, IntegrityError

MAX_FILES = 256
"""Most entries of a packed bundle."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
"""What an entry may be called: what any file system takes, and no place outside of a folder."""

_CHUNK = 1 << 20
_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_LOCAL_SIGNATURE, _CENTRAL_SIGNATURE, _END_SIGNATURE = b"PK\3\4", b"PK\1\2", b"PK\5\6"
_ZIP64_SIGNATURE, _ZIP64_LOCATOR_BYTES = b"PK\6\7", 20
_VERSION, _UNIX = 20, 3 << 8
_MIDNIGHT, _YEAR_1980 = 0, 0x21
"""1980-01-01 00:00, the first moment that a zip can state."""
_MODE = (stat.S_IFREG | 0o644) << 16
_LONGEST_FRAME = _END.size + MAX_FILES * (_LOCAL.size + _CENTRAL.size + 200)


@dataclass(frozen=True, slots=True)
class _Entry:
    """One file within the zip."""

    name: str
    crc: int
    size: int
    offset: int
    """Of its local header, bytes from the start."""

    @property
    def content(self) -> int:
        """Where its content starts, bytes from the start of the zip."""
        return self.offset + _LOCAL.size + len(self.name)

    def _common(self) -> tuple[int, ...]:
        flags = method = extra = 0
        sizes = (self.crc, self.size, self.size)
        return (_VERSION, flags, method, _MIDNIGHT, _YEAR_1980, *sizes, len(self.name), extra)

    def local(self) -> bytes:
        """Return the header in front of the content."""
        return _LOCAL.pack(_LOCAL_SIGNATURE, *self._common()) + self.name.encode("ascii")

    def central(self) -> bytes:
        """Return the record in the directory."""
        comment = disk = internal = 0
        end = (comment, disk, internal, _MODE, self.offset)
        head = _CENTRAL.pack(_CENTRAL_SIGNATURE, _UNIX | _VERSION, *self._common(), *end)
        return head + self.name.encode("ascii")


def _directory(entries: Sequence[_Entry], offset: int) -> bytes:
    """Return what follows the content: the directory, which starts at ``offset``, and its end."""
    records = b"".join(entry.central() for entry in entries)
    end = _END.pack(_END_SIGNATURE, 0, 0, len(entries), len(entries), len(records), offset, 0)
    return records + end


def write_archive(names: Iterable[str], read: Callable[[str], bytes], file: BinaryIO) -> None:
    """Write the zip of some files; ``read`` gives the content of each.

    Raises: InputError when a name or the sum of all is not for a bundle; what ``read`` raises.
    """
    entries: list[_Entry] = []
    offset = 0
    for name in sorted(names):
        data = read(name)
        if not NAME.fullmatch(name) or len(entries) == MAX_FILES or offset + len(data) > MAX_BYTES:
            raise InputError(
                "does not fit into a packed bundle",
                where=name,
                expected=f"a plain name, at most {MAX_FILES} files and {MAX_BYTES} bytes in all",
            )
        entry = _Entry(name, zlib.crc32(data), len(data), offset)
        file.write(entry.local())
        file.write(data)
        entries.append(entry)
        offset = entry.content + entry.size
    file.write(_directory(entries, offset))


class Archive:
    """The files of a packed bundle, read in place."""

    def __init__(self, path: Path) -> None:
        """Look through all of the zip.

        Raises: InputError when it cannot be read; IntegrityError for any other form.
        """
        self.path = path
        try:
            with path.open("rb") as file:
                _check_frame(file, path)
                infos = _entries_of(file, path)
                self._entries = {entry.name: entry for entry in _check_form(file, infos, path)}
        except OSError as error:
            raise InputError(error.strerror or "cannot be read", where=path) from error

    def names(self) -> list[str]:
        """Return the names of all entries, sorted."""
        return list(self._entries)

    def read(self, name: str) -> bytes:
        """Return the content of an entry. Raises: IntegrityError when there is none of that name."""
        entry = self._entries.get(name)
        try:
            if entry is None:
                raise FileNotFoundError(None, "no such entry")
            with self.path.open("rb") as file:
                file.seek(entry.content)
                return file.read(entry.size)
        except OSError as error:
            raise IntegrityError(
                "a file of the bundle is missing or cannot be read",
                where=self.path / name,
                got=error.strerror,
                fix="Copy the bundle again",
            ) from error

    @contextlib.contextmanager
    def on_disk(self, name: str) -> Iterator[Path]:
        """Give a temporary copy of an entry, which is removed after the block."""
        with tempfile.TemporaryDirectory(prefix="analyte-") as folder:
            copy = Path(folder) / name
            copy.write_bytes(self.read(name))
            yield copy


def looks_packed(path: Path) -> bool:
    """Whether a file starts or ends as a zip does: then it is one, be it a damaged one."""
    try:
        with path.open("rb") as file:
            head = file.read(len(_LOCAL_SIGNATURE))
            file.seek(-min(file.seek(0, os.SEEK_END), _END.size), os.SEEK_END)
            return head == _LOCAL_SIGNATURE or file.read(len(_END_SIGNATURE)) == _END_SIGNATURE
    except OSError:
        return False


def _refused(what: str, path: Path, got: object = None) -> IntegrityError:
    return IntegrityError(
        what,
        where=path,
        got=got,
        fix="Copy it again; a bundle is packed by 'analyte bundle pack', not by another program",
    )


def _check_frame(file: BinaryIO, path: Path) -> None:
    """Bound what reading the directory costs, before it is read. Raises: IntegrityError."""
    size = file.seek(0, os.SEEK_END)
    if size > MAX_BYTES + _LONGEST_FRAME:
        raise _refused(f"is larger than a packed bundle may be, {MAX_BYTES} bytes", path, f"{size} bytes")
    file.seek(max(0, size - _END.size - _ZIP64_LOCATOR_BYTES))
    tail = file.read()
    if len(tail) < _END.size:
        raise _refused("the packed bundle is cut off", path, f"{size} bytes")
    signature, _, _, _, count, length, start, _ = _END.unpack(tail[-_END.size :])
    if signature != _END_SIGNATURE or start + length + _END.size != size:
        raise _refused("the packed bundle is cut off, or something was added to it", path)
    if count > MAX_FILES or length > _LONGEST_FRAME or tail.startswith(_ZIP64_SIGNATURE):
        raise _refused(f"has more than the {MAX_FILES} entries that a packed bundle may have", path)


def _entries_of(file: BinaryIO, path: Path) -> list[zipfile.ZipInfo]:
    """Return the entries, sorted by name; nothing of their content is read. Raises: IntegrityError."""
    try:
        with zipfile.ZipFile(file) as archive:
            infos = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error) as error:
        raise _refused("the packed bundle is damaged", path, error) from error
    total = 0
    seen: set[str] = set()
    for info in infos:
        total += info.file_size
        problem = _problem_of(info)
        if info.orig_filename.lower() in seen:
            problem = "a name that is there already"
        elif total > MAX_BYTES:
            problem = f"a size that makes more than {MAX_BYTES} bytes in all"
        if problem is not None:
            raise _refused(
                "has an entry that a packed bundle cannot have",
                path,
                f"{info.orig_filename!a:.80}: {problem}",
            )
        seen.add(info.orig_filename.lower())
    return sorted(infos, key=lambda info: info.orig_filename)


def _problem_of(info: zipfile.ZipInfo) -> str | None:
    """Return what is wrong with an entry by itself; None where nothing is."""
    name, mode = info.orig_filename, info.external_attr >> 16
    if name.startswith(("/", "\\")) or ".." in re.split(r"[/\\]", name):
        return "a name that leads out of the folder"
    if name.endswith("/") or stat.S_ISDIR(mode):
        return "a folder"
    if not NAME.fullmatch(name):
        return "a name that is no plain file's"
    if stat.S_ISLNK(mode):
        return "a link"
    if info.flag_bits & 1:
        return "encrypted"
    if info.compress_type != zipfile.ZIP_STORED:
        return "compressed"
    return None


def _check_form(file: BinaryIO, infos: Sequence[zipfile.ZipInfo], path: Path) -> list[_Entry]:
    """Derive the zip anew from its content and compare every byte. Raises: IntegrityError."""
    entries: list[_Entry] = []
    offset = 0
    for info in infos:
        start = offset + _LOCAL.size + len(info.orig_filename)
        entry = _Entry(info.orig_filename, _crc(file, start, info.file_size), info.file_size, offset)
        file.seek(offset)
        if file.read(start - offset) != entry.local():
            raise _refused(
                "the packed bundle is damaged or was altered", path, f"{entry.name}, or its header"
            )
        entries.append(entry)
        offset = start + entry.size
    file.seek(offset)
    expected = _directory(entries, offset)
    if file.read(len(expected) + 1) != expected:
        raise _refused("the packed bundle is damaged or was altered", path, "another directory of its files")
    return entries


def _crc(file: BinaryIO, start: int, size: int) -> int:
    """Return the CRC-32 of a part of a file, which may end before the part does."""
    file.seek(start)
    crc = 0
    while size > 0 and (chunk := file.read(min(size, _CHUNK))):
        crc = zlib.crc32(chunk, crc)
        size -= len(chunk)
    return crc
