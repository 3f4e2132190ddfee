"""Fits a small network as `analyte train` does, alone or as a worker; for test_cluster, in own processes."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from analyte.train.cluster import cluster_from_environment, start_workers
from analyte.train.distribution import Alone, Team
from analyte.train.recorder import CtrlC

EPOCHS, STEPS, AT_ONCE, BATCH, SAMPLES = 5, 8, 2, 32, 256


class Watcher(keras.callbacks.Callback):
    """Counts batches, keeps the weights of the first epoch, presses Ctrl-C after it where told to."""

    def __init__(self, ctrl_c: CtrlC, *, presses: bool) -> None:
        super().__init__()
        self._ctrl_c, self._presses = ctrl_c, presses
        self.batches = 0
        self.weights: list[float] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.batches += 1
        if self._ctrl_c.asked:
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if epoch == 0:
            self.weights = flat(self.model)
            if self._presses:
                signal.raise_signal(signal.SIGINT)


def main(out: Path) -> None:
    cluster = cluster_from_environment()
    team: Team = Alone() if cluster is None else start_workers(cluster)
    keras.utils.set_random_seed(0)
    tf.config.experimental.enable_op_determinism()
    with team.scope():
        given = keras.Input((8, 8, 3))
        hidden = keras.layers.Conv2D(4, 3, activation="relu")(given)
        fitted = keras.layers.Dense(1)(keras.layers.GlobalAveragePooling2D()(hidden))
        core = keras.Model(given, {"fitted": fitted})
    start = flat(core)
    learner = team.learner(
        core.input,
        core.output["fitted"],
        lambda: keras.optimizers.AdamW(0.01, weight_decay=1e-3),
        "mse",
        steps_at_once=AT_ONCE,
    )
    with team.ctrl_c() as ctrl_c:
        watcher = Watcher(ctrl_c, presses=cluster is not None and not cluster.is_chief)
        with team.scope():
            history = learner.fit(
                batches(team),
                steps_per_epoch=STEPS,
                epochs=EPOCHS,
                verbose=0,
                shuffle=False,
                callbacks=[*team.callbacks(ctrl_c), watcher],
            )
    found = {
        "start": start,
        "weights": watcher.weights,
        "losses": history.history["loss"][:1],
        "agreed": team.agreed(0.0 if cluster is None else float(cluster.index)),
        "batches": watcher.batches,
    }
    out.write_text(json.dumps(found), "utf-8")


def batches(team: Team) -> Any:
    pictures = tf.constant(np.random.default_rng(0).random((SAMPLES, 8, 8, 3), np.float32))
    values = tf.reduce_mean(pictures, axis=(1, 2, 3))[:, None]

    def prepare(index: Any) -> tuple[Any, Any]:
        return tf.gather(pictures, index), tf.gather(values, index)

    samples = tf.data.Dataset.range(SAMPLES).shuffle(SAMPLES, seed=1, reshuffle_each_iteration=True)
    return team.share(samples.repeat()).batch(BATCH, drop_remainder=True).map(prepare).prefetch(2)


def flat(model: Any) -> list[float]:
    return [float(number) for weight in model.get_weights() for number in weight.ravel()]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
