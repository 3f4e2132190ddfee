"""Opening a bundle: nothing in it is used before its hash is right."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from analyte.contract.arrays import Float32Array, Float64Array, UInt8Array
from analyte.contract.errors import InputError, IntegrityError
from analyte.contract.manifest import (
    MANIFEST_FILE,
    MANIFEST_HASH_FILE,
    MANIFEST_SCHEMA,
    Artifact,
    FileRecord,
    Manifest,
)
from analyte.contract.run import NOT_ARRAYS
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
    id: str
    """sha256 of the manifest, hexadecimal: names the exact model behind a reading."""
    manifest: Manifest

    def artifact(self, name: str) -> Artifact:
        """Return one artifact. Raises: InputError when the bundle has none of that name."""
        for artifact in self.manifest.artifacts:
            if artifact.name == name:
                return artifact
        raise InputError(
            f"no artifact {name!r}",
            where=self.path,
            expected=", ".join(a.name for a in self.manifest.artifacts),
        )

    def read(self, record: FileRecord) -> bytes:
        """Return the bytes of a file. Raises: IntegrityError when it is missing or altered."""
        file = self.path / record.file
        try:
            data = file.read_bytes()
        except OSError as error:
            raise IntegrityError(
                "a file of the bundle is missing or cannot be read",
                where=file,
                got=error.strerror,
                fix="Copy the bundle again",
            ) from error
        found = hashlib.sha256(data).hexdigest()
        if found != record.sha256:
            raise IntegrityError(
                "the file is not the one that was exported",
                where=file,
                expected=f"sha256 {record.sha256[:16]}",
                got=f"{found[:16]}",
                fix="Copy the bundle again",
            )
        return data

    def verify(self) -> None:
        """Check every file. Raises: IntegrityError at the first that is missing or altered."""
        for record in (*self.manifest.artifacts, *_other_files(self.manifest)):
            self.read(record)

    def golden_set(self) -> GoldenSet:
        """Return the golden set. Raises: IntegrityError when it is missing, altered or unreadable."""
        data = self.read(self.manifest.golden)
        try:
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
        except NOT_ARRAYS as error:
            raise IntegrityError("damaged", where=self.path / self.manifest.golden.file, got=error) from error


def open_bundle(path: Path) -> Bundle:
    """Open a bundle folder and check its manifest.

    Raises: InputError when it is no bundle; IntegrityError when the manifest is damaged, of a newer schema,
    or its preprocessing is not the one that it was exported with.
    """
    file = path / MANIFEST_FILE
    if not file.is_file():
        raise InputError("not a bundle", where=path, expected=f"a folder with {MANIFEST_FILE}")
    try:
        text = file.read_bytes()
        data = json.loads(text)
    except OSError as error:
        raise InputError(error.strerror or "cannot be read", where=file) from error
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
    found = hashlib.sha256(text).hexdigest()
    _check_hash(file, found)
    return Bundle(path, found, manifest)


def write_manifest(manifest: Manifest, folder: Path) -> None:
    """Write the manifest and its hash, which completes a bundle."""
    data = (manifest.model_dump_json(indent=2) + "\n").encode()
    (folder / MANIFEST_FILE).write_bytes(data)
    line = f"{hashlib.sha256(data).hexdigest()}  {MANIFEST_FILE}\n"
    (folder / MANIFEST_HASH_FILE).write_text(line, "ascii")


def _check_hash(file: Path, found: str) -> None:
    """Compare the manifest with the hash beside it. Raises: IntegrityError.

    It finds damage and edits by hand; against somebody who writes both files only a signature helps.
    """
    beside = file.with_name(MANIFEST_HASH_FILE)
    try:
        expected = beside.read_text("ascii").split()[:1]
    except (OSError, UnicodeDecodeError) as error:
        raise IntegrityError(
            "the manifest's hash is missing", where=beside, fix="Copy the bundle again"
        ) from error
    if expected != [found]:
        raise IntegrityError(
            "the manifest was altered after export", where=file, fix="Copy the bundle again, or export anew"
        )


def record_file(path: Path) -> FileRecord:
    """Describe a file for the manifest."""
    data = path.read_bytes()
    return FileRecord(file=path.name, sha256=hashlib.sha256(data).hexdigest(), size_bytes=len(data))


def _other_files(manifest: Manifest) -> tuple[FileRecord, ...]:
    report = () if manifest.report is None else (manifest.report,)
    return manifest.golden, manifest.model, manifest.card, *report
