"""Fitting one network: batches, schedule, checkpoints, early stopping, and a Ctrl-C that loses nothing."""

from __future__ import annotations

import signal
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from analyte.contract.arrays import Float64Array, UInt8Array
from analyte.contract.errors import AnalyteError
from analyte.contract.label import LabelSpec
from analyte.contract.run import graph_input
from analyte.train.augmentation import Augmentation, augment
from analyte.train.histogram_head import targets

BATCH_SIZES = (64, 32, 16)
_STEPS = 30
"""Fewer steps per epoch leave a small data set undertrained at the default number of epochs."""
_PREDICT_BATCH = 256
_WARMUP = 0.1
"""Share of the steps over which the learning rate rises."""


@dataclass(frozen=True, slots=True)
class FitSettings:
    """How a network is fitted."""

    epochs: int = 60
    patience: int = 25
    """Epochs without a better validation error before training stops."""
    batch_size: int | None = None
    """Samples per step; None takes the largest of `BATCH_SIZES` that gives `_STEPS` steps per epoch."""
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

    history: list[dict[str, float]]
    """One entry per epoch: ``epoch``, ``loss`` (cross-entropy), ``val_mae`` and ``learning_rate``."""
    best_epoch: int
    interrupted: bool


def fit(
    core: keras.Model,
    train: LabelledPictures,
    val: LabelledPictures,
    *,
    augmentation: Augmentation | None,
    settings: FitSettings,
    label: LabelSpec,
) -> Fit:
    """Fit ``core`` in place and leave the weights of its best epoch in it.

    Raises: AnalyteError when no epoch gave a finite error; KeyboardInterrupt before the first good epoch.
    """
    learner = keras.Model(core.input, core.output["logits"])
    batch_size = choose_batch_size(len(train.values), settings)
    steps = -(-len(train.values) // batch_size)
    optimizer = keras.optimizers.AdamW(
        _schedule(settings, steps), weight_decay=settings.weight_decay, clipnorm=1.0
    )
    learner.compile(optimizer, keras.losses.CategoricalCrossentropy(from_logits=True))
    with tempfile.TemporaryDirectory() as folder, _CtrlC() as ctrl_c:
        recorder = _Recorder(core, val, label.unit, settings, Path(folder) / "best.weights.h5", ctrl_c)
        try:
            learner.fit(
                _batches(train, label, augmentation, batch_size, settings.seed),
                epochs=settings.epochs,
                verbose=0,
                shuffle=False,  # the batches are shuffled already
                callbacks=[recorder],
            )
        finally:
            recorder.close()
        if ctrl_c.asked and recorder.best_epoch == 0:
            raise KeyboardInterrupt  # nothing to keep
        if recorder.best_epoch == 0:
            raise AnalyteError(
                "training ended without one good epoch",
                got="no finite validation error",
                fix="Lower --learning-rate, or check the labels",
            )
        core.load_weights(recorder.checkpoint)
    return Fit(recorder.history, recorder.best_epoch, ctrl_c.asked)


def predict(core: keras.Model, images: UInt8Array) -> tuple[Float64Array, Float64Array]:
    """Return values and sigmas, each ``[N]``, label's unit, for uint8 ``[N, V, S, S, 3]``."""
    parts: dict[str, list[Any]] = {"value": [], "sigma": []}
    for start in range(0, len(images), _PREDICT_BATCH):
        outputs = core(graph_input(images[start : start + _PREDICT_BATCH]), training=False)
        for name, part in parts.items():
            part.append(keras.ops.convert_to_numpy(outputs[name]))
    value, sigma = (np.concatenate(parts[name]).astype(np.float64) for name in ("value", "sigma"))
    return value, sigma


def choose_batch_size(samples: int, settings: FitSettings) -> int:
    """Return the samples per step for a training split of ``samples``."""
    if settings.batch_size is not None:
        return settings.batch_size
    enough = [size for size in BATCH_SIZES if samples >= _STEPS * size]
    return enough[0] if enough else BATCH_SIZES[-1]


def _schedule(settings: FitSettings, steps: int) -> keras.optimizers.schedules.LearningRateSchedule:
    total = settings.epochs * steps
    warmup = max(1, round(_WARMUP * total))
    return keras.optimizers.schedules.CosineDecay(
        0.0, max(1, total - warmup), warmup_target=settings.learning_rate, warmup_steps=warmup
    )


def _batches(
    data: LabelledPictures,
    label: LabelSpec,
    augmentation: Augmentation | None,
    batch_size: int,
    seed: int,
) -> Any:
    """Batches of uint8 pictures and the head's targets, reproducible by the seed."""
    pictures = tf.data.Dataset.from_tensor_slices((data.images, targets(data.values, label)))
    batches = pictures.shuffle(len(data.values), seed=seed, reshuffle_each_iteration=True).batch(batch_size)
    seeds = tf.data.Dataset.random(seed=seed, rerandomize_each_iteration=True).batch(2)

    def prepare(batch: tuple[Any, Any], seed: Any) -> tuple[Any, Any]:
        images = batch[0] if augmentation is None else augment(batch[0], seed, augmentation)
        return graph_input(images), batch[1]

    return tf.data.Dataset.zip((batches, seeds)).map(prepare, num_parallel_calls=2).prefetch(2)


class _CtrlC:
    """Turns the first Ctrl-C into a wish to stop, which is granted between two batches.

    An exception thrown into the middle of a TensorFlow call can leave its memory damaged, and then the best
    weights could not be saved any more. A second Ctrl-C is raised as usual.
    """

    def __init__(self) -> None:
        self.asked = False
        self._before: Any = None

    def __enter__(self) -> _CtrlC:
        # Only the main thread may set handlers; elsewhere Ctrl-C does not arrive either.
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _ask(self, *_: object) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True


class _Recorder(keras.callbacks.Callback):
    """Measures the validation error in the label's unit, keeps the best weights, draws the progress bar."""

    def __init__(
        self,
        core: keras.Model,
        val: LabelledPictures,
        unit: str,
        settings: FitSettings,
        checkpoint: Path,
        ctrl_c: _CtrlC,
    ) -> None:
        super().__init__()
        self.core, self.val, self.unit = core, val, unit
        self.settings, self.checkpoint, self._ctrl_c = settings, checkpoint, ctrl_c
        self.history: list[dict[str, float]] = []
        self.best_epoch = 0
        self._best = float("inf")
        # disable=None: silent when stderr is not a terminal.
        self._bar = tqdm(total=settings.epochs, unit="epoch", desc="train", file=sys.stderr, disable=None)

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        if self._ctrl_c.asked:
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if self._ctrl_c.asked:
            return  # an epoch that was cut short
        predicted, _ = predict(self.core, self.val.images)
        val_mae = float(np.mean(np.abs(predicted - self.val.values)))
        self.history.append(
            {
                "epoch": epoch + 1,
                "loss": float((logs or {}).get("loss", float("nan"))),
                "val_mae": val_mae,
                "learning_rate": float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)),
            }
        )
        if val_mae < self._best:
            # Ctrl-C may come in the middle: the old checkpoint stays until the new one is whole.
            draft = self.checkpoint.with_name("draft.weights.h5")
            self.core.save_weights(draft, overwrite=True)
            draft.replace(self.checkpoint)
            self._best, self.best_epoch = val_mae, epoch + 1
        elif epoch + 1 - self.best_epoch >= self.settings.patience:
            self.model.stop_training = True
        self._bar.set_postfix_str(
            f"validation MAE {val_mae:.4g} {self.unit}, best {self._best:.4g} at epoch {self.best_epoch}"
        )
        self._bar.update()

    def close(self) -> None:
        """Leave the bar as it is."""
        self._bar.close()
