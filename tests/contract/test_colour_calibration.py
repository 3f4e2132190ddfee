"""The colour calibration file: written and read back whole, or refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from analyte.contract.colour_calibration import (
    ChartFit,
    ColourCalibration,
    Maps,
    Residual,
    WhitePatch,
    load_calibration,
    save_calibration,
)
from analyte.contract.errors import InputError, IntegrityError, OutputError
from analyte.contract.preprocessing import Box

WHITE = WhitePatch(box=Box(x=1, y=2, w=30, h=40), light=(0.5, 0.4, 0.3))


def sample() -> ColourCalibration:
    return ColourCalibration(created_at=datetime(2026, 3, 1, tzinfo=UTC), valid_days=30, white=WHITE)


def maps() -> Maps:
    field = np.linspace(0.5, 1.5, 4 * 5 * 3, dtype=np.float32).reshape(4, 5, 3)
    return Maps(0.01 * field, field)


def test_there_and_back(tmp_path: Path) -> None:
    given = maps()
    written = save_calibration(tmp_path / "c.json", sample(), given)
    read, back = load_calibration(tmp_path / "c.json")
    assert read == written
    assert read.white == WHITE
    assert read.fields is not None
    assert (read.fields.width, read.fields.height, read.fields.dark, read.fields.flat) == (
        5,
        4,
        True,
        True,
    )
    for one, other in ((given.dark, back.dark), (given.gain, back.gain)):
        assert one is not None
        assert other is not None
        np.testing.assert_array_equal(one, other)
    with pytest.raises(OutputError, match="exists already"):
        save_calibration(tmp_path / "c.json", sample())


def test_expiry() -> None:
    made = sample()
    assert made.age_days(made.created_at + timedelta(days=3)) == pytest.approx(3.0)
    assert made.expires_at == made.created_at + timedelta(days=30)


def altered(path: Path) -> None:
    content = json.loads(path.read_text())
    content["white"]["light"][0] = 0.9
    path.write_text(json.dumps(content))


def altered_beyond_sense(path: Path) -> None:
    content = json.loads(path.read_text())
    content["white"]["light"][0] = -0.9
    path.write_text(json.dumps(content))


def no_hash(path: Path) -> None:
    content = json.loads(path.read_text())
    del content["sha256"]
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("damage", "error", "match"),
    [
        (altered, IntegrityError, "altered"),
        (altered_beyond_sense, IntegrityError, "altered"),
        (no_hash, IntegrityError, "altered"),
        (lambda path: path.write_text("{"), InputError, "not valid JSON"),
        (lambda path: path.write_text('{"kind": "other"}'), InputError, "not a colour calibration"),
        (lambda path: path.unlink(), InputError, "No such file"),
        (lambda path: path.with_suffix(".npz").unlink(), InputError, r"c\.npz: No such file"),
        (lambda path: path.with_suffix(".npz").write_bytes(b"PK"), IntegrityError, "damaged"),
    ],
)
def test_damage_is_refused(tmp_path: Path, damage: object, error: type[Exception], match: str) -> None:
    path = tmp_path / "c.json"
    save_calibration(path, sample(), maps())
    assert callable(damage)
    damage(path)
    with pytest.raises(error, match=match):
        load_calibration(path)


def test_impossible_calibrations() -> None:
    with pytest.raises(ValidationError, match="needs one of chart, white and fields"):
        ColourCalibration(created_at=datetime.now(UTC), valid_days=30)
    with pytest.raises(ValidationError, match="timezone"):
        ColourCalibration(created_at=datetime(2026, 3, 1), valid_days=30, white=WHITE)
    zero = Residual(mean=0, max=0)
    with pytest.raises(ValidationError, match="must have 4 columns"):
        ChartFit(
            chart="classic",
            corners=((0, 0), (1, 0), (1, 1), (0, 1)),
            fixed=True,
            model="affine",
            matrix=((1, 0, 0), (0, 1, 0), (0, 0, 1)),
            patches=((0.1, 0.1, 0.1),) * 24,
            clipped=(False,) * 24,
            before=zero,
            after=zero,
            left_out=zero,
        )
