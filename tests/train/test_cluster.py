"""Several workers: who is in the cluster, processes on this machine, and a fit that is the same for all."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from analyte.contract.errors import InputError
from analyte.train.cluster import VARIABLE, cluster_from_environment
from analyte.train.local_workers import _free_addresses

WORKERS = ["10.0.0.1:5000", "10.0.0.2:5000", "10.0.0.3:5000"]


def config(monkeypatch: pytest.MonkeyPatch, cluster: Any, **task: Any) -> None:
    monkeypatch.setenv(VARIABLE, json.dumps({"cluster": cluster, "task": task}))


def test_no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert cluster_from_environment() is None
    config(monkeypatch, {"worker": WORKERS[:1]}, type="worker", index=0)
    assert cluster_from_environment() is None


def test_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    config(monkeypatch, {"worker": WORKERS}, type="worker", index=2)
    cluster = cluster_from_environment()
    assert cluster is not None
    assert (cluster.size, cluster.index, cluster.is_chief) == (3, 2, False)
    config(monkeypatch, {"worker": WORKERS}, type="worker", index=0)
    assert getattr(cluster_from_environment(), "is_chief", None) is True


def test_chief_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the chief is named, the first worker is none."""
    named = {"chief": WORKERS[:1], "worker": WORKERS[1:]}
    config(monkeypatch, named, type="worker", index=0)
    cluster = cluster_from_environment()
    assert cluster is not None
    assert (cluster.size, cluster.index, cluster.is_chief) == (3, 1, False)
    assert cluster.addresses[cluster.index] == WORKERS[1]
    config(monkeypatch, named, type="chief", index=0)
    assert getattr(cluster_from_environment(), "is_chief", None) is True


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("worker 1", r"TF_CONFIG: cannot be understood.*expected such as"),
        ('{"cluster": {"ps": ["a:1"]}}', r"cluster\.ps: unknown key"),
        ('{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 2}}', r"worker 0 to 1"),
        ('{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "ps", "index": 0}}', r"got ps 0"),
    ],
)
def test_refused(monkeypatch: pytest.MonkeyPatch, text: str, said: str) -> None:
    monkeypatch.setenv(VARIABLE, text)
    with pytest.raises(InputError, match=said):
        cluster_from_environment()


LAUNCH = """
import sys
from analyte.train.local_workers import launch_workers
sys.exit(launch_workers(sys.argv[1:], 2))
"""


def test_launched_workers_speak_with_one_voice(tmp_path: Path) -> None:
    """The exit code is theirs, and what the chief prints appears once."""
    for arguments, code, word in ((["--version"], 0, "version"), (["train", str(tmp_path)], 2, "--out")):
        done = subprocess.run(
            [sys.executable, "-c", LAUNCH, *arguments], capture_output=True, text=True, check=False
        )
        assert done.returncode == code, done.stderr
        assert (done.stdout + done.stderr).count(word) == 1


def fit(index: int | None, addresses: list[str], out: Path) -> subprocess.Popen[bytes]:
    """Start the fit of `distributed_fit`, alone (None) or as a worker."""
    script = Path(__file__).with_name("distributed_fit.py")
    environment = {"PATH": "/usr/bin:/bin", "TF_NUM_INTRAOP_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    if index is not None:
        task = {"type": "worker", "index": index}
        environment[VARIABLE] = json.dumps({"cluster": {"worker": addresses}, "task": task})
    return subprocess.Popen([sys.executable, script, out], env=environment)


@pytest.mark.slow
def test_two_workers_fit_what_one_does(tmp_path: Path) -> None:
    """The same batches in the same order, each half at one worker: the same weights, in both."""
    results: list[dict[str, Any]] = []
    addresses = _free_addresses(2)
    alone = fit(None, [], tmp_path / "alone.json")
    assert alone.wait(timeout=300) == 0
    workers = [fit(index, addresses, tmp_path / f"{index}.json") for index in range(2)]
    try:
        assert [worker.wait(timeout=300) for worker in workers] == [0, 0]
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    for name in ("alone", "0", "1"):
        results.append(json.loads((tmp_path / f"{name}.json").read_text("utf-8")))
    single, chief, other = results
    assert chief["weights"] == other["weights"]
    assert chief["weights"] == pytest.approx(single["weights"], rel=1e-4, abs=1e-6)
    assert single["weights"] != pytest.approx(single["start"], rel=1e-2)
    assert chief["losses"] == pytest.approx(single["losses"], rel=1e-4)
    # Decisions are taken by numbers that are the same everywhere: the mean of each worker's own.
    assert (single["agreed"], chief["agreed"], other["agreed"]) == (0.0, 0.5, 0.5)
    # The second worker alone wished to stop, after the first epoch of five: all did, after the same batch.
    assert chief["batches"] == other["batches"]
    assert single["batches"] == 40
    assert 8 < chief["batches"] < 40
