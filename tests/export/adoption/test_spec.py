"""What the owner of a model states of it: taken as written, or refused with the key."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyte.contract.errors import InputError
from analyte.export.adoption.spec import load_spec

_LEAST = 'unit = "mL"\nunseen = "val"\n[input]\nblack = 0\nwhite = 255\n'


def written(folder: Path, text: str) -> Path:
    file = folder / "spec.toml"
    file.write_text(text)
    return file


def test_the_least_that_must_be_said(tmp_path: Path) -> None:
    spec = load_spec(written(tmp_path, _LEAST))
    assert (spec.unit, spec.unseen, spec.features) == ("mL", "val", None)
    assert (spec.input.black, spec.input.white) == ((0.0, 0.0, 0.0), (255.0, 255.0, 255.0))
    assert (spec.output.scale, spec.output.offset) == (1.0, 0.0)


def test_one_number_per_channel(tmp_path: Path) -> None:
    text = _LEAST.replace("black = 0", "black = [-2.1, -2.0, -1.8]")
    assert load_spec(written(tmp_path, text)).input.black == (-2.1, -2.0, -1.8)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (_LEAST.replace('unit = "mL"\n', ""), "unit: is required"),
        (_LEAST.replace('unseen = "val"\n', ""), "unseen: is required"),
        (_LEAST.replace("black = 0\n", ""), "input.black: is required"),
        (_LEAST.replace("white = 255", "white = 0"), "black and white must differ"),
        (
            _LEAST.replace("white = 255", "white = [1, 1]"),
            "input.white: must be a number, or one for each channel",
        ),
        (_LEAST.replace("white = 255", "white = true"), "input.white"),
        (_LEAST.replace("white = 255", "white = inf"), "finite"),
        (_LEAST + "channels = 'grb'\n", "input.channels"),
        (_LEAST + "mean = 3\n", "input.mean: unknown key, expected black, white"),
        (_LEAST + "[output]\nscale = 0\n", "scale must not be 0"),
        (_LEAST.replace('"val"', '"test"'), "unseen"),
        ("unit = ", "not valid TOML"),
    ],
)
def test_refusals_name_the_key(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError, match=r"spec\.toml") as refused:
        load_spec(written(tmp_path, text))
    assert said in refused.value.line()


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        load_spec(tmp_path / "nothing.toml")


@given(st.binary(max_size=200))
def test_any_bytes_are_a_specification_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    file = tmp_path_factory.mktemp("fuzz") / "spec.toml"
    file.write_bytes(data)
    with pytest.raises(InputError):
        load_spec(file)
