"""How rows are chained: each one's hash covers the row before, its own place, its kind and its content."""

from __future__ import annotations

import hashlib
import struct
from enum import StrEnum

HASH_BYTES = 32
GENESIS = bytes(HASH_BYTES)
"""Stands for the row before the first one."""

_DOMAIN = b"analyte chain 1\0"
_PLACE = struct.Struct(">Q")
_LENGTH = struct.Struct(">Q")


class Kind(StrEnum):
    """What a row of the chain holds."""

    READING = "reading"
    EVENT = "event"


_KINDS = {kind: _LENGTH.pack(len(kind)) + kind.encode() for kind in Kind}


def link(previous: bytes, sequence: int, kind: Kind, payload: bytes) -> bytes:
    """Return the hash of a row, 32 bytes: SHA-256 (FIPS 180-4).

    ``previous``: hash of the row before, 32 bytes. ``payload``: the row's JSON, UTF-8. Texts are preceded by
    their length, so that no two rows give the same bytes.
    """
    head = _DOMAIN + previous + _PLACE.pack(sequence) + _KINDS[kind] + _LENGTH.pack(len(payload))
    return hashlib.sha256(head + payload).digest()


class EventDigest:
    """One hash over the events that retention keeps while it deletes the readings between them."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.count = 0

    def add(self, sequence: int, hash_: bytes) -> None:
        """Take in the next event, in the order of the chain."""
        self._hash.update(_PLACE.pack(sequence) + hash_)
        self.count += 1

    def hexdigest(self) -> str:
        """Return the hash, hexadecimal."""
        return self._hash.hexdigest()
