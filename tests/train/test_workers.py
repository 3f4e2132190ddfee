"""Two workers fit what one does, and none of them is waited for in vain.

What needs TensorFlow as a worker runs in processes of its own: a process joins a cluster once, at its start.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np
import pytest

from analyte.contract.errors import SettingsError, UnavailableError
from analyte.contract.run import load_record
from analyte.train.batches import LabelledPictures, training_batches
from analyte.train.fitting import FitSettings, fit
from analyte.train.local_workers import CLUSTER, local_workers
from analyte.train.network import NetworkInput, build_core
from analyte.train.settings import network_settings
from analyte.train.workers import Team
from conftest import Invoke
from train.tiny_studies import Study, split_dataset, write_study

OPTIONS = ("--size", "16", "--batch-size", "32", "--augment", "none")
THREADS = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("workers") / "study", Study(samples=72))


def analyte(*arguments: str | Path, cluster: object = None) -> subprocess.Popen[str]:
    """Start ``analyte`` in a process of its own; ``cluster``: what TF_CONFIG says."""
    environment = {**os.environ, **THREADS} | ({CLUSTER: json.dumps(cluster)} if cluster else {})
    return subprocess.Popen(
        [sys.executable, "-m", "analyte.cli", *map(str, arguments)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def numbers(run: Path) -> np.ndarray:
    """Return epoch, loss, validation MAE and learning rate of every epoch."""
    return np.loadtxt(run / "history.csv", delimiter=",", skiprows=1)


@pytest.mark.slow
class TestTwoWorkers:
    """`analyte train --workers 2`."""

    def test_same_as_one(self, study: Path, tmp_path: Path, invoke: Invoke) -> None:
        """The same batches, each half at one worker: the same losses, and a run by the chief alone."""
        alone, shared = tmp_path / "alone", tmp_path / "shared"
        two = analyte("train", study, "-o", shared, *OPTIONS, "--epochs", "2", "--workers", "2")
        assert invoke("train", study, "-o", alone, *OPTIONS, "--epochs", 2).code == 0
        out, err = two.communicate(timeout=500)
        assert two.returncode == 0, err
        assert out.count("done: isotropic") == 1
        assert err == ""
        one, other = numbers(alone), numbers(shared)
        # As exact as sums of other order are, but for the moving variance: Keras' is a biased one.
        np.testing.assert_allclose(other[:, 1], one[:, 1], rtol=1e-4)
        np.testing.assert_allclose(other[:, 2], one[:, 2], rtol=1e-2)
        assert {file.name for file in tmp_path.iterdir()} == {"alone", "shared"}
        assert load_record(shared).best_epoch == load_record(alone).best_epoch

    def test_lost(self, study: Path, tmp_path: Path) -> None:
        """A worker that dies ends the training at once, with one line, and leaves nothing behind."""
        run = tmp_path / "run"
        chief = analyte("train", study, "-o", run, *OPTIONS, "--epochs", "100000", "--workers", "2")
        try:
            worker = child_of(chief.pid)
            wait_for_staging(tmp_path)
            os.kill(worker, signal.SIGKILL)
            _, err = chief.communicate(timeout=300)
        finally:
            chief.kill()
        assert chief.returncode == UnavailableError.exit_code
        assert err.startswith("analyte: worker 1 of the training ended with SIGKILL")
        assert err.count("\n") == 1
        assert list(tmp_path.iterdir()) == []


def child_of(pid: int) -> int:
    """Return the process that ``pid`` starts, once it has."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    for _ in range(3000):
        if found := children.read_text("ascii").split():
            return int(found[0])
        time.sleep(0.1)
    raise AssertionError("no worker was started")


def wait_for_staging(folder: Path) -> None:
    """Wait until training has begun: that is when the chief makes the folder that becomes the run."""
    for _ in range(3000):
        if any(folder.iterdir()):
            return
        time.sleep(0.1)
    raise AssertionError("training never began")


@pytest.mark.parametrize(
    ("cluster", "said"),
    [
        ({"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 2}}, "index"),
        ({"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "ps", "index": 0}}, "cluster_spec"),
    ],
)
@pytest.mark.slow
def test_cluster_that_cannot_be(study: Path, tmp_path: Path, cluster: object, said: str) -> None:
    train = analyte("train", study, "-o", tmp_path / "run", cluster=cluster)
    _, err = train.communicate(timeout=300)
    assert train.returncode == 3
    assert "TF_CONFIG: cannot be used; expected" in err
    assert said in err


def test_other_number_than_the_cluster(
    study: Path, tmp_path: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CLUSTER, json.dumps({"cluster": {"worker": ["a:1"]}}))
    outcome = invoke("train", study, "-o", tmp_path / "run", "--workers", 2)
    assert outcome.code == 2
    assert "--workers: is not what TF_CONFIG says; expected 1; got 2" in outcome.stderr


def test_worker_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its last words and its exit code are told when TensorFlow notices."""
    monkeypatch.setattr(sys, "argv", ["analyte", "train"])
    monkeypatch.delenv(CLUSTER, raising=False)
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "1")
    with pytest.raises(UnavailableError, match=r"worker 1 .* exit code 2; got last words: .*DATASET"):
        _notice_late()
    assert CLUSTER not in os.environ


def _notice_late() -> None:
    with local_workers(2) as others:
        while others.failure() is None:
            time.sleep(0.1)
        raise UnavailableError("connection reset")


def test_shares_make_up_the_batch() -> None:
    """Every sample of a batch is at one worker, in the batches that one worker alone would have."""
    data = LabelledPictures(
        np.zeros((20, 1, 4, 4, 3), np.uint8), np.arange(20.0), np.zeros((20, 0), np.float32)
    )

    def targets(share: tuple[int, int]) -> list[np.ndarray]:
        stream = training_batches(
            data, data.values[:, None].astype(np.float32), None, batch_size=8, seed=3, share=share
        )
        return [wanted.numpy().ravel() for _, wanted in stream.take(5)]

    keras.utils.set_random_seed(0)
    whole = targets((1, 0))
    shares = [targets((2, index)) for index in range(2)]
    for batch, first, second in zip(whole, *shares, strict=True):
        np.testing.assert_array_equal(batch, np.stack([first, second], axis=1).ravel())


class _Three(Team):
    count = 3


def test_batch_that_cannot_be_shared(study: Path) -> None:
    dataset = split_dataset(study)
    network = network_settings(dataset.spec)
    core = build_core(network, NetworkInput(dataset.spec.label, dataset.spec.views, 16))
    data = LabelledPictures(
        np.zeros((40, 1, 16, 16, 3), np.uint8), np.arange(40.0), np.zeros((40, 0), np.float32)
    )
    settings = FitSettings(batch_size=32, team=_Three())
    with pytest.raises(SettingsError, match=r"--batch-size.*expected a multiple of 3; got 32"):
        fit(core, network, data, None, augmentation=None, settings=settings, label=dataset.spec.label)


class _Asked(Team):
    """Another worker wants to stop after three epochs."""

    def __init__(self) -> None:
        self.epochs = 0

    def agreed(self, number: float) -> float:
        self.epochs += 1
        return number

    def stops(self, asked: bool, logs: Mapping[str, float]) -> bool:
        return self.epochs == 3


def test_wish_of_another_worker_stops_here(study: Path) -> None:
    """What all know decides, not what was asked for here: else one would wait for the others."""
    dataset = split_dataset(study)
    network = network_settings(dataset.spec)
    core = build_core(network, NetworkInput(dataset.spec.label, dataset.spec.views, 16))
    rng = np.random.default_rng(0)
    data = LabelledPictures(
        rng.integers(0, 256, (64, 1, 16, 16, 3), dtype=np.uint8),
        rng.uniform(1, 9, 64),
        np.zeros((64, 0), np.float32),
    )
    settings = FitSettings(epochs=9, batch_size=16, team=_Asked())
    found = fit(core, network, data, data, augmentation=None, settings=settings, label=dataset.spec.label)
    assert found.interrupted
    assert len(found.history) == 3
