"""What a source is, by its text, and that no credential of it is printed."""

from __future__ import annotations

import pytest

from analyte.contract.errors import CameraError
from analyte.runtime.sources.kinds import Kind, kind_of, printable


@pytest.mark.parametrize(
    ("text", "kind", "rest"),
    [
        ("0", Kind.INDEX, "0"),
        ("12", Kind.INDEX, "12"),
        ("٣", Kind.PATH, "٣"),
        ("rtsp://cam/1", Kind.STREAM, "rtsp://cam/1"),
        ("csi:1", Kind.CSI, "1"),
        (
            "gst:rtspsrc location=rtsp://cam ! decodebin",
            Kind.GSTREAMER,
            "rtspsrc location=rtsp://cam ! decodebin",
        ),
        ("sim:demo/pictures", Kind.SIMULATED, "demo/pictures"),
        ("watch:/srv/in", Kind.WATCH, "/srv/in"),
        ("/dev/video0", Kind.PATH, "/dev/video0"),
        ("simulated.mp4", Kind.PATH, "simulated.mp4"),
    ],
)
def test_kind(text: str, kind: Kind, rest: str) -> None:
    assert kind_of(text) == (kind, rest)


@pytest.mark.parametrize("text", ["csi:", "csi:x", "csi:-1", "gst: ", "sim:", "watch:"])
def test_prefix_alone_is_refused(text: str) -> None:
    with pytest.raises(CameraError, match=r"camera\.source: not complete"):
        kind_of(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("gst:rtspsrc user-pw=secret location=rtsp://me:secret@cam ! decodebin", "gst:rtspsrc"),
        ("rtsp://me:secret@cam/1", "rtsp://***@cam/1"),
        ("sim:demo", "sim:demo"),
    ],
)
def test_no_credential_is_printed(text: str, shown: str) -> None:
    assert printable(text) == shown
