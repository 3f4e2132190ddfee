"""Making keys and signatures, and checking them: Ed25519 (RFC 8032) by the library ``cryptography``.

The library is an extra. Where it is not installed, a bundle can be run as long as nobody demands a
signature.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from analyte.contract.archive import write_archive
from analyte.contract.bundle import Bundle, open_bundle
from analyte.contract.bundle_files import FolderFiles
from analyte.contract.errors import InputError, OutputError, SettingsError, UnavailableError
from analyte.contract.output import check_output
from analyte.contract.output_file import staged_file
from analyte.contract.signature import KEY_NAME, SIGNATURE_FILE, PublicKey, Signature, is_public_key
from analyte.runtime.private_files import refuse_open_mode

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_LONGEST_KEY_FILE = 16384
"""Bytes."""


class KeyPair(NamedTuple):
    """The files of a key pair that was just made."""

    private: Path
    public: Path
    key: PublicKey


def make_key(name: str, folder: Path, *, overwrite: bool = False) -> KeyPair:
    """Make a key pair: ``NAME.key``, for its owner alone (mode 0600), and ``NAME.pub``, for everyone.

    Both are in the formats of OpenSSH; the private key has no passphrase.
    Raises: SettingsError for a name that a key cannot have; OutputError; UnavailableError.
    """
    if not KEY_NAME.fullmatch(name):
        raise SettingsError("a key cannot have that name", expected=KEY_NAME.pattern, got=repr(name))
    _require_library()
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    files = folder / f"{name}.key", folder / f"{name}.pub"
    for file in files:
        check_output(file, overwrite=overwrite)
    private = Ed25519PrivateKey.generate()
    key = PublicKey(_public_bytes(private), name)
    secret = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    with staged_file(files[0], overwrite=overwrite, private=True) as output:
        output.write(secret)
    with staged_file(files[1], overwrite=overwrite) as output:
        output.write(f"{key.line()}\n".encode())
    return KeyPair(*files, key)


def load_private_key(path: Path) -> Ed25519PrivateKey:
    """Read a private key of `make_key` or ``ssh-keygen -t ed25519``, without a passphrase.

    Raises: InputError when it is no such key, or others than its owner may read it; UnavailableError.
    """
    _require_library()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(_LONGEST_KEY_FILE)
    except OSError as error:
        raise InputError("the key cannot be read", where=path, got=error.strerror) from error
    if is_public_key(data.decode("utf-8", "replace")):
        # Before its mode is looked at: everybody may read a public key.
        raise InputError(
            "this is the public key, and a bundle is signed with the private one",
            where=path,
            expected=_private_beside(path),
            fix="The private key stays with who signs; devices get the public one",
        )
    refuse_open_mode(path, mode, "private key", "make a new key if somebody may have read it")
    problem: object = "another kind of key"
    try:
        key = serialization.load_ssh_private_key(data, password=None)
        if isinstance(key, Ed25519PrivateKey):
            return key
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        problem = error
    raise InputError(
        "not a private key for signing",
        where=path,
        expected="an Ed25519 key of OpenSSH without a passphrase",
        got=problem,
        fix="'analyte bundle keygen' makes one",
    )


def _private_beside(public: Path) -> Path:
    """Return where the private key of a public one lies: ``NAME.key`` here, ``NAME`` of ``ssh-keygen``."""
    ours, of_openssh = public.with_suffix(".key"), public.with_suffix("")
    return of_openssh if of_openssh != public and of_openssh.is_file() and not ours.is_file() else ours


def sign(manifest: bytes, private: Ed25519PrivateKey) -> Signature:
    """Sign the bytes of a manifest, which holds the hashes of all other files."""
    digest = hashlib.sha256(manifest).hexdigest()
    return Signature(PublicKey(_public_bytes(private)), digest, private.sign(manifest))


def is_good(signature: Signature, manifest: bytes) -> bool:
    """Whether the signature's own key signed these bytes of a manifest. Raises: UnavailableError."""
    _require_library()
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(signature.key.raw).verify(signature.value, manifest)
    except (InvalidSignature, ValueError):
        return False
    return True


def sign_bundle(path: Path, key_file: Path, *, overwrite: bool = False) -> Signature:
    """Verify every file of a bundle, folder or packed, and put a signature over its manifest into it.

    Raises: OutputError where it is signed already and not to be signed over; InputError for the key;
    IntegrityError for a damaged bundle; UnavailableError.
    """
    private = load_private_key(key_file)
    bundle = open_bundle(path)
    if bundle.signature is not None and not overwrite:
        raise OutputError(
            "is signed already",
            where=path,
            got=bundle.signature.key.fingerprint,
            fix="Pass --overwrite to replace the signature",
        )
    bundle.verify()
    # The very bytes that were verified: the file may have been replaced since.
    signature = sign(bundle.manifest_bytes, private)
    _put(bundle, signature)
    return signature


def _put(bundle: Bundle, signature: Signature) -> None:
    """Write the signature into the folder, or pack the bundle anew with it. Raises: OutputError."""
    data = signature.to_bytes()
    if isinstance(bundle.files, FolderFiles):
        with staged_file(bundle.path / SIGNATURE_FILE, overwrite=True) as file:
            file.write(data)
        return

    def content(name: str) -> bytes:
        return data if name == SIGNATURE_FILE else bundle.files.read(name)

    with staged_file(bundle.path, overwrite=True) as file:
        write_archive({*bundle.files.names(), SIGNATURE_FILE}, content, file)


def _public_bytes(private: Ed25519PrivateKey) -> bytes:
    """Return the 32 bytes of the public key."""
    return private.public_key().public_bytes_raw()


def _require_library() -> None:
    """Import the library for signatures. Raises: UnavailableError, with what to install."""
    try:
        import cryptography.hazmat.primitives.asymmetric.ed25519  # noqa: F401 - whether it is there
    except ImportError as error:
        raise UnavailableError(
            "signatures need the library 'cryptography', which is not installed",
            got=error,
            fix="pip install 'analyte[sign]'",
        ) from error
