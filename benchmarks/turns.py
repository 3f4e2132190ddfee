"""How far a bundle's float values move when its golden pictures are turned by quarters and mirrored.

    python benchmarks/turns.py BUNDLE

Prints, for every float32 artifact, the largest difference from the value of the picture as it lies, in the
label's unit and as a fraction of the range. All views of a sample are turned alike.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from analyte.contract.bundle import open_bundle
from analyte.runtime.deviation import run_batched
from analyte.runtime.engines.registry import open_engine


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    bundle = open_bundle(parser.parse_args().bundle)
    label, images = bundle.manifest.label, bundle.golden_set().images
    for artifact in bundle.manifest.artifacts:
        if artifact.precision != "float32":
            continue
        engine = open_engine(bundle.read(artifact), artifact.engine)
        as_it_lies = run_batched(engine, images, 64).value
        worst = 0.0
        for mirrored in (images, images[:, :, :, ::-1]):
            for turns in range(4):
                turned = np.ascontiguousarray(np.rot90(mirrored, turns, axes=(2, 3)))
                moved = run_batched(engine, turned, 64).value
                worst = max(worst, float(np.max(np.abs(moved - as_it_lies))))
        print(f"{artifact.name}: {worst:.2g} {label.unit}, {worst / label.span:.2g} of the range")


if __name__ == "__main__":
    main()
