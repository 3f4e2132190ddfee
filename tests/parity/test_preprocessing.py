"""The network is trained on exactly the pixels that the device shows it: bit for bit, from the file on."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pytest

from analyte.contract.arrays import Float32Array, UInt8Array
from analyte.contract.bundle import Bundle, open_bundle
from analyte.contract.dataset import Dataset
from analyte.contract.labels_file import load_dataset
from analyte.contract.pictures import load_pictures
from analyte.contract.preprocessing import Box
from analyte.contract.run import load_record, load_samples
from analyte.runtime.engines.protocol import Engine, EngineInfo, GraphShape, Prediction
from analyte.runtime.engines.registry import open_engine
from analyte.runtime.measuring import MeasureSettings
from analyte.runtime.pipeline import Pipeline
from analyte.runtime.regions.fixed import FixedRegions
from analyte.runtime.sources.folder import read_frame
from analyte.runtime.sources.protocol import Frame
from runtime.tiny_bundles import edit_manifest


@dataclass
class Listener:
    """An engine that keeps a copy of what it is shown."""

    engine: Engine
    seen: list[UInt8Array] = field(default_factory=list)

    @property
    def info(self) -> EngineInfo:
        return self.engine.info

    @property
    def shape(self) -> GraphShape:
        return self.engine.shape

    def run(self, images: UInt8Array, covariates: Float32Array | None = None) -> Prediction:
        self.seen.append(images.copy())
        return self.engine.run(images, covariates)

    def close(self) -> None:
        self.engine.close()


def listen(bundle: Bundle, settings: MeasureSettings) -> tuple[Pipeline, Listener]:
    artifact = bundle.manifest.artifacts[0]
    listener = Listener(open_engine(bundle.read(artifact), artifact.engine))
    return Pipeline(bundle, artifact, listener, settings), listener


def frame(path: Path, index: int = 0) -> Frame:
    shot = read_frame(path, index)
    assert isinstance(shot, Frame)
    return shot


def as_trained(dataset: Dataset, bundle: Bundle) -> UInt8Array:
    return load_pictures(dataset.samples, bundle.manifest.preprocessing, where=dataset.root)


def check_same(pipeline: Pipeline, listener: Listener, dataset: Dataset, bundle: Bundle) -> None:
    for trained, sample in zip(as_trained(dataset, bundle), dataset.samples, strict=True):
        files = list(dict.fromkeys(view.path for view in sample.views))
        shots = [frame(path, index) for index, path in enumerate(files)]
        reading = pipeline.measure(shots[0] if len(shots) == 1 else shots)
        assert reading.frame_sha256 == hashlib.sha256(trained.tobytes()).hexdigest()
        np.testing.assert_array_equal(listener.seen[-1], trained[np.newaxis])


@pytest.mark.parametrize("views", [1, 2])
def test_files(views: int, request: pytest.FixtureRequest) -> None:
    word = {1: "one", 2: "two"}[views]
    dataset = load_dataset(request.getfixturevalue(f"{word}_view_study"))
    bundle = open_bundle(request.getfixturevalue(f"{word}_view_bundle"))
    pipeline, listener = listen(bundle, MeasureSettings("bench"))
    check_same(pipeline, listener, Dataset(dataset.root, dataset.spec, dataset.samples[:12]), bundle)


def test_run_keeps_what_the_device_sees(one_view_run: Path, one_view_study: Path) -> None:
    """The pictures that calibrate and judge are those of the files too."""
    record, samples = load_record(one_view_run), load_samples(one_view_run)
    dataset = load_dataset(one_view_study)
    val = [sample for sample in dataset.samples if record.splits[sample.id] == "val"]
    images = load_pictures(val, record.preprocessing, where=dataset.root)
    np.testing.assert_array_equal(samples.val_images, images)
    assert samples.val_values.tolist() == [sample.value for sample in val]


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tiff", ".webp"])
def test_kinds_of_files(suffix: str, one_view_bundle: Path, tmp_path: Path) -> None:
    """Also files that must be turned (EXIF), shrunk unevenly or enlarged."""
    rng = np.random.default_rng(0)
    rows = ["path,value"]
    for index, shape in enumerate([(97, 131, 3), (9, 12, 3), (64, 64), (33, 16, 3)]):
        name = f"{index}{suffix}"
        assert cv2.imwrite(str(tmp_path / name), rng.integers(0, 256, shape, dtype=np.uint8))
        rows.append(f"{name},{index}")
    if suffix == ".jpg":
        turned = tmp_path / "0.jpg"
        turned.write_bytes(with_orientation(turned.read_bytes(), 6))
    (tmp_path / "labels.csv").write_text("\n".join(rows), "utf-8")
    folder = Path(shutil.copytree(one_view_bundle, tmp_path / "grey.analyte"))
    edit_manifest(folder, colour=False)  # else the grey one among them is refused before it is run
    bundle = open_bundle(folder)
    pipeline, listener = listen(bundle, MeasureSettings("bench"))
    check_same(pipeline, listener, load_dataset(tmp_path, unit="mg/L"), bundle)


def test_regions_of_one_photograph(two_view_bundle: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    assert cv2.imwrite(str(tmp_path / "a.jpg"), rng.integers(0, 256, (90, 120, 3), dtype=np.uint8))
    boxes = {"reference": Box(x=3, y=5, w=31, h=17), "sample": Box(x=50, y=20, w=70, h=70)}
    rows = ["path,value,sample,view,x,y,w,h", *(f"a.jpg,5,s,{view},{box}" for view, box in boxes.items())]
    (tmp_path / "labels.csv").write_text("\n".join(rows), "utf-8")
    (tmp_path / "dataset.toml").write_text(
        'name = "d"\nanalyte = "dye"\nunit = "mg/L"\nrange = [0, 10]\nviews = ["reference", "sample"]\n',
        "utf-8",
    )
    bundle = open_bundle(two_view_bundle)
    pipeline, listener = listen(bundle, MeasureSettings("bench", FixedRegions(boxes)))
    check_same(pipeline, listener, load_dataset(tmp_path), bundle)


def with_orientation(jpeg: bytes, orientation: int) -> bytes:
    """Put an EXIF segment that holds nothing but an orientation behind the start of a JPEG."""
    entry = b"\x01\x12\x00\x03\x00\x00\x00\x01" + orientation.to_bytes(2, "big") + b"\x00\x00"
    body = b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01" + entry + b"\x00\x00\x00\x00"
    return jpeg[:2] + b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body + jpeg[2:]
