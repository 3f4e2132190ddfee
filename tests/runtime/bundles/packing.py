"""Packed bundles for a shelf."""

from __future__ import annotations

from pathlib import Path

from analyte.contract.archive import write_archive
from analyte.contract.bundle import open_bundle
from runtime.tiny_bundles import File, edit_manifest, onnx_model, write_bundle


def packed(folder: Path, name: str = "tiny") -> Path:
    """Write a packed bundle; each ``name`` gives another id."""
    bundle = write_bundle(folder / f"{name}.analyte", [File("onnx", "onnx", onnx_model(1))])
    edit_manifest(bundle, name=name)
    opened = open_bundle(bundle)
    path = folder / f"{name}.analyte.zip"
    with path.open("wb") as file:
        write_archive(opened.files.names(), opened.files.read, file)
    return path
