"""Nothing of a bundle is used before it is whole, and signed where the profile demands it."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from analyte.contract.archive import write_archive
from analyte.contract.bundle import Bundle, open_bundle
from analyte.contract.errors import AnalyteError, InputError, IntegrityError, ProfileError
from analyte.contract.profile import load_profile
from analyte.contract.signature import PublicKey, Signature
from analyte.runtime.commands.read import command as read
from analyte.runtime.commands.selftest import command as selftest
from analyte.runtime.daemon import DaemonOptions, prepare
from analyte.runtime.signing import make_key, sign_bundle
from analyte.runtime.trust import open_for_use, read_keys
from contract.datasets import assert_one_line
from runtime.tiny_bundles import edit_manifest, write_picture, write_profile

TRIES = 1000
FILES = [
    "onnx.onnx",
    "golden.npz",
    "model.keras",
    "card.md",
    "report.html",
    "manifest.json",
    "manifest.sig",
    "manifest.sha256",
]


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two key pairs."""
    folder = tmp_path_factory.mktemp("keys")
    make_key("lab", folder)
    make_key("stranger", folder)
    return folder


def signed_copy(bundle: Path, folder: Path, key: Path | None) -> Path:
    copy = Path(shutil.copytree(bundle, folder / "b.analyte"))
    if key is not None:
        sign_bundle(copy, key)
    return copy


def packed_copy(bundle: Path, path: Path) -> Path:
    files = open_bundle(bundle).files
    with path.open("wb") as file:
        write_archive(files.names(), files.read, file)
    return path


@pytest.fixture
def signed(bundle: Path, keys: Path, tmp_path: Path) -> Path:
    """A bundle of its own, signed by the lab."""
    return signed_copy(bundle, tmp_path, keys / "lab.key")


def demanding(path: Path, *entries: str | Path) -> Path:
    """Write a profile that demands a signature by one of some keys."""
    write_profile(path)
    listed = ", ".join(f'"{entry}"' for entry in entries)
    lines = f"[security]\nrequire_signature = true\ntrusted_keys = [{listed}]\n"
    path.write_text(path.read_text("utf-8") + lines, "utf-8")
    return path


def detected(path: Path) -> bool:
    try:
        open_for_use(path)
    except IntegrityError:
        return True
    return False


class TestFlippedBytes:
    """The promise: a flip of any byte of any file is found before a reading is made."""

    def test_in_a_folder(self, signed: Path) -> None:
        generator = random.Random(4)
        open_for_use(signed)
        files = sorted(signed.iterdir())
        assert {"manifest.json", "manifest.sha256", "manifest.sig", "golden.npz"} <= {f.name for f in files}
        for _ in range(TRIES):
            file = generator.choice(files)
            data = file.read_bytes()
            at = generator.randrange(len(data))
            mask = generator.randrange(1, 256)
            file.write_bytes(data[:at] + bytes([data[at] ^ mask]) + data[at + 1 :])
            assert detected(signed), (file.name, at, mask)
            file.write_bytes(data)
        assert not detected(signed)

    def test_in_a_packed_file(self, signed: Path, tmp_path: Path) -> None:
        generator = random.Random(4)
        path = packed_copy(signed, tmp_path / "b.zip")
        data = path.read_bytes()
        open_for_use(path)
        for _ in range(TRIES):
            at, mask = generator.randrange(len(data)), generator.randrange(1, 256)
            path.write_bytes(data[:at] + bytes([data[at] ^ mask]) + data[at + 1 :])
            assert detected(path), (at, mask)

    @pytest.mark.parametrize("packed", [False, True])
    @pytest.mark.parametrize("name", FILES)
    def test_before_a_reading(
        self, signed: Path, tmp_path: Path, profile: Path, name: str, packed: bool
    ) -> None:
        """Also in files that no reading needs: a bundle is whole, or it is not used."""
        target, data = signed / name, (signed / name).read_bytes()
        if packed:
            target = packed_copy(signed, tmp_path / "b.zip")
            data = target.read_bytes().replace(data, data[:3] + bytes([data[3] ^ 4]) + data[4:])
            target.write_bytes(data)
            subject = target
        else:
            target.write_bytes(data[:3] + bytes([data[3] ^ 4]) + data[4:])
            subject = signed
        picture = write_picture(tmp_path / "p.png", (1, 2, 3))
        for command, arguments in ((read, [subject, picture]), (selftest, [subject])):
            result = CliRunner().invoke(command, [str(argument) for argument in arguments])
            assert isinstance(result.exception, IntegrityError)
            assert result.stdout == ""
        with pytest.raises(IntegrityError):
            prepare(DaemonOptions(profile, subject, source=str(picture)), print)

    @pytest.mark.parametrize("name", [".DS_Store", "notes.txt", ".manifest.json.swp", "old/"])
    def test_a_file_that_is_not_listed(self, signed: Path, name: str) -> None:
        if name.endswith("/"):
            (signed / name).mkdir()
        else:
            (signed / name).write_bytes(b"")
        with pytest.raises(IntegrityError, match="the bundle does not list this file") as caught:
            open_for_use(signed)
        assert_one_line(caught.value, 7, str(signed / name), "Remove it")

    def test_a_size_that_is_not_the_files(self, signed: Path) -> None:
        (signed / "manifest.sig").unlink()
        card = open_bundle(signed).manifest.card
        edit_manifest(signed, card=card.model_dump() | {"size_bytes": card.size_bytes + 1})
        with pytest.raises(IntegrityError, match=r"card\.md: the file is not the one that was exported"):
            open_for_use(signed)


def forge(bundle: Path) -> None:
    """Alter the manifest as somebody would who can write hashes, but has no key."""
    signature = open_bundle(bundle).signature
    assert signature is not None
    edit_manifest(bundle, name="forged")
    digest = "0" * 64
    forged = Signature(signature.key, digest, signature.value)
    (bundle / "manifest.sig").write_bytes(forged.to_bytes())


class TestProfiles:
    def opened(self, bundle: Path, profile: Path) -> Bundle:
        return open_for_use(bundle, load_profile(profile), where=profile)

    def refused(self, bundle: Path, profile: Path, kind: type[AnalyteError], code: int, *parts: str) -> None:
        with pytest.raises(kind) as caught:
            self.opened(bundle, profile)
        assert_one_line(caught.value, code, *parts)

    def test_default_demands_nothing(self, bundle: Path, profile: Path) -> None:
        assert self.opened(bundle, profile).signature is None

    @pytest.mark.parametrize("packed", [False, True])
    def test_trusted(self, signed: Path, keys: Path, tmp_path: Path, packed: bool) -> None:
        shutil.copy(keys / "lab.pub", tmp_path)
        text = (keys / "lab.pub").read_text("ascii").strip()
        subject = packed_copy(signed, tmp_path / "b.zip") if packed else signed
        for entry in ("lab.pub", keys / "lab.pub", text):
            self.opened(subject, demanding(tmp_path / "p.toml", keys / "stranger.pub", entry))

    def test_unsigned(self, bundle: Path, keys: Path, tmp_path: Path) -> None:
        profile = demanding(tmp_path / "p.toml", keys / "lab.pub")
        says = "not signed, and a signature is demanded; expected lab SHA256:"
        self.refused(bundle, profile, IntegrityError, 7, str(bundle), says)

    def test_unknown_key(self, bundle: Path, keys: Path, tmp_path: Path) -> None:
        other = signed_copy(bundle, tmp_path, keys / "stranger.key")
        profile = demanding(tmp_path / "p.toml", keys / "lab.pub")
        self.refused(other, profile, IntegrityError, 7, "signed by a key that is not trusted")

    def test_wrong_signature(self, signed: Path, keys: Path, tmp_path: Path) -> None:
        forge(signed)
        profile = demanding(tmp_path / "p.toml", keys / "lab.pub")
        self.refused(signed, profile, IntegrityError, 7, "the signature is wrong")

    def test_a_strangers_signature_under_the_labs_key(self, bundle: Path, keys: Path, tmp_path: Path) -> None:
        other = signed_copy(bundle, tmp_path, keys / "stranger.key")
        (lab,) = read_keys([str(keys / "lab.pub")], tmp_path)
        signature = open_bundle(other).signature
        assert signature is not None
        claimed = Signature(PublicKey(lab.raw), signature.manifest_sha256, signature.value)
        (other / "manifest.sig").write_bytes(claimed.to_bytes())
        profile = demanding(tmp_path / "p.toml", keys / "lab.pub")
        self.refused(other, profile, IntegrityError, 7, "the signature is wrong")

    def test_a_private_key_is_asked_for_as_its_public_one(self, keys: Path, tmp_path: Path) -> None:
        with pytest.raises(
            InputError, match=r"lab\.key: this is a private key, .*; expected lab\.pub\."
        ) as caught:
            read_keys([str(keys / "lab.key")], tmp_path)
        assert "b3BlbnNzaC1r" not in caught.value.line()

    def test_signature_comes_before_the_manifest(self, signed: Path, keys: Path, tmp_path: Path) -> None:
        (signed / "manifest.json").write_bytes(b"{ a bomb for the parser")
        profile = demanding(tmp_path / "p.toml", keys / "lab.pub")
        self.refused(signed, profile, IntegrityError, 7, "the signature is wrong")

    @pytest.mark.parametrize("text", ["gone.pub", "p.toml", ".", "ssh-ed25519 AAAA", "", "a\\u0000b"])
    def test_keys_that_are_none(self, signed: Path, tmp_path: Path, text: str) -> None:
        profile = demanding(tmp_path / "p.toml", text)
        self.refused(signed, profile, ProfileError, 3, "p.toml: security.trusted_keys: ")

    def test_key_file_that_is_not_there(self, signed: Path, tmp_path: Path) -> None:
        profile = demanding(tmp_path / "p.toml", "gone.pub")
        self.refused(
            signed,
            profile,
            ProfileError,
            3,
            f"{profile}: security.trusted_keys: the public key cannot be read; expected the text of a public "
            f"key, or the path of its file from the profile's folder; got {tmp_path / 'gone.pub'}: No such",
        )

    @pytest.mark.parametrize(
        ("section", "says"),
        [
            ("require_signature = true", "security: require_signature = true needs"),
            ('trusted_keys = ["lab.pub"]', "security: trusted_keys protect nothing"),
            ('require_signature = false\ntrusted_keys = ["lab.pub"]', "trusted_keys protect nothing"),
            ('require_signature = "yes"', "security.require_signature: "),
            ('require_signature = true\ntrusted_keys = "lab.pub"', "security.trusted_keys: "),
            (
                "require = true",
                "unknown key, expected require_signature, trusted_keys, device_key, got True",
            ),
        ],
    )
    def test_profiles_that_contradict_themselves(self, profile: Path, section: str, says: str) -> None:
        profile.write_text(f"{profile.read_text('utf-8')}[security]\n{section}\n", "utf-8")
        with pytest.raises(ProfileError) as caught:
            load_profile(profile)
        assert_one_line(caught.value, 3, says)


def by_read(bundle: Path, profile: Path, picture: Path) -> BaseException | None:
    arguments = [str(bundle), str(picture), "--device", str(profile)]
    return CliRunner().invoke(read, arguments).exception


def by_selftest(bundle: Path, profile: Path, picture: Path) -> BaseException | None:
    return CliRunner().invoke(selftest, [str(bundle), "--device", str(profile)]).exception


def by_daemon(bundle: Path, profile: Path, picture: Path) -> BaseException | None:
    try:
        prepare(DaemonOptions(profile, bundle, source=str(picture)), print).opened.close()
    except AnalyteError as error:
        return error
    return None


Way = Callable[[Path, Path, Path], BaseException | None]


@pytest.mark.parametrize("way", [by_read, by_selftest, by_daemon])
def test_whatever_uses_a_bundle_demands_it(
    way: Way, bundle: Path, signed: Path, keys: Path, tmp_path: Path
) -> None:
    picture = write_picture(tmp_path / "p.png", (1, 2, 3))
    profile = demanding(tmp_path / "p.toml", keys / "lab.pub")
    assert way(signed, profile, picture) is None
    assert way(packed_copy(signed, tmp_path / "b.zip"), profile, picture) is None
    assert isinstance(way(bundle, profile, picture), IntegrityError)
    stranger = demanding(tmp_path / "s.toml", keys / "stranger.pub")
    assert isinstance(way(signed, stranger, picture), IntegrityError)
