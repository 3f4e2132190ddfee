"""Opening a bundle: nothing in it is used before its hash is right."""

from __future__ import annotations

import hashlib
import io
import json
import os
import struct
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from analyte.contract.archive import Archive, looks_packed
from analyte.contract.arrays import Float32Array, Float64Array, UInt8Array
from analyte.contract.bundle_files import MAX_BYTES, BundleFiles, FolderFiles
from analyte.contract.errors import InputError, IntegrityError, SettingsError
from analyte.contract.manifest import (
    MANIFEST_FILE,
    MANIFEST_HASH_FILE,
    MANIFEST_SCHEMA,
    Artifact,
    FileRecord,
    Manifest,
)
from analyte.contract.run import NOT_ARRAYS
from analyte.contract.signature import SIGNATURE_FILE, Signature, parse_signature
from analyte.contract.validation import in_words


@dataclass(frozen=True, slots=True)
class GoldenSet:
    """Pictures with what Keras said about them.

    ``images``: uint8 ``[N, V, S, S, 3]``, RGB. ``value``, ``sigma``: float32 ``[N]``, label's unit.
    ``features``: float32 ``[N, F]``. ``true``: float64 ``[N]``, label's unit. ``covariates``: float32
    ``[N, K]``, only stored where K > 0.
    """

    images: UInt8Array
    value: Float32Array
    sigma: Float32Array
    features: Float32Array
    true: Float64Array
    covariates: Float32Array


@dataclass(frozen=True, slots=True)
class Bundle:
    """An opened bundle whose manifest is valid. Files are verified when they are asked for."""

    path: Path
    """The folder or the packed file; ``path / NAME`` names a file of it in messages, and only there."""
    id: str
    """sha256 of the manifest, hexadecimal: names the exact model behind a reading."""
    manifest: Manifest
    manifest_bytes: bytes = field(repr=False)
    """As read and checked: what ``id`` is the hash of, and what a signature is over."""
    signature: Signature | None
    """Of the manifest; undamaged, but whether it is good and whose it is was not looked at."""
    files: BundleFiles

    def artifact(self, name: str) -> Artifact:
        """Return one artifact. Raises: SettingsError when the bundle has none of that name."""
        for artifact in self.manifest.artifacts:
            if artifact.name == name:
                return artifact
        raise SettingsError(
            f"no artifact {name!r}",
            where=self.path,
            expected=", ".join(a.name for a in self.manifest.artifacts),
        )

    def read(self, record: FileRecord) -> bytes:
        """Return the bytes of a file. Raises: IntegrityError when it is missing or altered."""
        data = self.files.read(record.file)
        found = hashlib.sha256(data).hexdigest()
        if (found, len(data)) != (record.sha256, record.size_bytes):
            raise IntegrityError(
                "the file is not the one that was exported",
                where=self.path / record.file,
                expected=f"{record.size_bytes} bytes with sha256 {record.sha256[:16]}",
                got=f"{len(data)} bytes, {found[:16]}",
                fix="Copy the bundle again",
            )
        return data

    @contextmanager
    def on_disk(self, record: FileRecord) -> Iterator[Path]:
        """Give a verified file as a path, for libraries that open files themselves; valid in the block.

        Raises: IntegrityError when it is missing or altered.
        """
        self.read(record)
        with self.files.on_disk(record.file) as path:
            yield path

    def verify(self) -> None:
        """Check every file, and that there is no other, hidden ones included.

        Raises: IntegrityError at the first that is missing, altered or not listed in the manifest.
        """
        records = (*self.manifest.artifacts, *_other_files(self.manifest))
        listed = {record.file for record in records}
        known = {MANIFEST_FILE, MANIFEST_HASH_FILE, SIGNATURE_FILE}
        for name in self.files.names():
            if name.removesuffix("/") not in listed | known:
                raise IntegrityError(
                    "the bundle does not list this file",
                    where=self.path / name,
                    fix="Remove it, or copy the bundle again",
                )
        for record in records:
            self.read(record)

    def golden_set(self) -> GoldenSet:
        """Return the golden set. Raises: IntegrityError when it is missing, altered or unreadable."""
        data = self.read(self.manifest.golden)
        try:
            _refuse_bursting(data)
            with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
                return GoldenSet(
                    images=arrays["images"],
                    value=arrays["value"],
                    sigma=arrays["sigma"],
                    features=arrays["features"],
                    true=arrays["true"],
                    covariates=(
                        arrays["covariates"]
                        if "covariates" in arrays
                        else np.zeros((len(arrays["images"]), 0), np.float32)
                    ),
                )
        except (*NOT_ARRAYS, MemoryError) as error:
            raise IntegrityError("damaged", where=self.path / self.manifest.golden.file, got=error) from error


_ZIP_DIRECTORY_BYTES = 1 << 16
"""At the end of a file: holds the directory of any packed bundle."""

Authorize = Callable[[bytes, Signature | None], None]
"""Is given the bytes of a manifest and its signature, and raises where these may not be used."""


def open_bundle(path: Path, *, authorize: Authorize | None = None) -> Bundle:
    """Open a bundle, a folder or a packed file, and check its manifest.

    Of the other files only those are checked that are asked for; `Bundle.verify` checks all.
    ``authorize`` is asked before anything of the manifest is looked at.
    Raises: InputError when it is no bundle; IntegrityError when the manifest or its signature is
    damaged, it is of a newer schema, or its preprocessing is not the one that it was exported with; what
    ``authorize`` raises.
    """
    files = _files_of(path)
    file = path / MANIFEST_FILE
    text = files.read(MANIFEST_FILE)
    signature = None
    if SIGNATURE_FILE in files.names():
        signature = parse_signature(files.read(SIGNATURE_FILE), where=path / SIGNATURE_FILE)
    if authorize is not None:
        authorize(text, signature)
    manifest = _parse(text, file)
    digest = hashlib.sha256(text).hexdigest()
    _check_hash(files, digest)
    if signature is not None and signature.manifest_sha256 != digest:
        raise IntegrityError(
            "the signature is of another manifest", where=path / SIGNATURE_FILE, fix="Copy the bundle again"
        )
    return Bundle(path, digest, manifest, text, signature, files)


def is_bundle(path: Path) -> bool:
    """Whether there is a bundle, be it a damaged one: a folder with a manifest or its hash, or a file."""
    of_bundle = any((path / name).is_file() for name in (MANIFEST_FILE, MANIFEST_HASH_FILE))
    return of_bundle or (path.is_file() and looks_packed(path))


def _files_of(path: Path) -> BundleFiles:
    if (path / MANIFEST_FILE).is_file():
        return FolderFiles(path)
    if (path / MANIFEST_HASH_FILE).is_file():
        raise IntegrityError(
            "the manifest is missing", where=path / MANIFEST_FILE, fix="Copy the bundle again"
        )
    if path.is_file() and looks_packed(path) and not _is_other_zip(path):
        archive = Archive(path)
        if MANIFEST_FILE in archive.names():
            return archive
    if not os.path.lexists(path):
        raise InputError("no such file or folder", where=path, expected="a bundle, made by 'analyte export'")
    raise InputError(
        "not a bundle",
        where=path,
        expected=f"a folder with {MANIFEST_FILE}, or a file of 'analyte bundle pack'",
    )


def _is_other_zip(path: Path) -> bool:
    """Whether a file is a whole zip, such as a Keras model, whose directory names nothing of a bundle.

    Two names are looked for, in the bytes: a flipped one leaves a bundle a damaged bundle.
    """
    try:
        with path.open("rb") as file:
            zipfile.ZipFile(file).close()
            file.seek(-min(file.seek(0, os.SEEK_END), _ZIP_DIRECTORY_BYTES), os.SEEK_END)
            directory = file.read()
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError, struct.error):
        return False
    return MANIFEST_FILE.encode() not in directory and MANIFEST_HASH_FILE.encode() not in directory


def _parse(text: bytes, file: Path) -> Manifest:
    """Return the manifest that a file states. Raises: IntegrityError."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise IntegrityError("not valid JSON", where=file, got=error) from error
    found = data.get("schema_version") if isinstance(data, dict) else None
    if isinstance(found, int) and found > MANIFEST_SCHEMA:
        raise IntegrityError(
            "written by a newer analyte",
            where=file,
            expected=f"schema {MANIFEST_SCHEMA} or older",
            got=found,
            fix="Update analyte on this machine",
        )
    try:
        manifest = Manifest.model_validate(data)
    except ValidationError as error:
        raise IntegrityError(in_words(error), where=file) from error
    if manifest.preprocessing.digest() != manifest.preprocessing_sha256:
        raise IntegrityError("the preprocessing was altered after export", where=file)
    return manifest


def write_manifest(manifest: Manifest, folder: Path) -> None:
    """Write the manifest and its hash, which completes a bundle."""
    data = (manifest.model_dump_json(indent=2) + "\n").encode()
    (folder / MANIFEST_FILE).write_bytes(data)
    (folder / MANIFEST_HASH_FILE).write_bytes(_hash_line(hashlib.sha256(data).hexdigest()))


def _hash_line(digest: str) -> bytes:
    """Return what stands beside the manifest, in the way of sha256sum."""
    return f"{digest}  {MANIFEST_FILE}\n".encode("ascii")


def _check_hash(files: BundleFiles, digest: str) -> None:
    """Compare the manifest with the hash beside it. Raises: IntegrityError.

    It finds damage and edits by hand; against somebody who writes both files only a signature helps.
    """
    beside = files.path / MANIFEST_HASH_FILE
    try:
        line = files.read(MANIFEST_HASH_FILE)
    except IntegrityError as error:
        raise IntegrityError(
            "the manifest's hash is missing", where=beside, fix="Copy the bundle again"
        ) from error
    if line != _hash_line(digest):
        raise IntegrityError(
            "the manifest was altered after export, or the hash beside it was",
            where=files.path / MANIFEST_FILE,
            fix="Copy the bundle again, or export anew",
        )


def record_file(path: Path) -> FileRecord:
    """Describe a file for the manifest."""
    data = path.read_bytes()
    return FileRecord(file=path.name, sha256=hashlib.sha256(data).hexdigest(), size_bytes=len(data))


def _other_files(manifest: Manifest) -> tuple[FileRecord, ...]:
    report = () if manifest.report is None else (manifest.report,)
    return manifest.golden, manifest.model, manifest.card, *report


def _refuse_bursting(data: bytes) -> None:
    """Refuse arrays that would unpack to more than a bundle may hold. Raises: ValueError, BadZipFile."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        size = sum(info.file_size for info in archive.infolist())
    if size > MAX_BYTES:
        raise ValueError(f"{size} bytes of arrays, more than {MAX_BYTES}")
