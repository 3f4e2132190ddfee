"""Fitting one network: batches, schedule, checkpoints, early stopping, and a Ctrl-C that loses nothing."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from analyte.contract.arrays import Float64Array, UInt8Array
from analyte.contract.errors import AnalyteError
from analyte.contract.run import graph_input
from analyte.train.augmentation import Augmentation, augment

_HUBER = 0.3
"""Where the loss turns from squared to absolute, in standard deviations of the label: a bad photograph pulls
no harder than that."""
_WARMUP = 0.1
"""Share of the steps over which the learning rate rises."""


@dataclass(frozen=True, slots=True)
class FitSettings:
    """How a network is fitted."""

    epochs: int = 60
    patience: int = 25
    """Epochs without a better validation error before training stops."""
    batch_size: int = 64
    learning_rate: float = 4e-3
    """Peak of the schedule: linear warm-up, then cosine to zero."""
    weight_decay: float = 1e-4
    seed: int = 0


@dataclass(frozen=True, slots=True)
class LabelledPictures:
    """``images``: uint8 ``[N, V, S, S, 3]``, RGB; ``values``: float64 ``[N]``, label's unit."""

    images: UInt8Array
    values: Float64Array


@dataclass(frozen=True, slots=True)
class Fit:
    """What fitting gives. Errors are in the label's unit."""

    mean: float
    """Mean of the training labels: what the network's zero means."""
    scale: float
    """Standard deviation of the training labels: what the network's one means."""
    history: list[dict[str, float]]
    """One entry per epoch: ``epoch``, ``loss`` (standardized), ``val_mae`` and ``learning_rate``."""
    best_epoch: int
    interrupted: bool


def fit(
    core: keras.Model,
    train: LabelledPictures,
    val: LabelledPictures,
    *,
    augmentation: Augmentation | None,
    settings: FitSettings,
    unit: str,
) -> Fit:
    """Fit ``core`` in place and leave the weights of its best epoch in it.

    Raises: AnalyteError when no epoch gave a finite error, or Ctrl-C came before the first epoch's end.
    """
    mean, scale = float(train.values.mean()), float(train.values.std()) or 1.0
    steps = -(-len(train.values) // settings.batch_size)
    optimizer = keras.optimizers.AdamW(
        _schedule(settings, steps), weight_decay=settings.weight_decay, clipnorm=1.0
    )
    core.compile(optimizer, keras.losses.Huber(_HUBER))
    with tempfile.TemporaryDirectory() as folder:
        recorder = _Recorder(core, val, mean, scale, unit, settings, Path(folder) / "best.weights.h5")
        interrupted = False
        try:
            core.fit(
                _batches(train, mean, scale, augmentation, settings),
                epochs=settings.epochs,
                verbose=0,
                shuffle=False,  # the batches are shuffled already
                callbacks=[recorder],
            )
        except KeyboardInterrupt:
            interrupted = True
        finally:
            recorder.close()
        if recorder.best_epoch == 0:
            raise AnalyteError(
                "training ended without one good epoch",
                got="Ctrl-C before the first was over" if interrupted else "no finite validation error",
                fix="Run again" if interrupted else "Lower --learning-rate, or check the labels",
            )
        core.load_weights(recorder.checkpoint)
    return Fit(mean, scale, recorder.history, recorder.best_epoch, interrupted)


def predict(core: keras.Model, images: UInt8Array, mean: float, scale: float) -> Float64Array:
    """Return values ``[N]``, label's unit, of a fitted core for uint8 ``[N, V, S, S, 3]``."""
    parts = [
        keras.ops.convert_to_numpy(core(graph_input(batch), training=False))
        for batch in np.array_split(images, max(1, len(images) // 256))
    ]
    values: Float64Array = np.concatenate(parts).astype(np.float64) * scale + mean
    return values


def _schedule(settings: FitSettings, steps: int) -> keras.optimizers.schedules.LearningRateSchedule:
    total = settings.epochs * steps
    warmup = max(1, round(_WARMUP * total))
    return keras.optimizers.schedules.CosineDecay(
        0.0, max(1, total - warmup), warmup_target=settings.learning_rate, warmup_steps=warmup
    )


def _batches(
    data: LabelledPictures,
    mean: float,
    scale: float,
    augmentation: Augmentation | None,
    settings: FitSettings,
) -> Any:
    """Batches of uint8 pictures and standardized labels, reproducible by the seed."""
    labels = ((data.values - mean) / scale).astype(np.float32)
    pictures = tf.data.Dataset.from_tensor_slices((data.images, labels))
    batches = pictures.shuffle(len(labels), seed=settings.seed, reshuffle_each_iteration=True).batch(
        settings.batch_size
    )
    seeds = tf.data.Dataset.random(seed=settings.seed, rerandomize_each_iteration=True).batch(2)

    def prepare(batch: tuple[Any, Any], seed: Any) -> tuple[Any, Any]:
        images = batch[0] if augmentation is None else augment(batch[0], seed, augmentation)
        return graph_input(images), batch[1]

    return tf.data.Dataset.zip((batches, seeds)).map(prepare, num_parallel_calls=2).prefetch(2)


class _Recorder(keras.callbacks.Callback):
    """Measures the validation error in the label's unit, keeps the best weights, draws the progress bar."""

    def __init__(
        self,
        core: keras.Model,
        val: LabelledPictures,
        mean: float,
        scale: float,
        unit: str,
        settings: FitSettings,
        checkpoint: Path,
    ) -> None:
        super().__init__()
        self.core, self.val, self.mean, self.scale = core, val, mean, scale
        self.unit, self.settings, self.checkpoint = unit, settings, checkpoint
        self.history: list[dict[str, float]] = []
        self.best_epoch = 0
        self._best = float("inf")
        # disable=None: silent when stderr is not a terminal.
        self._bar = tqdm(total=settings.epochs, unit="epoch", desc="train", file=sys.stderr, disable=None)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        predicted = predict(self.core, self.val.images, self.mean, self.scale)
        val_mae = float(np.mean(np.abs(predicted - self.val.values)))
        self.history.append(
            {
                "epoch": epoch + 1,
                "loss": float((logs or {}).get("loss", float("nan"))),
                "val_mae": val_mae,
                "learning_rate": float(keras.ops.convert_to_numpy(self.core.optimizer.learning_rate)),
            }
        )
        if val_mae < self._best:
            self.core.save_weights(self.checkpoint, overwrite=True)
            self._best, self.best_epoch = val_mae, epoch + 1
        elif epoch + 1 - self.best_epoch >= self.settings.patience:
            self.core.stop_training = True
        self._bar.set_postfix_str(
            f"validation MAE {val_mae:.4g} {self.unit}, best {self._best:.4g} at epoch {self.best_epoch}"
        )
        self._bar.update()

    def close(self) -> None:
        """Leave the bar as it is."""
        self._bar.close()
