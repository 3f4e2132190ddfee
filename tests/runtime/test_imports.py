"""What a device has to install: nothing of the training framework is ever imported."""

from __future__ import annotations

import subprocess
import sys

import pytest

FORBIDDEN = (
    "tensorflow",
    "keras",
    "onnx",
    "tf2onnx",
    "matplotlib",
    "scipy",
    "sklearn",
    "colour",
    "tqdm",
    "cryptography",
    "pyarrow",
    "paho",
)
PROGRAM = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
print("\\n".join(sorted({m.partition(".")[0] for m in sys.modules})))
"""
COMMANDS = [
    f"analyte.runtime.commands.{name}"
    for name in (
        "benchmark",
        "bundle",
        "colour",
        "daemon",
        "device",
        "log",
        "qc",
        "quality",
        "read",
        "region",
        "selftest",
        "token",
    )
]
WORKERS = [
    "analyte.runtime.comparison_text",
    "analyte.runtime.control.bench",
    "analyte.runtime.control.trails",
    "analyte.runtime.benchmark",
    "analyte.runtime.benchmark_worker",
    "analyte.runtime.daemon",
    "analyte.runtime.log_export",
    "analyte.runtime.log_text",
    "analyte.runtime.publish.opening",
    "analyte.runtime.reader",
    "analyte.runtime.reading_formats",
    "analyte.runtime.selftest",
    "analyte.runtime.service.unit",
    "analyte.runtime.sinks",
    "analyte.runtime.sources.live",
    "analyte.runtime.sources.video",
    "analyte.runtime.trust",
    "analyte.runtime.engines.onnx",
    "analyte.runtime.engines.litert",
]


def imported(*modules: str) -> set[str]:
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, *modules], capture_output=True, text=True, check=True, timeout=60
    )
    return set(run.stdout.split())


@pytest.mark.parametrize("libraries", [(), ("onnxruntime",), ("ai_edge_litert.interpreter",)])
def test_no_training_framework(libraries: tuple[str, ...]) -> None:
    found = imported(*COMMANDS, *WORKERS, *libraries)
    assert "numpy" in found
    assert not found & set(FORBIDDEN)


def test_commands_alone_import_nothing_heavy() -> None:
    found = imported(*COMMANDS)
    assert not found & {"cv2", "numpy", "pydantic", "onnxruntime", "sqlite3"}
