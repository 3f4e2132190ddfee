"""``analyte bundle``: show, verify, keygen, sign, pack, unpack."""

from __future__ import annotations

import io
import json
import shutil
import stat
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from analyte.contract import bundle as bundle_module
from analyte.contract.archive import write_archive
from analyte.contract.bundle import open_bundle, record_file
from analyte.contract.errors import IntegrityError
from analyte.contract.signature import Signature
from analyte.runtime.commands.bundle import command
from conftest import Invoke, Outcome
from runtime.conftest import Analyte
from runtime.tiny_bundles import File, edit_manifest, onnx_model, write_bundle, write_picture


def show(*arguments: str | Path) -> str:
    """Call ``analyte bundle show``, which writes bytes."""
    result = CliRunner().invoke(command, ["show", *map(str, arguments)])
    assert result.exit_code == 0, result
    return result.stdout


@pytest.fixture
def call(invoke: Invoke) -> Invoke:
    """Call ``analyte bundle``."""
    return lambda *arguments: invoke("bundle", *arguments)


@pytest.fixture
def folder(bundle: Path, tmp_path: Path) -> Path:
    """A bundle of one's own."""
    return Path(shutil.copytree(bundle, tmp_path / "b.analyte"))


@pytest.fixture
def key(call: Invoke, tmp_path: Path) -> Path:
    assert call("keygen", "lab", "-o", tmp_path / "keys").code == 0
    return tmp_path / "keys" / "lab.key"


def refused(outcome: Outcome, code: int, *parts: str) -> None:
    assert outcome.code == code, outcome
    assert len(outcome.stderr.splitlines()) == 1
    for part in parts:
        assert part in outcome.stderr


def report(outcome: Outcome) -> dict[str, Any]:
    return json.loads(outcome.stdout)


class TestShow:
    def test_for_people(self, call: Invoke, folder: Path, key: Path) -> None:
        text = show(folder)
        for part in ("dye in mg/L, 0 to 100", "95 % of true values", "unsigned", open_bundle(folder).id):
            assert part in text
        assert [line.split()[:3] for line in text.splitlines() if line.startswith("onnx")] == [
            ["onnx", "onnx", "float32"]
        ]
        call("sign", folder, "--key", key)
        assert "by SHA256:" in show(folder)

    def test_json_is_the_manifest(self, folder: Path) -> None:
        assert json.loads(show(folder, "--json")) == json.loads((folder / "manifest.json").read_bytes())

    def test_terminals_are_not_rewritten(self, folder: Path) -> None:
        edit_manifest(folder, name="a\x1b[2Jb\nc", label={"analyte": "\x07", "unit": "µ\r", "range": [0, 1]})
        text = show(folder)
        assert not set(text) & set("\x1b\x07\r")
        assert "a?[2Jb?c" in text

    def test_a_real_one(self, one_view_bundle: Path) -> None:
        text = show(one_view_bundle)
        manifest = open_bundle(one_view_bundle).manifest
        for artifact in manifest.artifacts:
            assert f"\n{artifact.name} " in text
        assert manifest.provenance.recipe in text
        assert manifest.provenance.dataset.sha256[:16] in text


class TestVerify:
    def test_unsigned(self, call: Invoke, folder: Path) -> None:
        outcome = call("verify", folder)
        assert outcome.code == 0
        assert "all 7 are whole" in outcome.stdout
        assert outcome.stdout.splitlines()[-1] == "signature  unsigned"

    def test_signed(self, call: Invoke, folder: Path, key: Path) -> None:
        call("sign", folder, "--key", key)
        public = key.with_suffix(".pub")
        shown = call("verify", folder).stdout.splitlines()[-1]
        assert shown.startswith("signature  signed by SHA256:")
        assert shown.endswith(", unknown key")
        for trust in (public, public.read_text("ascii")):
            last = call("verify", folder, "--trust", trust).stdout.splitlines()[-1]
            assert last.startswith("signature  signed by lab SHA256:")
            assert last.endswith(", trusted")

    def test_json(self, call: Invoke, folder: Path, key: Path) -> None:
        call("sign", folder, "--key", key)
        found = report(call("verify", folder, "--json", "--trust", key.with_suffix(".pub")))
        size = sum(file.stat().st_size for file in folder.iterdir())
        assert found == {
            "passed": True,
            "problem": None,
            "bundle": open_bundle(folder).id,
            "files": 8,
            "bytes": size,
            "signature": {
                "standing": "trusted",
                "key": found["signature"]["key"],
                "name": "lab",
            },
        }

    def test_demands(self, call: Invoke, folder: Path, key: Path, tmp_path: Path) -> None:
        public = key.with_suffix(".pub")
        refused(call("verify", folder, "--trust", public), 7, "not signed, and a signature is demanded")
        call("keygen", "other", "-o", tmp_path)
        call("sign", folder, "--key", tmp_path / "other.key")
        outcome = call("verify", folder, "--trust", public, "--json")
        refused(outcome, 7, "signed by a key that is not trusted")
        assert report(outcome)["passed"] is False
        assert "not trusted" in report(outcome)["problem"]
        assert call("verify", folder, "--trust", public, "--trust", tmp_path / "other.pub").code == 0

    def test_by_a_profile(self, call: Invoke, folder: Path, key: Path, profile: Path) -> None:
        assert call("verify", folder, "--device", profile).code == 0
        lines = f'[security]\nrequire_signature = true\ntrusted_keys = ["{key.with_suffix(".pub")}"]\n'
        profile.write_text(profile.read_text("utf-8") + lines, "utf-8")
        refused(call("verify", folder, "--device", profile), 7, "a signature is demanded")
        call("sign", folder, "--key", key)
        assert call("verify", folder, "--device", profile).stdout.rstrip().endswith(", trusted")

    def test_wrong_signature(self, call: Invoke, folder: Path, key: Path, tmp_path: Path) -> None:
        """Also where nothing is demanded: a signature that is wrong is never said to be there."""
        call("sign", folder, "--key", key)
        signature = open_bundle(folder).signature
        assert signature is not None
        wrong = Signature(signature.key, signature.manifest_sha256, bytes(64))
        (folder / "manifest.sig").write_bytes(wrong.to_bytes())
        refused(call("verify", folder), 7, "the signature is wrong")

    def test_damage(self, call: Invoke, folder: Path) -> None:
        (folder / "card.md").write_bytes(b"# tony\n")
        outcome = call("verify", folder, "--json")
        refused(outcome, 7, "card.md", "Copy the bundle again")
        assert report(outcome)["passed"] is False
        (folder / "card.md").write_bytes(b"# tiny\n")
        (folder / ".hidden").write_bytes(b"")
        refused(call("verify", folder), 7, ".hidden", "does not list")

    def test_no_bundle(self, call: Invoke, tmp_path: Path) -> None:
        refused(call("verify", tmp_path), 3, "not a bundle")
        refused(call("verify", tmp_path / "gone.zip"), 3, "gone.zip: no such file or folder")

    def test_no_key(self, call: Invoke, folder: Path, tmp_path: Path) -> None:
        refused(call("verify", folder, "--trust", tmp_path / "gone.pub"), 3, "gone.pub", "cannot be read")


class TestPack:
    def test_same_bytes_from_the_same_bundle(self, call: Invoke, folder: Path, tmp_path: Path) -> None:
        moved = tmp_path / "moved.analyte"
        moved.mkdir()
        for file in sorted(folder.iterdir(), reverse=True):
            (moved / file.name).write_bytes(file.read_bytes())
            (moved / file.name).chmod(0o600)
        assert call("pack", folder, "-o", tmp_path / "1.zip").code == 0
        assert call("pack", moved, "-o", tmp_path / "2.zip").code == 0
        assert call("pack", tmp_path / "1.zip", "-o", tmp_path / "3.zip").code == 0
        assert len({(tmp_path / f"{n}.zip").read_bytes() for n in (1, 2, 3)}) == 1

    def test_there_and_back(self, call: Invoke, folder: Path, key: Path, tmp_path: Path) -> None:
        call("sign", folder, "--key", key)
        call("pack", folder, "-o", tmp_path / "b.zip")
        outcome = call("unpack", tmp_path / "b.zip", "-o", tmp_path / "again.analyte")
        assert outcome.code == 0, outcome
        found = {file.name: file.read_bytes() for file in (tmp_path / "again.analyte").iterdir()}
        assert found == {file.name: file.read_bytes() for file in folder.iterdir()}
        assert {stat.S_IMODE(f.stat().st_mode) & 0o111 for f in (tmp_path / "again.analyte").iterdir()} == {0}

    def test_signed_in_place(self, call: Invoke, folder: Path, key: Path, tmp_path: Path) -> None:
        """Packed then signed is signed then packed."""
        call("pack", folder, "-o", tmp_path / "b.zip")
        assert call("sign", tmp_path / "b.zip", "--key", key).code == 0
        call("sign", folder, "--key", key)
        call("pack", folder, "-o", tmp_path / "c.zip")
        assert (tmp_path / "b.zip").read_bytes() == (tmp_path / "c.zip").read_bytes()
        refused(call("sign", tmp_path / "b.zip", "--key", key), 3, "is signed already")
        assert call("sign", tmp_path / "b.zip", "--key", key, "--overwrite").code == 0

    def test_nothing_is_overwritten_unasked(self, call: Invoke, folder: Path, tmp_path: Path) -> None:
        (tmp_path / "b.zip").write_bytes(b"old")
        refused(call("pack", folder, "-o", tmp_path / "b.zip"), 3, "exists already")
        assert (tmp_path / "b.zip").read_bytes() == b"old"
        assert call("pack", folder, "-o", tmp_path / "b.zip", "--overwrite").code == 0
        refused(call("unpack", tmp_path / "b.zip", "-o", folder), 3, "exists already")
        (tmp_path / "data").mkdir()
        (tmp_path / "data" / "labels.csv").write_bytes(b"")
        refused(call("unpack", tmp_path / "b.zip", "-o", tmp_path / "data", "--overwrite"), 3, "not the kind")
        assert call("unpack", tmp_path / "b.zip", "-o", folder, "--overwrite").code == 0

    @pytest.mark.parametrize("inside", ["x.zip", "deeper/x.zip", "manifest.json"])
    def test_not_into_itself(self, call: Invoke, folder: Path, tmp_path: Path, inside: str) -> None:
        (tmp_path / "link").symlink_to(folder)
        before = {file.name: file.read_bytes() for file in folder.iterdir()}
        for way in (folder, tmp_path / "link"):
            outcome = call("pack", folder, "-o", way / inside, "--overwrite")
            refused(outcome, 3, f"{way / inside}: lies in the bundle that is packed", f"outside {folder}")
        assert {file.name: file.read_bytes() for file in folder.iterdir()} == before

    @pytest.mark.parametrize("damage", ["card.md", ".hidden", "folder/"])
    def test_a_damaged_bundle_is_not_packed(
        self, call: Invoke, folder: Path, tmp_path: Path, damage: str
    ) -> None:
        if damage.endswith("/"):
            (folder / damage).mkdir()
        else:
            (folder / damage).write_bytes(b"other")
        refused(call("pack", folder, "-o", tmp_path / "b.zip"), 7, damage.rstrip("/"))
        assert not (tmp_path / "b.zip").exists()

    def test_devices_run_it_as_it_is(
        self, analyte: Analyte, call: Invoke, folder: Path, profile: Path, tmp_path: Path
    ) -> None:
        call("pack", folder, "-o", tmp_path / "b.zip")
        picture = write_picture(tmp_path / "p.png", (1, 2, 50))
        keys = ("value", "bundle", "artifact", "refused")
        by_folder, by_zip = (
            json.loads(analyte("read", subject, picture, "--json").stdout)[0]
            for subject in (folder, tmp_path / "b.zip")
        )
        assert {key: by_zip[key] for key in keys} == {key: by_folder[key] for key in keys}
        assert analyte("selftest", tmp_path / "b.zip").returncode == 0
        daemon = analyte("daemon", "--device", profile, "--bundle", tmp_path / "b.zip", "--source", picture)
        assert daemon.returncode == 0, daemon.stderr
        assert json.loads(daemon.stdout)["value"] == by_folder["value"]


class TestUnpack:
    def test_files_that_the_manifest_does_not_list(self, call: Invoke, folder: Path, tmp_path: Path) -> None:
        content = {file.name: file.read_bytes() for file in folder.iterdir()} | {"evil.sh": b"rm"}
        with (tmp_path / "b.zip").open("wb") as file:
            write_archive(content, content.__getitem__, file)
        refused(call("unpack", tmp_path / "b.zip", "-o", tmp_path / "out"), 7, "evil.sh", "does not list")
        assert not (tmp_path / "out").exists()

    @pytest.mark.parametrize("name", ["../evil", "/tmp/evil", "a/evil", "link"])
    def test_hostile(self, call: Invoke, folder: Path, tmp_path: Path, name: str) -> None:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            for path in sorted(folder.iterdir()):
                archive.write(path, path.name)
            info = zipfile.ZipInfo(name)
            info.external_attr = (stat.S_IFLNK | 0o777) << 16 if name == "link" else 0o100644 << 16
            archive.writestr(info, b"/etc/passwd")
        (tmp_path / "b.zip").write_bytes(file.getvalue())
        before = sorted(tmp_path.rglob("*"))
        refused(call("unpack", tmp_path / "b.zip", "-o", tmp_path / "out"), 7, "b.zip: has an entry")
        assert sorted(tmp_path.rglob("*")) == before

    def test_packed_by_another_program(self, call: Invoke, folder: Path, tmp_path: Path) -> None:
        shutil.make_archive(str(tmp_path / "b"), "zip", folder)
        outcome = call("unpack", tmp_path / "b.zip", "-o", tmp_path / "out")
        refused(outcome, 7, "a bundle is packed by 'analyte bundle pack', not by another program")

    def test_any_other_zip(self, call: Invoke, tmp_path: Path) -> None:
        with (tmp_path / "b.zip").open("wb") as file:
            write_archive(["a"], lambda name: b"", file)
        refused(call("unpack", tmp_path / "b.zip", "-o", tmp_path / "out"), 3, "not a bundle")


def test_golden_set_that_bursts(invoke: Invoke, tmp_path: Path) -> None:
    """Its hash is right, and its arrays claim more than any device has."""
    folder = write_bundle(tmp_path / "b.analyte", [File("onnx", "onnx", onnx_model(1))])
    arrays = dict(np.load(folder / "golden.npz"))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.save(member, array)
            data = member.getvalue()
            if name == "images":
                data = data.replace(b"(12, 1, 16, 16, 3)", b"(9999999999,16, 3)")
            archive.writestr(f"{name}.npy", data)
    (folder / "golden.npz").write_bytes(file.getvalue())
    edit_manifest(folder, golden=record_file(folder / "golden.npz").model_dump())
    refused(invoke("selftest", folder), 7, "golden.npz: damaged")


def test_keygen_says_what_is_secret(call: Invoke, tmp_path: Path) -> None:
    outcome = call("keygen", "lab", "-o", tmp_path)
    assert f"{tmp_path / 'lab.key'}: secret" in outcome.stdout
    assert "SHA256:" in outcome.stdout
    assert "PRIVATE KEY" not in outcome.stdout
    refused(call("keygen", "lab", "-o", tmp_path), 3, "exists already")
    refused(call("keygen", "a b", "-o", tmp_path), 2, "a key cannot have that name")


def test_golden_set_that_is_larger_than_it_looks(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Arrays are compressed: what they unpack to is bounded before they are."""
    opened = open_bundle(folder)
    with zipfile.ZipFile(folder / "golden.npz") as arrays:
        size = sum(info.file_size for info in arrays.infolist())
    monkeypatch.setattr(bundle_module, "MAX_BYTES", size)
    opened.golden_set()
    monkeypatch.setattr(bundle_module, "MAX_BYTES", size - 1)
    with pytest.raises(IntegrityError, match=f"{size} bytes of arrays, more than {size - 1}"):
        opened.golden_set()
