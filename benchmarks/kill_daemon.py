"""Kill -9 at random moments: is every acknowledged reading kept, does the record verify, does it start again?

    nice python benchmarks/kill_daemon.py BUNDLE --rounds 200

Runs the real daemon at full load on a simulated camera, a process per round over one store, and kills it at a
random moment between its start and five seconds later. Acknowledged is what the daemon printed as a whole
line. After every round the whole chain is verified with its heads and the device's public key; a daemon that
ends by itself counts as one that does not start. Prints one line of JSON; exits 1 where anything was lost.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from daemon_start import default_profile, write_pictures

from analyte.contract.signature import PublicKey
from analyte.runtime.signing import make_key
from analyte.runtime.store.heads import heads_path
from analyte.runtime.store.verifying import verify_store

LONGEST_S = 5.0


def one_round(command: list[str], folder: Path, after_s: float) -> tuple[list[str], str]:
    """Run the daemon for so long; return the ids that it acknowledged, and why it ended by itself, if so."""
    out, err = folder / "out.jsonl", folder / "err.txt"
    with out.open("wb") as printed, err.open("wb") as said:
        daemon = subprocess.Popen(command, stdout=printed, stderr=said, cwd=folder)
        time.sleep(after_s)
        ended = daemon.poll()
        daemon.kill()
        daemon.wait()
    whole = out.read_bytes().split(b"\n")[:-1]
    return [json.loads(line)["id"] for line in whole], "" if ended is None else err.read_text()


def lost(store: Path, ids: list[str]) -> int:
    """Return how many of the readings are not stored."""
    with closing(sqlite3.connect(f"{store.as_uri()}?mode=ro", uri=True)) as connection:
        query = "SELECT count(*) FROM readings WHERE id = ?"
        return sum(not connection.execute(query, (id,)).fetchone()[0] for id in ids)


def run(bundle: Path, folder: Path, rounds: int, seed: int) -> dict[str, object]:
    """Return what happened in all rounds."""
    write_pictures(folder / "pictures")
    key: PublicKey = make_key("device", folder).key
    profile = default_profile(bundle, folder / "profile.toml")
    with profile.open("a") as file:
        file.write('[security]\ndevice_key = "device.key"\n[camera.simulated]\nfps = 240\n')
    store = folder / "readings.sqlite"
    command = [sys.executable, "-m", "analyte.cli", "daemon", "--device", str(profile), "--store", str(store)]
    command += ["--bundle", str(bundle), "--source", f"sim:{folder / 'pictures'}"]
    generator = random.Random(seed)
    acknowledged, problems, before_first = 0, list[str](), 0
    for number in range(rounds):
        ids, ended = one_round(command, folder, generator.uniform(0.0, LONGEST_S))
        acknowledged += len(ids)
        before_first += not ids
        if ended:
            problems.append(f"round {number}: did not run: {ended.strip().rpartition(chr(10))[2]}")
        if not store.exists():
            continue
        # A kill before the first row leaves a store with nothing in it, and no head.
        if heads_path(store).exists():
            found = verify_store(store, heads_path(store), [key])
            if not found.passed:
                problems.append(f"round {number}: row {found.bad_sequence} {found.problem}")
        if missing := lost(store, ids):
            problems.append(f"round {number}: {missing} acknowledged readings are lost")
    return {
        "rounds": rounds,
        "acknowledged": acknowledged,
        "killed_before_first_reading": before_first,
        "problems": problems,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    os.environ["PYTHONUTF8"] = "1"
    with tempfile.TemporaryDirectory() as name:
        result = run(options.bundle.resolve(), Path(name), options.rounds, options.seed)
    print(json.dumps(result))
    sys.exit(1 if result["problems"] else 0)


if __name__ == "__main__":
    main()
