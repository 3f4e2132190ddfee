"""Device profiles: file, key, what was expected and what was got, in one line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from analyte.contract.errors import ProfileError
from analyte.contract.preprocessing import Box
from analyte.contract.profile import load_profile
from contract.datasets import assert_one_line

GOOD = """
schema_version = 1
[device]
id = "bench-1"
[camera]
source = "0"
max_age_s = 0.5
[measure]
interval_s = 1
[region.boxes]
sample = { x = 1, y = 2, w = 3, h = 4 }
[engine]
name = "onnx"
provider = "cpu"
threads = 2
artifacts = ["onnx-int8", "onnx"]
"""


def test_good(tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    profile = load_profile(path)
    assert profile.region.boxes == {"sample": Box(x=1, y=2, w=3, h=4)}
    assert profile.engine.artifacts == ("onnx-int8", "onnx")
    assert profile.engine.fallback == ()


def refused(path: Path, *parts: str) -> None:
    with pytest.raises(ProfileError) as caught:
        load_profile(path)
    assert_one_line(caught.value, 3, f"{path}: ", *parts)
    assert len(caught.value.line()) < 400 + len(str(path))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("schema_version = 1", "schema_version = 2", "schema_version: input should be 1, got 2"),
        (
            'source = "0"',
            'sorce = "0"',
            "camera.sorce: unknown key, expected source, width, height, max_age_s, stall_s, repeats, ",
        ),
        ("w = 3", "w = 3, q = 4", "region.boxes.sample.q: unknown key"),
        ('source = "0"', "source = 0", "camera.source: must be text in quotes, got 0"),
        ("[device]", "[devise]", "device: is required"),
        ('id = "bench-1"', 'id = "bench 1"', "device.id: "),
        ('id = "bench-1"', 'id = ""', "device.id: "),
        ('id = "bench-1"', f'id = "{"x" * 9000}"', "device.id: "),
        ("max_age_s = 0.5", "max_age_s = 0", "camera.max_age_s: input should be greater than 0, got 0"),
        ("max_age_s = 0.5", "max_age_s = inf", "camera.max_age_s: must be a finite number, got inf"),
        ("max_age_s = 0.5", "max_age_s = nan", "camera.max_age_s: "),
        ("max_age_s = 0.5", 'max_age_s = "soon"', "camera.max_age_s: must be a number, got 'soon'"),
        ("interval_s = 1", "interval_s = -1", "measure.interval_s: "),
        ("threads = 2", "threads = 0", "engine.threads: "),
        ("threads = 2", "threads = 2.5", "engine.threads: must be a whole number, got 2.5"),
        ("threads = 2", 'threads = "four"', "engine.threads: "),
        ('name = "onnx"', 'name = "torch"', "engine.name: input should be 'onnx' or 'litert', got 'torch'"),
        ('["onnx-int8", "onnx"]', "[]", "engine.artifacts: "),
        ('["onnx-int8", "onnx"]', '"onnx"', "engine.artifacts: "),
        ("w = 3", "w = 0", "region.boxes.sample.w: input should be greater than 0, got 0"),
        ("x = 1", "x = -1", "region.boxes.sample.x: "),
        ("x = 1", "x = 1.5", "region.boxes.sample.x: must be a whole number, got 1.5"),
        ("x = 1, ", "", "region.boxes.sample.x: is required"),
        ("{ x = 1, y = 2, w = 3, h = 4 }", "[1, 2, 3, 4]", "region.boxes.sample: must be a table of keys"),
    ],
)
def test_wrong_values(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert GOOD.count(old) == 1
    path = tmp_path / "p.toml"
    path.write_text(GOOD.replace(old, new), "utf-8")
    refused(path, says)


def test_section_that_is_a_value(tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    path.write_text("device = 5\nengine = []\n", "utf-8")
    refused(path, "device: must be a table of keys, got 5; engine: must be a table of keys, got []")


def test_all_problems_at_once(tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    path.write_text(
        GOOD.replace("threads = 2", "threads = 0").replace("[camera]", "[camera]\nx = 1"), "utf-8"
    )
    refused(path, "camera.x: unknown key, ", "; engine.threads: ")


@pytest.mark.parametrize("content", [b"device = [", b"a = 1\na = 2", b"a = " + b"[" * 5000, b"\0"])
def test_no_toml(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "p.toml"
    path.write_bytes(content)
    refused(path, "not valid TOML")


@pytest.mark.parametrize("content", ['id = "é"'.encode("latin-1"), 'id = "x"'.encode("utf-16")])
def test_another_encoding_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "p.toml"
    path.write_bytes(content)
    refused(path, "not UTF-8 text; got byte 0x", ". Save it as UTF-8")


def test_no_file(tmp_path: Path) -> None:
    refused(tmp_path / "p.toml", "No such file", "device_configs/")


def test_folder(tmp_path: Path) -> None:
    refused(tmp_path, "Is a directory")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    path.write_text(GOOD, "utf-8")
    path.chmod(0)
    refused(path, "Permission denied")


COVARIATES = '[measure.covariates]\ntemperature = 21.5\nlot = "B"\nbatch = 7\n'


def test_covariates(tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    path.write_text(GOOD.replace("[engine]", f"{COVARIATES}[engine]"), "utf-8")
    found = load_profile(path).measure.covariates
    assert found == {"temperature": 21.5, "lot": "B", "batch": 7}
    # A batch that is a whole number stays one: its name is 7, not 7.0.
    assert str(found["batch"]) == "7"


@pytest.mark.parametrize("value", ["nan", "inf", "true", "[1]", "2026-01-01"])
def test_covariates_are_numbers_or_names(tmp_path: Path, value: str) -> None:
    path = tmp_path / "p.toml"
    path.write_text(GOOD.replace("[engine]", f"[measure.covariates]\nt = {value}\n[engine]"), "utf-8")
    refused(path, "measure.covariates.t: must be a finite number or the name of a category")


LITERT = """
[device]
id = "bench-1"
[engine]
name = "litert"
provider = "edgetpu"
artifacts = ["tflite-int8-strict"]
delegate = { library = "libedgetpu.so.1", options = { device = "usb", verbose = 3, fast = true, x = 0.5 } }
"""


def test_delegate(tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    path.write_text(LITERT, "utf-8")
    delegate = load_profile(path).engine.delegate
    assert delegate is not None
    assert delegate.library == "libedgetpu.so.1"
    assert delegate.options == {"device": "usb", "verbose": 3, "fast": True, "x": 0.5}
    assert [type(value) for value in delegate.options.values()] == [str, int, bool, float]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('name = "litert"', 'name = "onnx"', "engine: delegate is for name 'litert'"),
        ('"edgetpu"', '"xnnpack"', "or 'delegate', got name 'litert' and provider 'xnnpack'"),
        ('library = "libedgetpu.so.1"', 'libary = "x"', "engine.delegate.libary: unknown key"),
        ('"libedgetpu.so.1"', '""', "engine.delegate.library: "),
        ('"libedgetpu.so.1"', '"./libedgetpu.so.1"', "engine.delegate: library must be a file name"),
        (
            '"usb"',
            "[0]",
            "engine.delegate.options.device: must be text, a finite number, true or false, got [0]",
        ),
        ("0.5", "nan", "engine.delegate.options.x: must be text, a finite number"),
        ("delegate =", "provider_options = { a = 1 }\ndelegate =", "provider_options are for name 'onnx'"),
        (
            "delegate =",
            'fallback = ["delegate"]\ndelegate =',
            "engine: fallback: 'delegate' would have no library",
        ),
    ],
)
def test_wrong_delegate(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert LITERT.count(old) == 1
    path = tmp_path / "p.toml"
    path.write_text(LITERT.replace(old, new), "utf-8")
    refused(path, says)


@pytest.mark.parametrize("line", ["", "delegate = {}", 'delegate = { options = { device = "usb" } }'])
def test_delegate_without_a_library(tmp_path: Path, line: str) -> None:
    path = tmp_path / "p.toml"
    path.write_text(
        GOOD.replace('"onnx"\nprovider = "cpu"', f'"litert"\nprovider = "delegate"\n{line}'), "utf-8"
    )
    refused(path, "engine: provider 'delegate' needs delegate = { library = \"...\" }, got none")


def test_provider_options(tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    line = 'provider = "tensorrt"\nprovider_options = { device_id = 0, trt_fp16_enable = true, p = "/var/c" }'
    path.write_text(GOOD.replace('provider = "cpu"', line), "utf-8")
    assert load_profile(path).engine.provider_options == {
        "device_id": 0,
        "trt_fp16_enable": True,
        "p": "/var/c",
    }


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('provider = "cpu"\nprovider_options = { a = 1 }', "got name 'onnx' and provider 'cpu'"),
        ('provider = "cuda"\nprovider_options = 5', "engine.provider_options: "),
        (
            'provider = "cuda"\nprovider_options = { a = inf }',
            "engine.provider_options.a: must be text, a finite",
        ),
    ],
)
def test_wrong_provider_options(tmp_path: Path, line: str, says: str) -> None:
    path = tmp_path / "p.toml"
    path.write_text(GOOD.replace('provider = "cpu"', line), "utf-8")
    refused(path, says)
