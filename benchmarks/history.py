"""Pages of a long history: a store of many readings, and how long a page of a hundred takes for every filter.

    nice python benchmarks/history.py --readings 2000000 --folder /tmp/history

Prints one line of JSON per filter: milliseconds, the median and the worst of pages at twenty places. The
store is built once and left in the folder; half a second of clock time lies between two readings, five in a
hundred are refused, one in fifty is flagged, and there are 96 sites.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from analyte.contract.reading import Flag, Reading, Reason
from analyte.runtime.store.connecting import connect_to_write, transaction
from analyte.runtime.store.heads import append_head, heads_path, make_head
from analyte.runtime.store.history import SqliteReadingLog
from analyte.runtime.store.migration import create
from analyte.runtime.store.protocol import ReadingFilter
from analyte.runtime.store.schema import INDICES
from analyte.runtime.store.times import iso
from analyte.runtime.store.writing import ChainWriter, Unchained, unchained

START_S = 1_767_225_600.0
STEP_S = 0.5
ROWS_AT_A_TIME = 20_000
REASONS = (Reason.GLARE, Reason.FOCUS, Reason.FOREIGN)


def template(number: int) -> Reading:
    """Return a reading as the daemon makes them, about a kilobyte of JSON."""
    refused = number % 20 == 0
    row, column = divmod(number % 96, 12)
    return Reading(
        value=None if refused else 100.0 + number % 97,
        unit="µg/mL",
        lower=None if refused else 99.0,
        upper=None if refused else 203.0,
        coverage=0.95,
        sigma=None if refused else 0.51234,
        flags=(Flag.BELOW_LOQ,) if number % 50 == 1 else (),
        refused=refused,
        # One reason is rare: a filter that finds little must not read everything.
        reason=(Reason.COLOUR if number % 100_000 == 0 else REASONS[number % 3]) if refused else None,
        detail="glare 0.051, expected at most 0.05" if refused else "",
        analyte="nitrite",
        source="/dev/video0",
        frames=3,
        bundle="ab" * 32,
        artifact="onnx-int8",
        engine="onnx",
        provider="cpu",
        device="bench-1",
        captured_at=iso(START_S + STEP_S * number),
        capture_age_ms=12.25,
        latency_ms={"region": 0.4, "resize": 0.61, "engine": 0.253, "judgement": 0.05},
        frame_sha256="cd" * 32,
        regions={"sample": (120, 80, 200, 200)},
        site=f"{'ABCDEFGH'[row]}{column + 1}",
        quality={"focus": 0.4, "clipped": 0.0, "glare": 0.01},
        spread=0.1,
    )


def build(path: Path, count: int) -> None:
    """Write the store without waiting for the disk, its indices at the end."""
    connection = connect_to_write(path)
    create(connection)
    for name in (text.split()[2] for text in INDICES):
        connection.execute(f"DROP INDEX {name}")
    connection.execute("PRAGMA journal_mode = OFF")
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA cache_size = -1500000")
    writer = ChainWriter(connection)
    made = [unchained(template(number + 600)) for number in range(600)]
    for first in range(0, count, ROWS_AT_A_TIME):
        with transaction(connection):
            writer.add_readings(
                [row_of(made, number) for number in range(first, min(count, first + ROWS_AT_A_TIME))]
            )
    for statement in INDICES:
        connection.execute(statement)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()
    append_head(
        heads_path(path), make_head(iso(START_S + STEP_S * count), writer.sequence, writer.hash, None)
    )


def row_of(made: Sequence[Unchained], number: int) -> Unchained:
    """Return a row; only what differs is made anew."""
    sort = unchained(template(number)) if number % 100_000 == 0 else made[number % 600]
    digest = hashlib.md5(str(number).encode()).hexdigest()
    id, at = (
        f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-{digest[16:20]}-{digest[20:]}",
        iso(START_S + STEP_S * number),
    )
    text = sort.json.replace(str(sort.columns.captured_at), at).replace('"id": ""', f'"id": "{id}"')
    return Unchained(sort.columns._replace(id=id, captured_at=at), sort.flags, text)


def filters(count: int) -> dict[str, ReadingFilter]:
    """Return every filter alone, with a time, and in pairs."""
    old = {"since": iso(START_S + STEP_S * count * 0.1), "until": iso(START_S + STEP_S * count * 0.15)}
    alone = {
        "none": {},
        "refused": {"refused": True},
        "valid": {"refused": False},
        "reason": {"reason": Reason.GLARE},
        "rare reason": {"reason": Reason.COLOUR},
        "flag": {"flag": Flag.BELOW_LOQ},
        "flag never seen": {"flag": Flag.MOTION},
        "site": {"site": "B7"},
        "site + refused": {"site": "A1", "refused": True},
        "site + reason": {"site": "A1", "reason": Reason.GLARE},
        "site + rare reason": {"site": "A1", "reason": Reason.COLOUR},
        "flag + site": {"flag": Flag.BELOW_LOQ, "site": "B2"},
        "flag + refused": {"flag": Flag.BELOW_LOQ, "refused": True},
        "site + valid, never": {"site": "Z9", "refused": False},
    }
    found = {name: ReadingFilter(**given) for name, given in alone.items()}  # type: ignore[arg-type]
    found |= {f"{name}, old": ReadingFilter(**{**given, **old}) for name, given in alone.items()}  # type: ignore[arg-type]
    found["since"] = ReadingFilter(since=old["since"])
    found["until"] = ReadingFilter(until=old["until"])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--readings", type=int, default=2_000_000)
    parser.add_argument("--folder", type=Path, required=True)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    path = options.folder / f"{options.readings}.sqlite"
    if not path.exists():
        start = time.monotonic()
        build(path, options.readings)
        print(json.dumps({"built": options.readings, "s": round(time.monotonic() - start, 1)}), flush=True)
    worst = 0.0
    with closing(SqliteReadingLog(path)) as log:
        for name, chosen in filters(options.readings).items():
            taken = []
            for place in range(20):
                before = None if place == 0 else options.readings * (20 - place) // 20
                start = time.perf_counter()
                found = log.newest(chosen, before=before)
                taken.append(1e3 * (time.perf_counter() - start))
            worst = max(worst, *taken)
            figures = {
                "filter": name,
                "p50_ms": round(statistics.median(taken), 2),
                "max_ms": round(max(taken), 2),
            }
            print(json.dumps({**figures, "last_page": len(found)}), flush=True)
    print(
        json.dumps({"readings": options.readings, "bytes": path.stat().st_size, "worst_ms": round(worst, 2)})
    )


if __name__ == "__main__":
    main()
