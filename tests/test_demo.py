"""What the demo leaves for others to run."""

from __future__ import annotations

from pathlib import Path

from analyte.contract.profile import load_profile
from analyte.demo import INSTRUMENT


def test_the_simulated_instrument_is_a_sound_profile(tmp_path: Path) -> None:
    path = tmp_path / "instrument.toml"
    path.write_text(INSTRUMENT.format(x=1, y=2, w=3, h=4), "utf-8")
    profile = load_profile(path)
    assert profile.serve is not None
    assert profile.serve.loopback
    assert profile.camera.source == "sim:clip.avi"
