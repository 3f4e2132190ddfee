"""Editing ``[engine]``: the lines that are named, and not a character beside them."""

from __future__ import annotations

import pytest

from analyte.contract.errors import ProfileError
from analyte.runtime.device.editing import edit_engine

TEXT = """# head
[device]
name = "not this one"
[engine]  # what runs
# why onnx
name = "onnx"  # behind "it" # twice
provider_options.device_id = 0
artifacts = [
  "onnx",  # exact
  "on#nx-int8",
] # list
fallback = []

[storage]
threads = 9
"""


def test_only_the_named_lines_change() -> None:
    changed = edit_engine(TEXT, {"name": "litert", "artifacts": ("tflite",)}, where="p")
    assert changed == TEXT.replace('"onnx"  # behind', '"litert"  # behind').replace(
        '[\n  "onnx",  # exact\n  "on#nx-int8",\n] # list', '["tflite"] # list'
    )


def test_a_new_key_goes_behind_the_last_one_of_the_table() -> None:
    changed = edit_engine(TEXT, {"threads": 2}, where="p")
    assert changed == TEXT.replace("fallback = []\n", "fallback = []\nthreads = 2\n")


def test_a_key_is_taken_out_with_those_below_it() -> None:
    changed = edit_engine(TEXT, {"provider_options": None}, where="p")
    assert changed == TEXT.replace("provider_options.device_id = 0\n", "")


def test_no_change_changes_nothing() -> None:
    for text in (TEXT, TEXT.replace("\n", "\r\n"), TEXT.rstrip("\n")):
        assert edit_engine(text, {}, where="p") == text


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        ('engine = { name = "onnx" }\n', {"name": "litert"}),
        ('[engine]\nname = "onnx"\n[engine.provider_options]\na = 1\n', {"provider_options": None}),
    ],
)
def test_what_cannot_be_edited_is_refused(text: str, changes: dict[str, str | None]) -> None:
    with pytest.raises(ProfileError, match="cannot be edited"):
        edit_engine(text, changes, where="p")
