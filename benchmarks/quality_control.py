"""What quality control costs: a control, a look before a reading, a replay at the start.

python benchmarks/quality_control.py [--controls 2000]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from analyte.contract.event import Role
from analyte.runtime.control.quality_control import QualityControl
from analyte.runtime.store.sqlite import SqliteStore
from runtime.control.memory_trail import BUNDLE, SECTION, read


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--controls", type=int, default=2000)
    count = parser.parse_args().controls
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore(Path(folder) / "readings.sqlite")
        control = QualityControl(store, SECTION, BUNDLE)
        start_s = time.perf_counter()
        for number in range(count):
            name, target = (("low", 20.0), ("high", 80.0))[number % 2]
            # On both sides in turn: no rule is broken.
            value = target + (0.5 if number % 4 < 2 else -0.5)
            control.measured(name, replace(read(value), id=str(number)), "bench", Role.OPERATOR)
        measured_s = time.perf_counter() - start_s
        readings = [read(50.0)]
        start_s = time.perf_counter()
        for _ in range(2000):
            control.admitted(readings)
        look_s = (time.perf_counter() - start_s) / 2000
        start_s = time.perf_counter()
        QualityControl(store, SECTION, BUNDLE)
        replay_s = time.perf_counter() - start_s
        store.close()
    print(f"{count} controls: {1e3 * measured_s / count:.2f} ms each, with the commit")
    print(f"a look before a reading: {1e6 * look_s:.1f} us")
    print(f"a replay of {count}: {1e3 * replay_s:.0f} ms")


if __name__ == "__main__":
    main()
