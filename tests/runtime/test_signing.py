"""Keys and signatures: made, kept safe, and refused where they are not what they should be."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from hypothesis import given, settings
from hypothesis import strategies as st

from analyte.contract.bundle import Bundle, open_bundle
from analyte.contract.errors import (
    AnalyteError,
    InputError,
    IntegrityError,
    OutputError,
    SettingsError,
    UnavailableError,
)
from analyte.contract.signature import PublicKey, Signature, parse_public_key
from analyte.runtime.signing import is_good, load_private_key, make_key, sign, sign_bundle
from contract.datasets import assert_one_line
from runtime.tiny_bundles import File, edit_manifest, write_bundle


def refused(call: object, kind: type[AnalyteError], code: int, *parts: str) -> None:
    assert callable(call)
    with pytest.raises(kind) as caught:
        call()
    assert_one_line(caught.value, code, *parts)


class TestKeys:
    def test_made(self, tmp_path: Path) -> None:
        before = os.umask(0)
        try:
            pair = make_key("lab@bench-1", tmp_path / "keys")
        finally:
            os.umask(before)
        assert stat.S_IMODE(pair.private.stat().st_mode) == 0o600
        assert stat.S_IMODE(pair.public.stat().st_mode) == 0o666
        assert parse_public_key(pair.public.read_text("ascii")) == pair.key
        assert pair.key.name == "lab@bench-1"
        assert sign(b"m", load_private_key(pair.private)).key == PublicKey(pair.key.raw)
        assert make_key("other", tmp_path).key.raw != pair.key.raw

    @pytest.mark.parametrize("kept", ["lab.key", "lab.pub"])
    def test_never_overwritten_unasked(self, tmp_path: Path, kept: str) -> None:
        (tmp_path / kept).write_bytes(b"old")
        refused(lambda: make_key("lab", tmp_path), OutputError, 3, kept, "exists already", "--overwrite")
        assert [file.name for file in tmp_path.iterdir()] == [kept]
        make_key("lab", tmp_path, overwrite=True)
        assert (tmp_path / kept).read_bytes() != b"old"
        assert stat.S_IMODE((tmp_path / "lab.key").stat().st_mode) == 0o600

    @pytest.mark.parametrize("name", ["", ".lab", "../lab", "a b", "a/b", "µ", "x" * 65, "a\n"])
    def test_names_that_no_key_can_have(self, tmp_path: Path, name: str) -> None:
        refused(lambda: make_key(name, tmp_path), SettingsError, 2, "cannot have that name")

    @pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o644, 0o777])
    def test_a_key_that_others_may_read_is_not_used(self, tmp_path: Path, mode: int) -> None:
        key = make_key("lab", tmp_path).private
        key.chmod(mode)
        refused(
            lambda: load_private_key(key), InputError, 3, "others than its owner", f"{mode:04o}", "chmod 600"
        )
        key.chmod(0o400)
        load_private_key(key)

    @pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="no ssh-keygen")
    def test_keys_of_openssh(self, tmp_path: Path) -> None:
        for name, phrase in (("open", ""), ("locked", "secret")):
            arguments = ["ssh-keygen", "-q", "-t", "ed25519", "-N", phrase, "-f", tmp_path / name]
            subprocess.run(arguments, check=True)
        load_private_key(tmp_path / "open")
        refused(lambda: load_private_key(tmp_path / "locked"), InputError, 3, "without a passphrase")

    def test_the_public_key_given(self, tmp_path: Path) -> None:
        pair = make_key("lab", tmp_path)
        parts = (f"{pair.public}: this is the public key", f"expected {pair.private}. ")
        refused(lambda: load_private_key(pair.public), InputError, 3, *parts)
        (tmp_path / "id").write_bytes(b"")
        public = pair.public.rename(tmp_path / "id.pub")
        refused(lambda: load_private_key(public), InputError, 3, f"expected {tmp_path / 'id'}. ")

    @pytest.mark.parametrize("kind", ["missing", "folder", "public", "other", "empty", "cut", "binary"])
    def test_no_private_key(self, tmp_path: Path, kind: str) -> None:
        path, pair = tmp_path / "k", make_key("lab", tmp_path)
        data = pair.private.read_bytes()
        other = ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
        )
        contents = {"public": pair.public.read_bytes(), "other": other, "empty": b"", "cut": data[:200]}
        if kind == "folder":
            path.mkdir()
        elif kind != "missing":
            path.write_bytes(contents.get(kind, b"\xff\0" * 5000))
            path.chmod(0o600)
        refused(lambda: load_private_key(path), InputError, 3, f"{path}: ")


@settings(max_examples=60)
@given(data=st.binary(max_size=120) | st.text(max_size=80).map(str.encode), framed=st.booleans())
def test_any_other_file_is_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, framed: bool
) -> None:
    path = tmp_path_factory.mktemp("k") / "k"
    head, tail = b"-----BEGIN OPENSSH PRIVATE KEY-----\n", b"\n-----END OPENSSH PRIVATE KEY-----\n"
    path.write_bytes(head + data + tail if framed else data)
    path.chmod(0o600)
    with pytest.raises(InputError) as caught:
        load_private_key(path)
    assert len(caught.value.line().splitlines()) == 1


class TestSignatures:
    def test_good_and_bad(self, tmp_path: Path) -> None:
        private = load_private_key(make_key("lab", tmp_path).private)
        found = sign(b"manifest", private)
        assert found.manifest_sha256 == hashlib.sha256(b"manifest").hexdigest()
        assert is_good(found, b"manifest")
        assert not is_good(found, b"Manifest")
        other = sign(b"manifest", ed25519.Ed25519PrivateKey.generate())
        assert not is_good(Signature(found.key, found.manifest_sha256, other.value), b"manifest")
        assert not is_good(Signature(other.key, found.manifest_sha256, found.value), b"manifest")
        no_point = PublicKey(b"\xff" * 32)
        assert not is_good(Signature(no_point, found.manifest_sha256, found.value), b"manifest")

    def test_one_of_rfc_8032(self) -> None:
        """Section 7.1, test 2."""
        seed = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"
        private = ed25519.Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed))
        found = sign(b"\x72", private)
        assert found.key.raw.hex() == "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
        start = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        assert found.value.hex().startswith(start)


class TestBundles:
    @pytest.fixture
    def key(self, tmp_path: Path) -> Path:
        return make_key("lab", tmp_path).private

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        return write_bundle(tmp_path / "b.analyte", [File("onnx", "onnx", b"model")])

    def test_signed(self, folder: Path, key: Path) -> None:
        before = open_bundle(folder).id
        signature = sign_bundle(folder, key)
        bundle = open_bundle(folder)
        bundle.verify()
        assert bundle.signature == signature
        assert bundle.id == before
        assert is_good(signature, (folder / "manifest.json").read_bytes())

    def test_signed_over_only_when_asked(self, folder: Path, key: Path, tmp_path: Path) -> None:
        sign_bundle(folder, key)
        other = make_key("other", tmp_path)
        refused(lambda: sign_bundle(folder, other.private), OutputError, 3, "is signed already")
        assert sign_bundle(folder, other.private, overwrite=True).key.raw == other.key.raw

    def test_damage_is_not_signed(self, folder: Path, key: Path) -> None:
        (folder / "card.md").write_bytes(b"# tony\n")
        refused(lambda: sign_bundle(folder, key), IntegrityError, 7, "card.md")
        assert not (folder / "manifest.sig").exists()

    def test_what_was_verified_is_signed(
        self, folder: Path, key: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Also where somebody replaces the manifest just then: it is refused, and not signed."""
        verified = (folder / "manifest.json").read_bytes()
        verify = Bundle.verify

        def verify_and_replace(bundle: Bundle) -> None:
            verify(bundle)
            edit_manifest(folder, name="other")

        monkeypatch.setattr(Bundle, "verify", verify_and_replace)
        signature = sign_bundle(folder, key)
        assert signature.manifest_sha256 == hashlib.sha256(verified).hexdigest()
        assert is_good(signature, verified)
        refused(lambda: open_bundle(folder), IntegrityError, 7, "the signature is of another manifest")

    def test_left_behind(self, folder: Path, key: Path, tmp_path: Path) -> None:
        sign_bundle(folder, key)
        other = write_bundle(tmp_path / "o.analyte", [File("tflite", "litert", b"model")])
        shutil.copy(folder / "manifest.sig", other)
        refused(lambda: open_bundle(other), IntegrityError, 7, "the signature is of another manifest")


PROGRAM = """
import sys
sys.modules["cryptography"] = None
from analyte.cli import main
main()
"""


class TestWithoutTheLibrary:
    def run(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", PROGRAM, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    def test_says_what_to_install(self, tmp_path: Path) -> None:
        done = self.run("bundle", "keygen", "lab", "-o", tmp_path)
        assert done.returncode == UnavailableError.exit_code
        assert "'cryptography', which is not installed" in done.stderr
        assert "pip install 'analyte[sign]'" in done.stderr
        assert not list(tmp_path.iterdir())

    def test_unsigned_and_signed(self, tmp_path: Path) -> None:
        folder = write_bundle(tmp_path / "b.analyte", [File("onnx", "onnx", b"model")])
        assert self.run("bundle", "verify", folder).stdout.splitlines()[2] == "signature  unsigned"
        sign_bundle(folder, make_key("lab", tmp_path).private)
        assert self.run("bundle", "show", folder).returncode == 0
        assert self.run("bundle", "verify", folder).returncode == 5
