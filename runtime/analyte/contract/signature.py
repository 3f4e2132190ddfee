"""The signature of a bundle, and the keys behind it, as text.

`analyte.runtime.signing` makes and checks them.

A public key is a line as OpenSSH writes it (RFC 4253, section 6.6; RFC 8709 for Ed25519), so that
``ssh-keygen -l`` shows the same fingerprint.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass

from analyte.contract.errors import InputError, IntegrityError

SIGNATURE_FILE = "manifest.sig"
SIGNATURE_SCHEMA = 1
KEY_TYPE = "ssh-ed25519"
KEY_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
"""What a key may be called."""

_ALGORITHM = "ed25519"
_BLOB_HEAD = b"\0\0\0\x0bssh-ed25519\0\0\0\x20"
_KEY_BYTES, _SIGNATURE_BYTES = 32, 64
_LONGEST = 4096
"""Longest key or signature file, characters."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """What a signature is checked with."""

    raw: bytes
    """32 bytes."""
    name: str = ""
    """Whose it is, as the text says; nothing proves it."""

    @property
    def fingerprint(self) -> str:
        """The key's id: ``SHA256:`` and 43 characters, as ``ssh-keygen -l`` shows it."""
        digest = hashlib.sha256(_BLOB_HEAD + self.raw).digest()
        return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")

    def line(self) -> str:
        """Return the key as one line of text, without a line feed."""
        return f"{KEY_TYPE} {base64.b64encode(_BLOB_HEAD + self.raw).decode()} {self.name}".rstrip()


def is_public_key(text: str) -> bool:
    """Whether a text means to be a key, and not the name of a file that holds one."""
    return text.lstrip().startswith(f"{KEY_TYPE} ")


def parse_public_key(text: str, *, where: object = None) -> PublicKey:
    """Return the key that a line of text states. Raises: InputError."""
    words = text.split() if len(text) <= _LONGEST else []
    try:
        blob = base64.b64decode(words[1], validate=True) if 2 <= len(words) <= 3 else b""
    except ValueError:
        blob = b""
    raw, name = blob[len(_BLOB_HEAD) :], words[2] if len(words) == 3 else ""
    key = PublicKey(raw, name)
    good = len(raw) == _KEY_BYTES and (not name or KEY_NAME.fullmatch(name) is not None)
    # Base64 can say the same bytes in several ways; only one of them is taken.
    if not good or " ".join(words) != key.line():
        raise InputError(
            "not a public key",
            where=where,
            expected=f"one line '{KEY_TYPE} BASE64 NAME'",
            got=repr(text if len(text) <= 60 else f"{text[:57]}..."),
            fix="'analyte bundle keygen' writes one as NAME.pub",
        )
    return key


@dataclass(frozen=True, slots=True)
class Signature:
    """An Ed25519 signature over the bytes of a manifest."""

    key: PublicKey
    """Of the one who signed; without a name. Whether to trust it is for the reader to know."""
    manifest_sha256: str
    """Of the manifest that was signed, hexadecimal: tells one that was left behind from a wrong one."""
    value: bytes
    """64 bytes."""

    def to_bytes(self) -> bytes:
        """Return the contents of ``manifest.sig``.

        They end in their own hash: damage is found where no library for signatures is installed, too.
        """
        fields: dict[str, object] = {
            "schema_version": SIGNATURE_SCHEMA,
            "algorithm": _ALGORITHM,
            "key": self.key.fingerprint,
            "public_key": self.key.line(),
            "manifest_sha256": self.manifest_sha256,
            "signature": base64.b64encode(self.value).decode(),
        }
        fields["sha256"] = hashlib.sha256(json.dumps(fields).encode()).hexdigest()
        return (json.dumps(fields, indent=2) + "\n").encode()


def parse_signature(data: bytes, *, where: object) -> Signature:
    """Return the signature that a file holds.

    Raises: IntegrityError for anything but what `Signature.to_bytes` gives.
    """
    cause: Exception | None = None
    try:
        fields = json.loads(data) if len(data) <= _LONGEST else None
        schema = fields.get("schema_version") if isinstance(fields, dict) else None
        if isinstance(schema, int) and schema > SIGNATURE_SCHEMA:
            raise IntegrityError(
                "written by a newer analyte",
                where=where,
                expected=f"schema {SIGNATURE_SCHEMA}",
                got=schema,
                fix="Update analyte on this machine",
            )
        found = _from_fields(fields)
        if found is not None and found.to_bytes() == data:
            return found
    except (ValueError, RecursionError, InputError) as error:
        cause = error
    raise IntegrityError("the signature is damaged", where=where, fix="Copy the bundle again") from cause


def _from_fields(fields: object) -> Signature | None:
    if not isinstance(fields, dict):
        return None
    key, digest, value = (fields.get(name) for name in ("public_key", "manifest_sha256", "signature"))
    if not isinstance(key, str) or not isinstance(digest, str) or not isinstance(value, str):
        return None
    raw = base64.b64decode(value, validate=True)
    if len(raw) != _SIGNATURE_BYTES or not re.fullmatch("[0-9a-f]{64}", digest):
        return None
    return Signature(parse_public_key(key), digest, raw)
