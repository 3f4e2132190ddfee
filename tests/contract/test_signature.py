"""Signatures and public keys as text: one way to write each, and anything else is refused in one line."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from analyte.contract.errors import InputError, IntegrityError
from analyte.contract.signature import (
    PublicKey,
    Signature,
    is_public_key,
    parse_public_key,
    parse_signature,
)
from contract.datasets import assert_one_line

KEY = PublicKey(bytes(range(32)), "lab")
LINE = KEY.line()
SIGNATURE = Signature(PublicKey(KEY.raw), "0" * 64, bytes(range(64)))
DATA = SIGNATURE.to_bytes()


class TestKey:
    @pytest.mark.parametrize("text", [LINE, f"{LINE}\n", f"  {LINE}\r\n"])
    def test_comes_back(self, text: str) -> None:
        assert is_public_key(text)
        assert parse_public_key(text) == KEY

    def test_without_a_name(self) -> None:
        assert parse_public_key(PublicKey(KEY.raw).line()) == PublicKey(KEY.raw)

    @pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="no ssh-keygen")
    def test_openssh_agrees(self, tmp_path: Path) -> None:
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", tmp_path / "k"], check=True
        )
        text = (tmp_path / "k.pub").read_text("utf-8")
        shown = subprocess.run(
            ["ssh-keygen", "-lf", tmp_path / "k.pub"], check=True, capture_output=True, text=True
        )
        key = parse_public_key(text)
        assert f"{key.line()}\n" == text
        assert key.fingerprint == shown.stdout.split()[1]

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "lab.pub",
            "ssh-ed25519",
            "ssh-ed25519 ",
            LINE.replace("ssh-ed25519", "ssh-rsa", 1),
            LINE.replace("AAAA", "AAAB", 1),
            LINE.replace(" lab", " two words"),
            LINE.replace(" lab", " \x1b[2J"),
            LINE.replace(" lab", "= lab"),
            LINE[:40],
            f"{LINE}\n{LINE}",
            "ssh-ed25519 " + base64.b64encode(bytes(83)).decode(),
            "ssh-ed25519 µµµµ lab",
            LINE + "x" * 5000,
        ],
    )
    def test_refused(self, text: str) -> None:
        with pytest.raises(InputError) as caught:
            parse_public_key(text, where="k.pub")
        assert_one_line(caught.value, 3, "k.pub: not a public key", "bundle keygen")
        assert len(caught.value.line()) < 300

    @settings(max_examples=200)
    @given(st.text(max_size=120) | st.text("ssh-ed25519 AACx+/=", max_size=120).map("ssh-ed25519 ".__add__))
    @example(LINE)
    def test_any_text_is_a_key_or_one_line(self, text: str) -> None:
        key = problem = None
        try:
            key = parse_public_key(text)
        except InputError as error:
            problem = error
        if problem is not None:
            assert_one_line(problem, 3)
        assert key is None or key.line() == " ".join(text.split())


class TestSignature:
    def test_comes_back(self) -> None:
        assert parse_signature(DATA, where="s") == SIGNATURE
        assert json.loads(DATA)["key"] == KEY.fingerprint

    def test_every_byte_counts(self) -> None:
        for at in range(len(DATA)):
            for mask in (1, 2, 0x20, 0x80):
                flipped = DATA[:at] + bytes([DATA[at] ^ mask]) + DATA[at + 1 :]
                with pytest.raises(IntegrityError, match=r"the signature is damaged|newer analyte"):
                    parse_signature(flipped, where="s")

    @pytest.mark.parametrize(
        "data",
        [b"", b"{}", b"[]", b"null", b"{", b"\xff", b"[" * 100_000, DATA + b" ", DATA[:-1], DATA * 20],
        ids=range(10),
    )
    def test_damaged(self, data: bytes) -> None:
        with pytest.raises(IntegrityError) as caught:
            parse_signature(data, where="b/manifest.sig")
        assert_one_line(caught.value, 7, "b/manifest.sig: the signature is damaged")

    def test_newer(self) -> None:
        data = json.dumps(json.loads(DATA) | {"schema_version": 2}).encode()
        with pytest.raises(IntegrityError, match="written by a newer analyte"):
            parse_signature(data, where="s")

    @settings(max_examples=200)
    @given(
        st.dictionaries(
            st.sampled_from(sorted(json.loads(DATA))),
            st.none() | st.integers() | st.text(max_size=70) | st.lists(st.integers(), max_size=2),
            min_size=1,
        )
    )
    @example({"signature": base64.b64encode(bytes(63)).decode()})
    @example({"manifest_sha256": "0" * 63})
    @example({"algorithm": "none"})
    def test_other_fields_are_refused(self, change: dict[str, object]) -> None:
        fields = json.loads(DATA)
        data = (json.dumps(fields | change, indent=2) + "\n").encode()
        if data == DATA:
            return
        with pytest.raises(IntegrityError):
            parse_signature(data, where="s")
