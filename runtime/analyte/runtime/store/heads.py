"""Heads of the chain, kept in a file beside the database: what finds rows that were cut off its end.

One line of JSON per head: time, sequence number and hash of the last row then, signed by the device's key
where it has one. Lines are only appended. Head and database may be told apart by their file systems, too:
a copy of this file elsewhere is what an attacker on the device cannot alter.
"""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from analyte.contract.errors import InputError, IntegrityError
from analyte.contract.output import from_os_error
from analyte.contract.signature import PublicKey, Signature, parse_public_key
from analyte.runtime.signing import is_good, load_private_key, sign

HEADS_SUFFIX = ".heads"
_SCHEMA = 1
_LONGEST_LINE = 2048
"""Bytes."""
_TAIL_BYTES = 65536

Signer = Callable[[bytes], Signature]
"""Signs a message with the device's key."""


@dataclass(frozen=True, slots=True)
class Head:
    """Where the chain ended at some time."""

    at: str
    """UTC, ISO 8601."""
    sequence: int
    hash: str
    """Hexadecimal."""
    key: PublicKey | None = None
    signature: bytes = b""
    """64 bytes; empty where nobody signed."""

    @property
    def message(self) -> bytes:
        """What is signed."""
        return f"analyte head {_SCHEMA}\n{self.sequence} {self.hash} {self.at}\n".encode()

    def is_signed_well(self) -> bool:
        """Whether the key that the line names signed it. Raises: UnavailableError without the library."""
        return self.key is not None and is_good(Signature(self.key, "", self.signature), self.message)

    def line(self) -> bytes:
        """Return the head as one line."""
        fields: dict[str, object] = {
            "schema_version": _SCHEMA,
            "at": self.at,
            "sequence": self.sequence,
            "hash": self.hash,
        }
        if self.key is not None:
            fields |= {"key": self.key.line(), "signature": base64.b64encode(self.signature).decode()}
        return json.dumps(fields).encode() + b"\n"


def heads_path(store: Path) -> Path:
    """Return the file of heads that belongs to a store."""
    return store.with_name(store.name + HEADS_SUFFIX)


def load_signer(key_file: Path) -> Signer:
    """Return what signs with a private key. Raises: InputError for the file; UnavailableError."""
    private = load_private_key(key_file)
    return lambda message: sign(message, private)


def make_head(at: str, sequence: int, hash_: bytes, signer: Signer | None) -> Head:
    """Return a head, signed where there is a signer."""
    head = Head(at, sequence, hash_.hex())
    if signer is None:
        return head
    signature = signer(head.message)
    return Head(at, sequence, head.hash, signature.key, signature.value)


def append_head(path: Path, head: Head) -> None:
    """Append a line and wait until it is on the disk. Raises: OutputError."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            size = os.fstat(descriptor).st_size
            # A power cut may have left half a line: it must not swallow this one.
            torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
            line = (b"\n" if torn else b"") + head.line()
            if os.write(descriptor, line) != len(line):
                raise OSError(28, os.strerror(28), str(path))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise from_os_error(error, path) from error


def parse_head(line: bytes) -> Head | None:
    """Return the head that a line holds, or None when it holds none.

    Raises: IntegrityError for one of a newer schema.
    """
    try:
        fields = json.loads(line) if len(line) <= _LONGEST_LINE else None
        if not isinstance(fields, dict):
            return None
        schema = fields.get("schema_version")
        if isinstance(schema, int) and schema > _SCHEMA:
            raise IntegrityError(
                "heads written by a newer analyte",
                expected=f"schema {_SCHEMA}",
                got=schema,
                fix="Update analyte",
            )
        at, sequence, digest = fields["at"], fields["sequence"], fields["hash"]
        sound = (
            isinstance(at, str)
            and isinstance(sequence, int)
            and sequence > 0
            and isinstance(digest, str)
            and re.fullmatch("[0-9a-f]{64}", digest) is not None
        )
        if not sound:
            return None
        if "signature" not in fields:
            return Head(at, sequence, digest)
        value = base64.b64decode(fields["signature"], validate=True)
        return Head(at, sequence, digest, parse_public_key(fields["key"]), value)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, InputError):
        return None


def read_heads(path: Path) -> Iterator[Head | None]:
    """Give every line of the file; None for one that cannot be read. Raises: OutputError."""
    try:
        with path.open("rb") as file:
            while line := file.readline(_LONGEST_LINE + 1):
                if line.strip():
                    yield parse_head(line)
    except OSError as error:
        raise from_os_error(error, path) from error


def last_head(path: Path, signer: Signer | None = None) -> Head | None:
    """Return the farthest head among the last lines of the file; None where there is none.

    ``signer``: only heads of this key, their signatures checked. Raises: OutputError.
    """
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
            found = [head for line in file.read().splitlines() if (head := parse_head(line)) is not None]
    except FileNotFoundError:
        return None
    except OSError as error:
        raise from_os_error(error, path) from error
    if signer is not None:
        key = signer(b"").key
        found = [head for head in found if head.key == key and head.is_signed_well()]
    return max(found, key=lambda head: head.sequence, default=None)
