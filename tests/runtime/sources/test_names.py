"""Names of sources: no credential ever gets out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyte.contract.errors import ProfileError
from analyte.contract.redaction import redact
from analyte.runtime.sources.names import display_name

SECRET = "s3cret"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rtsp://cam.local/stream", "rtsp://cam.local/stream"),
        ("rtsp://admin:s3cret@cam.local:554/stream", "rtsp://***@cam.local:554/stream"),
        ("http://s3cret@cam/x", "http://***@cam/x"),
        ("http://cam/x?user=a&pwd=s3cret", "http://cam/x?***"),
        ("http://cam/x#s3cret", "http://cam/x?***"),
        ("rtsp://a:s3@cret@cam/x", "rtsp://***@cam/x"),
        ("rtsp://a:s3/s3cret@cam/x", "rtsp://***@cam/x"),
        ("cannot open rtsp://a:s3cret@cam/x at all", "cannot open rtsp://***@cam/x at all"),
        ("clip.avi", "clip.avi"),
        ("0", "0"),
    ],
)
def test_redact(text: str, shown: str) -> None:
    assert redact(text) == shown
    assert SECRET not in redact(text)


@given(before=st.text("abc:/@?#.-", max_size=5), after=st.text("abc:/@?#.-", max_size=5), query=st.booleans())
def test_no_secret_gets_out(before: str, after: str, query: bool) -> None:
    url = f"rtsp://user:{before}{SECRET}{after}@cam.local/stream"
    assert SECRET not in redact(url)
    if query:
        assert SECRET not in redact(f"http://cam/{before.replace('@', '')}?{after}{SECRET}")


def test_names_that_are_no_text_can_be_printed() -> None:
    path = Path(os.fsdecode(b"a\xff.png"))
    display_name(path).encode()
    assert display_name(Path("plain.png")) == "plain.png"


@pytest.mark.parametrize(
    "text",
    [
        "bob:s3cret@127.0.0.1:9/x",
        "rtsp:/bob:s3cret@127.0.0.1:9/x",
        "camera.soruce: unknown key, got 'http://bob:s3cret@h/'",
        "got ['rtsp://bob:s3cret@127.0.0.1:9/x?token=s3cret#f']",
    ],
)
def test_mistyped_addresses_hide_their_password_in_every_message(text: str) -> None:
    assert "s3cret" not in ProfileError("is wrong", where=text, got=text, fix=text).line()
    assert "s3cret" not in display_name(Path(text))
