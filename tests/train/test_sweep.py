"""``analyte sweep`` on Ray: what is killed loses no finished trial, and the rest completes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from analyte.contract.errors import UnavailableError
from analyte.contract.run import RECORD_FILE, load_record
from conftest import Invoke
from train.tiny_studies import Study, write_study

pytest.importorskip("ray", reason="the extra [scale] is not installed")

PATIENCE_S = 400.0
"""Only a hanging sweep takes as long."""
SPACE = """
epochs = 1
batch-size = 64
size = [16, 17]
learning-rate = [1e-3, 2e-3, 4e-3]
"""
"""Size 17 does not fit the recipe: those trials fail."""
TRIALS, SEED = 4, 1
"""Draws two of size 17."""


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("sweep") / "study", Study(samples=48))


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("sweep") / "space.toml"
    file.write_text(SPACE, "utf-8")
    return file


def parents() -> dict[int, int]:
    """Return the parent of every process that runs."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                # The name, in brackets, may hold blanks; then comes the state.
                state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            except OSError:
                continue  # it has ended
            if state != "Z":
                found[int(folder.name)] = int(parent)
    return found


def descendants(ancestor: int) -> set[int]:
    """Return every process below one."""
    of = parents()
    found = {ancestor}
    while more := {child for child, parent in of.items() if parent in found} - found:
        found |= more
    return found - {ancestor}


def title(process: int) -> str:
    """Return the command line of a process, empty where it has ended."""
    try:
        return (Path("/proc") / str(process) / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def training(ancestor: int) -> list[int]:
    """Return the processes below one in which Ray runs a trial."""
    return [process for process in descendants(ancestor) if title(process).startswith("ray::ImplicitFunc")]


def wait_for(what: Callable[[], Any], process: subprocess.Popen[str]) -> Any:
    """Wait until ``what`` gives something true, and return that; the sweep must go on meanwhile."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if found := what():
            return found
        if process.poll() is not None:
            out, err = process.communicate()
            if "Ray does not start on this machine" in err:
                pytest.skip(f"this machine is too busy for Ray: {err.splitlines()[-1]}")
            pytest.fail(f"the sweep ended with {process.returncode}\n{out}\n{err}")
        time.sleep(0.05)
    raise AssertionError("waited in vain")


@dataclass(frozen=True, slots=True)
class Story:
    """A sweep that was killed once as a whole, went on, and then lost one of its processes."""

    folder: Path
    before: dict[str, int]
    """Trials that were finished before, and when (ns)."""
    orphans: list[str]
    """Command lines of processes that outlived the killed sweep."""
    code: int
    record: dict[str, Any]
    stderr: str
    written: dict[str, Any]
    """What sweep.json held then."""


def finished(folder: Path) -> dict[str, int]:
    return {
        record.parent.name: record.stat().st_mtime_ns
        for record in (folder / "trials").glob(f"0*/{RECORD_FILE}")
    }


def half_written(folder: Path) -> set[str]:
    """Return the trials that train right now: training writes into a hidden folder beside the final one."""
    return {path.name.split(".")[1] for path in (folder / "trials").glob(".0*")}


@pytest.fixture(scope="module")
def story(study: Path, space: Path, tmp_path_factory: pytest.TempPathFactory) -> Story:
    folder = tmp_path_factory.mktemp("sweep") / "out"
    command = [sys.executable, "-m", "analyte.cli", "sweep", study, "-o", folder, "--space", space]
    command += ["--trials", TRIALS, "--seed", SEED, "--json"]

    @contextlib.contextmanager
    def start(*more: object) -> Iterator[subprocess.Popen[str]]:
        words, pipe = [str(word) for word in (*command, *more)], subprocess.PIPE
        with subprocess.Popen(words, stdout=pipe, stderr=pipe, text=True) as process:
            try:
                yield process
            finally:
                process.kill()

    with start("--workers", 1) as sweep:
        wait_for(lambda: finished(folder), sweep)
        below = descendants(sweep.pid)
    deadline = time.monotonic() + 90
    while (left := below & set(parents())) and time.monotonic() < deadline:
        time.sleep(0.1)
    orphans = [title(process) for process in left]
    before = finished(folder)
    with start("--workers", 2, "--resume") as sweep:
        wait_for(lambda: half_written(folder), sweep)
        # All of them: which one writes is not to be seen, and one that failed goes on for a moment.
        for process in training(sweep.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        out, err = sweep.communicate(timeout=PATIENCE_S)
    if "Ray does not start on this machine" in err:
        pytest.skip(f"this machine is too busy for Ray: {err.splitlines()[-1]}")
    record = json.loads(out) if sweep.returncode == 0 else {}
    written = json.loads((folder / "sweep.json").read_text("utf-8"))
    return Story(folder, before, orphans, sweep.returncode, record, err, written)


class TestKilled:
    """The whole sweep by kill -9, then, after --resume, one of its processes."""

    def test_nothing_of_it_goes_on(self, story: Story) -> None:
        assert story.orphans == []

    def test_completes(self, story: Story) -> None:
        assert story.code == 0, story.stderr
        assert sorted(trial["number"] for trial in story.record["trials"]) == [1, 2, 3, 4]
        ended = {(trial["settings"]["size"], trial["status"]) for trial in story.record["trials"]}
        assert ended == {(16, "finished"), (17, "failed")}

    def test_a_killed_process_is_started_again(self, story: Story) -> None:
        assert "died; starting it again" in story.stderr

    def test_finished_trials_are_not_repeated(self, story: Story) -> None:
        assert story.before
        after = finished(story.folder)
        assert story.before.items() <= after.items()
        assert len(after) > len(story.before)

    def test_failures_have_a_reason(self, story: Story) -> None:
        failed = [trial for trial in story.record["trials"] if trial["status"] == "failed"]
        assert all("--size 17" in trial["reason"] for trial in failed)
        # Told as it happens, once: such a failure is not tried again.
        for trial in failed:
            assert story.stderr.count(f"trial {trial['number']} failed: ") == 1

    def test_best_is_a_run(self, story: Story) -> None:
        errors = {t["number"]: t["error"] for t in story.record["trials"] if t["status"] == "finished"}
        assert story.record["best"] == min(errors, key=lambda number: errors[number])
        best = load_record(story.folder / "best")
        assert best.validation_mae["keras"] == errors[story.record["best"]]
        assert best == load_record(story.folder / "trials" / f"{story.record['best']:03d}")
        assert best.seed == SEED

    def test_summary_is_no_praise(self, story: Story, study: Path, space: Path) -> None:
        """The verdict is the run's own, and the least of several errors is called what it is."""
        again = ["sweep", study, "-o", story.folder, "--space", space, "--resume"]
        again += ["--trials", TRIALS, "--seed", SEED]
        printed = subprocess.run(
            [sys.executable, "-m", "analyte.cli", *map(str, again)],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout
        finished_trials = sum(trial["status"] == "finished" for trial in story.record["trials"])
        assert f"chosen by it among {finished_trials}, it flatters" in printed
        assert f"validation: {load_record(story.folder / 'best').verdict}\n" in printed

    def test_leaves_no_litter(self, story: Story) -> None:
        assert {path.name for path in story.folder.iterdir()} == {
            ".lock", "best", "plan.json", "sweep.json", "sweep.png", "trials", "trials.csv",
        }  # fmt: skip
        assert half_written(story.folder) == set()

    def test_prints_what_it_writes(self, story: Story) -> None:
        assert story.written == story.record


def sweep_once(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run in a process of its own: Ray, once imported, keeps the environment of that moment."""
    command = [sys.executable, "-m", "analyte.cli", "sweep", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_S)


@pytest.mark.parametrize(
    ("address", "code", "said"),
    [
        ("127.0.0.1:9", 5, "--ray-address 127.0.0.1:9: nobody answers"),
        ("here", 3, "not an address; expected HOST:PORT, or auto; got here"),
    ],
)
def test_address(study: Path, tmp_path: Path, address: str, code: int, said: str) -> None:
    done = sweep_once(study, "-o", tmp_path / "out", "--ray-address", address)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    # Nothing is left that would have to be resumed.
    assert not (tmp_path / "out").exists()


def test_without_the_extra(
    study: Path, tmp_path: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    outcome = invoke("sweep", study, "-o", tmp_path / "out")
    assert outcome.code == UnavailableError.exit_code
    assert "'analyte sweep' needs a package that is not installed" in outcome.stderr
    assert "pip install 'analyte[train,scale]'" in outcome.stderr
    assert not (tmp_path / "out").exists()


def test_refused_before_ray_starts(study: Path, tmp_path: Path, invoke: Invoke) -> None:
    outcome = invoke("sweep", tmp_path / "nothing", "-o", tmp_path / "out")
    assert (outcome.code, "no such dataset" in outcome.stderr) == (3, True)
    (tmp_path / "space.toml").write_text("epoch = 3\n", "utf-8")
    outcome = invoke("sweep", study, "-o", tmp_path / "out", "--space", tmp_path / "space.toml")
    assert (outcome.code, "epoch: unknown key" in outcome.stderr) == (3, True)
    assert not (tmp_path / "out").exists()
