"""How many foreign pictures a run or a bundle refuses, and how many good ones.

    python benchmarks/foreign.py RUN|BUNDLE DATASET --foreign houses/ --foreign clip.mp4 [--json]

DATASET's test split is the good pictures. A folder is searched with its sub-folders, a video sampled evenly;
every view is shown the same picture, and one of a random part of it. Pictures of one grey, one colour and of
noise are always tried.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click
import cv2
import numpy as np

from analyte.contract.arrays import UInt8Array
from analyte.contract.errors import ImageError
from analyte.contract.imaging import IMAGE_SUFFIXES, read_image
from analyte.contract.labels_file import load_dataset
from analyte.contract.pictures import load_pictures
from analyte.contract.preprocessing import PreprocessingSpec, preprocess
from analyte.runtime.tables import format_table

SEED = 0


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("subject", metavar="RUN|BUNDLE", type=click.Path(exists=True, path_type=Path))
@click.argument("dataset", type=click.Path(exists=True, path_type=Path))
@click.option("--foreign", "sources", multiple=True, type=click.Path(exists=True, path_type=Path))
@click.option("--most", default=300, show_default=True, help="Pictures to take of each source, at most.")
@click.option("--unit", help="Unit of the values, where no dataset.toml states it.")
@click.option("--json", "as_json", is_flag=True)
def main(
    subject: Path, dataset: Path, sources: tuple[Path, ...], most: int, unit: str | None, as_json: bool
) -> None:
    from analyte.export.tensorflow_start import start_tensorflow

    start_tensorflow()
    from analyte.export.evaluation import choose_samples, open_subject, refusals, run

    opened = open_subject(subject)
    good = choose_samples(load_dataset(dataset, unit=unit), opened).dataset
    sets = {"good": load_pictures(good.samples, opened.preprocessing, where=dataset)}
    # Foreign pictures are shown with the covariates of a good sample: it is the picture that is in question.
    known = [good.covariates_of(sample) for sample in good.samples]
    views = len(opened.views)
    sets |= {name: shown(pictures, views, opened.preprocessing) for name, pictures in made_up().items()}
    for source in sources:
        sets[str(source)] = shown(pictures_of(source, most), views, opened.preprocessing)
    rows = []
    for predictor, predict in opened.predictors.items():
        for name, images in sets.items():
            beside = [known[index % len(known)] for index in range(len(images))]
            said = run(predict, images, opened.covariates.encode_all(beside))
            reasons = Counter(refusals(opened, images, said, beside))
            counts = {str(reason): count for reason, count in reasons.most_common() if reason is not None}
            rows.append(
                {
                    "predictor": predictor,
                    "pictures": name,
                    "n": len(images),
                    "refused": 1.0 - reasons[None] / len(images),
                    "reasons": counts,
                }
            )
    if as_json:
        print(json.dumps({"subject": str(subject), "results": rows}, indent=2))
        return
    table = [
        (
            str(row["predictor"]),
            str(row["pictures"]),
            str(row["n"]),
            f"{100 * float(str(row['refused'])):.1f}",
            ", ".join(f"{reason} {count}" for reason, count in dict(row["reasons"]).items()),  # type: ignore[call-overload]
        )
        for row in rows
    ]
    header = ("predictor", "pictures", "n", "refused, %", "reasons")
    print(format_table(header, table, right=frozenset({2, 3})))


def made_up() -> dict[str, list[UInt8Array]]:
    rng = np.random.default_rng(SEED)
    return {
        "one grey": [np.full((64, 64, 3), level, np.uint8) for level in range(0, 256, 5)],
        "one colour": [np.full((64, 64, 3), rng.integers(0, 256, 3), np.uint8) for _ in range(100)],
        "noise": [rng.integers(0, 256, (64, 64, 3), np.uint8) for _ in range(50)],
    }


def pictures_of(source: Path, most: int) -> list[UInt8Array]:
    if source.is_dir():
        files = sorted(file for file in source.rglob("*") if file.suffix.lower() in IMAGE_SUFFIXES)
        return [read_image(files[index]) for index in spread(len(files), most)]
    if source.suffix.lower() in IMAGE_SUFFIXES:
        return [read_image(source)]
    video = cv2.VideoCapture(str(source))
    frames: list[UInt8Array] = []
    while True:
        ok, frame = video.read()
        if not ok:
            break
        frames.append(np.asarray(frame, np.uint8))
    return [frames[index] for index in spread(len(frames), most)]


def spread(count: int, most: int) -> Sequence[int]:
    if count == 0:
        raise click.ClickException("no pictures there")
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int)).tolist()


def shown(pictures: Sequence[UInt8Array], views: int, spec: PreprocessingSpec) -> UInt8Array:
    """Show every view each picture, then other parts of it, ``[N, V, S, S, 3]``, RGB."""
    rng = np.random.default_rng(SEED)
    samples: list[UInt8Array] = []
    for picture in pictures:
        height, width = picture.shape[:2]
        edge = max(1, min(height, width) // 2)
        parts = []
        for _ in range(views):
            y, x = rng.integers(0, height - edge + 1), rng.integers(0, width - edge + 1)
            parts.append(np.ascontiguousarray(picture[y : y + edge, x : x + edge]))
        for sample in ([picture] * views, parts):
            try:
                samples.append(np.stack([preprocess(view, spec) for view in sample]))
            except ImageError:  # too small to measure: a device refuses it anyway
                continue
    return np.stack(samples)


if __name__ == "__main__":
    main()
