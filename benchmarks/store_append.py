"""What keeping a reading costs, in transactions of several sizes.

    nice python benchmarks/store_append.py [--folder FOLDER]

Prints one line of JSON: microseconds of processor time per reading in transactions of 1, 32 and 1000
readings, of the JSON alone, and of verifying. Waiting for the disk is not in it.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from history import template

from analyte.contract.reading import Reading
from analyte.runtime.store.heads import heads_path
from analyte.runtime.store.sqlite import SqliteStore
from analyte.runtime.store.verifying import verify_store

BATCHES = {1: 1000, 32: 300, 1000: 20}
"""How many transactions of each size."""


def readings(size: int, batches: int) -> list[list[Reading]]:
    return [
        [replace(template(number), id=f"{size}-{batch}-{number}") for number in range(size)]
        for batch in range(batches)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", type=Path, help="where the store is written; else the folder for such")
    options = parser.parse_args()
    result: dict[str, float] = {}
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        path = Path(name) / "r.sqlite"
        store = SqliteStore(path)
        total = 0
        for size, batches in BATCHES.items():
            made = readings(size, batches)
            start = time.process_time()
            for batch in made:
                store.append(batch)
            result[f"us_in_{size}"] = round(1e6 * (time.process_time() - start) / (size * batches), 1)
            total += size * batches
        store.close()
        start = time.process_time()
        for reading in made[0]:
            reading.to_json()
        result["us_json"] = round(1e6 * (time.process_time() - start) / len(made[0]), 1)
        start = time.process_time()
        assert verify_store(path, heads_path(path)).passed
        result["us_verify"] = round(1e6 * (time.process_time() - start) / total, 1)
        result["bytes_per_reading"] = round(path.stat().st_size / total)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
