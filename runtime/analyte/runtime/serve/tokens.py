"""Tokens of people and programs: a file of salted scrypt hashes."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import os
import re
import secrets
import tempfile
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from analyte.contract.errors import InputError, IntegrityError, SettingsError
from analyte.contract.event import Role
from analyte.contract.output import from_os_error

_SCHEMA = 1
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_MAX_TOKEN = 200
_N, _R, _P = 2**14, 8, 1
"""Costs of scrypt (RFC 7914): 16 MiB."""


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """One token, without its secret."""

    name: str
    role: Role
    salt: str
    hash: str
    """scrypt of the secret; base64 as ``salt``."""
    expires: str | None
    """UTC, ISO 8601; None never."""

    def expired(self, now: datetime) -> bool:
        """Return whether it holds no more."""
        return self.expires is not None and datetime.fromisoformat(self.expires) <= now


def _hash(secret: str, salt: bytes) -> bytes:
    return hashlib.scrypt(secret.encode(), salt=salt, n=_N, r=_R, p=_P)


def _parse(data: object) -> TokenRecord:
    if not isinstance(data, dict):
        raise ValueError("not a table")
    record = TokenRecord(data["name"], Role(data["role"]), data["salt"], data["hash"], data["expires"])
    base64.b64decode(record.salt, validate=True)
    base64.b64decode(record.hash, validate=True)
    if not _NAME.fullmatch(record.name) or record.role is Role.DEVICE:
        raise ValueError("not a token of a person")
    if record.expires is not None and datetime.fromisoformat(record.expires).tzinfo is None:
        raise ValueError("expires has no zone")
    return record


class TokenFile:
    """The tokens of a device. Reads the file again when it changed; may be used by several threads."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def records(self) -> list[TokenRecord]:
        """Return all, expired ones included. Raises: InputError where there is no file, IntegrityError."""
        try:
            data = json.loads(self.path.read_bytes())
            if data["schema"] != _SCHEMA:
                raise ValueError(f"schema {data['schema']}")
            return [_parse(one) for one in data["tokens"]]
        except OSError as error:
            absent = isinstance(error, FileNotFoundError)
            raise InputError(
                f"the tokens cannot be read: {error.strerror or type(error).__name__}",
                where=self.path,
                fix="Make one: analyte token add" if absent else None,
            ) from error
        except (ValueError, KeyError, TypeError, RecursionError, binascii.Error) as error:
            raise IntegrityError("not a file of tokens", where=self.path, got=error) from error

    def add(self, name: str, role: Role, expires: datetime | None) -> str:
        """Keep a new token; return it: it is shown once. Raises: SettingsError, OutputError."""
        records = self.records() if self.path.exists() else []
        if not _NAME.fullmatch(name):
            raise SettingsError("not a name", expected="letters, digits, . _ -, at most 64", got=name)
        if any(record.name == name for record in records):
            raise SettingsError("there is a token of this name", got=name, fix="Remove it first")
        secret, salt = secrets.token_urlsafe(32), secrets.token_bytes(16)
        record = TokenRecord(
            name,
            role,
            base64.b64encode(salt).decode(),
            base64.b64encode(_hash(secret, salt)).decode(),
            None if expires is None else expires.astimezone(UTC).isoformat(timespec="seconds"),
        )
        self._write([*records, record])
        return f"{name}:{secret}"

    def remove(self, name: str) -> None:
        """Forget a token; who uses it is out at once. Raises: SettingsError where there is none."""
        records = self.records()
        kept = [record for record in records if record.name != name]
        if len(kept) == len(records):
            raise SettingsError("there is no such token", where=self.path, got=name)
        self._write(kept)

    def check(self, token: str, now: datetime) -> TokenRecord | None:
        """Return whose token this is, or None. Takes equally long for names that are not there."""
        name, _, secret = token[:_MAX_TOKEN].partition(":")
        found = next((record for record in self.records() if record.name == name), None)
        salt = bytes(16) if found is None else base64.b64decode(found.salt)
        expected = b"" if found is None else base64.b64decode(found.hash)
        good = hmac.compare_digest(_hash(secret, salt), expected)
        return found if found is not None and good and not found.expired(now) else None

    def _write(self, records: list[TokenRecord]) -> None:
        data = {"schema": _SCHEMA, "tokens": [asdict(record) for record in records]}
        try:
            # mkstemp makes it readable by this user only.
            number, staged = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")
            with os.fdopen(number, "w") as file:
                json.dump(data, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            Path(staged).replace(self.path)
        except OSError as error:
            raise from_os_error(error, self.path) from error
