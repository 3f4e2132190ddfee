"""Whose bundles may be used: the trust list of a profile or a command line, and opening by it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from analyte.contract.bundle import Bundle, open_bundle
from analyte.contract.errors import InputError, IntegrityError, ProfileError
from analyte.contract.profile import DeviceProfile
from analyte.contract.signature import SIGNATURE_FILE, PublicKey, Signature, is_public_key, parse_public_key
from analyte.runtime.signing import is_good

_LONGEST_KEY_FILE = 4096
"""Bytes."""

Standing = Literal["trusted", "unknown key", "unsigned"]
"""Signed by a key of the trust list; signed well, but by another key; not signed."""


@dataclass(frozen=True, slots=True)
class SignatureCheck:
    """What was found out about a signature; one that is wrong raises instead."""

    standing: Standing
    key: PublicKey | None
    """Who signed; with the name that the trust list gives the key. None where nobody did."""

    def __str__(self) -> str:
        if self.key is None:
            return "unsigned"
        name = f"{self.key.name} " if self.key.name else ""
        return f"signed by {name}{self.key.fingerprint}, {self.standing}"


def read_keys(entries: Sequence[str], folder: Path) -> list[PublicKey]:
    """Return public keys given as text, or as files whose paths are relative to ``folder``.

    Raises: InputError naming the entry that is no key.
    """
    keys: list[PublicKey] = []
    for entry in entries:
        if is_public_key(entry):
            keys.append(parse_public_key(entry))
            continue
        path = folder / entry
        try:
            with path.open("rb") as file:
                text = file.read(_LONGEST_KEY_FILE + 1).decode("utf-8", "replace")
        except (OSError, ValueError) as error:
            said = error.strerror if isinstance(error, OSError) else error
            raise InputError("the public key cannot be read", where=path, got=said) from error
        if "PRIVATE KEY-----" in text:
            raise InputError(
                "this is a private key, and signatures are checked with the public one",
                where=path,
                expected=f"{path.stem}.pub",
                fix="The private key stays with who signs",
            )
        keys.append(parse_public_key(text, where=path))
    return keys


def trusted_by(profile: DeviceProfile, where: Path) -> list[PublicKey]:
    """Return the keys that a profile trusts; ``where`` is its file. Raises: ProfileError."""
    try:
        return read_keys(profile.security.trusted_keys, where.parent)
    except InputError as error:
        raise ProfileError(
            f"security.trusted_keys: {error.what}",
            where=where,
            expected=error.expected
            or "the text of a public key, or the path of its file from the profile's folder",
            got=f"{error.where}: {error.got}" if error.where else error.got,
            fix=error.fix,
        ) from error


def check_signature(
    manifest: bytes, signature: Signature | None, trusted: Sequence[PublicKey], where: Path
) -> SignatureCheck:
    """Check a signature, where there is one, over the bytes of a manifest. ``where``: the bundle.

    Raises: IntegrityError when the key that it names did not sign this manifest; UnavailableError.
    """
    if signature is None:
        return SignatureCheck("unsigned", None)
    if not is_good(signature, manifest):
        raise IntegrityError(
            "the signature is wrong: its key did not sign this manifest",
            where=where / SIGNATURE_FILE,
            got=signature.key.fingerprint,
            fix="Do not use this bundle; get it anew from who exported it",
        )
    for key in trusted:
        if key.raw == signature.key.raw:
            return SignatureCheck("trusted", key)
    return SignatureCheck("unknown key", signature.key)


def demand_trusted(
    manifest: bytes, signature: Signature | None, trusted: Sequence[PublicKey], where: Path
) -> SignatureCheck:
    """Check a signature and refuse any but one by a trusted key.

    Raises: IntegrityError when it is missing, wrong or by an unknown key; UnavailableError.
    """
    found = check_signature(manifest, signature, trusted, where)
    if found.standing == "trusted":
        return found
    raise IntegrityError(
        "the bundle is not signed, and a signature is demanded"
        if found.standing == "unsigned"
        else "the bundle is signed by a key that is not trusted",
        where=where,
        expected=" or ".join(f"{key.name} {key.fingerprint}".strip() for key in trusted),
        got=found,
        fix="Sign it with a trusted key (analyte bundle sign), or add the key to security.trusted_keys",
    )


def open_for_use(path: Path, profile: DeviceProfile | None = None, *, where: Path | None = None) -> Bundle:
    """Open a bundle to measure with it: by the profile's demands, and with every file verified.

    ``where``: the file of the profile. Nothing of the bundle is used before its signature is found good,
    where the profile demands one. Raises: InputError, IntegrityError, ProfileError for its keys,
    UnavailableError where a signature is demanded and the library for it is not installed.
    """
    if profile is None or not profile.security.require_signature:
        bundle = open_bundle(path)
    else:
        trusted = trusted_by(profile, where or Path())

        def authorize(manifest: bytes, signature: Signature | None) -> None:
            demand_trusted(manifest, signature, trusted, path)

        bundle = open_bundle(path, authorize=authorize)
    bundle.verify()
    return bundle


def examine_signature(bundle: Bundle, trusted: Sequence[PublicKey], *, demanded: bool) -> SignatureCheck:
    """Return how an opened bundle is signed.

    Raises: as `demand_trusted` where a trusted key is ``demanded``, else as `check_signature`.
    """
    check = demand_trusted if demanded else check_signature
    return check(bundle.manifest_bytes, bundle.signature, trusted, bundle.path)
