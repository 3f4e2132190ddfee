"""Fitting one network: loss, schedule, early stopping, the best epoch's weights."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from analyte.contract.arrays import Float64Array
from analyte.contract.errors import AnalyteError, SettingsError
from analyte.contract.label import LabelSpec
from analyte.contract.run import network_input
from analyte.train.augmentation import Augmentation
from analyte.train.batches import LabelledPictures, training_batches
from analyte.train.heads.constant_sigma import set_sigma
from analyte.train.heads.registry import HEADS
from analyte.train.label_scale import LabelScale
from analyte.train.network import NetworkSettings
from analyte.train.recorder import CtrlC, Recorder
from analyte.train.workers import ALONE, Team

BATCH_SIZES = (64, 32, 16)
_STEPS = 30
"""Fewer steps per epoch leave a small data set undertrained at the default number of epochs."""
_LEAST_STEPS = 16
"""Steps per epoch of the smallest data sets, which are passed over more than once: 60 epochs of the four
steps that 40 samples make are too few to learn anything."""
_PREDICT_BATCH = 256
_WARMUP = 0.1
"""Share of the steps over which the learning rate rises."""
_LEAST_SIGMA = 1e-4
"""Fraction of the scaled range: least constant sigma."""


@dataclass(frozen=True, slots=True)
class FitSettings:
    """How a network is fitted."""

    epochs: int = 60
    patience: int = 30
    """Epochs without a better validation error before training stops."""
    batch_size: int | None = None
    """Samples per step; None takes the largest of `BATCH_SIZES` that gives `_STEPS` steps per epoch."""
    learning_rate: float = 4e-3
    """Peak of the schedule: linear warm-up, then cosine to zero."""
    weight_decay: float = 1e-4
    seed: int = 0
    team: Team = ALONE
    """Who shares the work. All have the same settings, data and first weights."""


@dataclass(frozen=True, slots=True)
class Fit:
    """What fitting gives. Errors are in the label's unit."""

    history: list[dict[str, float]]
    """One entry per epoch: ``epoch``, ``loss``, ``learning_rate``, and ``val_mae`` where there was a
    validation split."""
    best_epoch: int
    interrupted: bool


def fit(
    core: keras.Model,
    network: NetworkSettings,
    train: LabelledPictures,
    val: LabelledPictures | None,
    *,
    augmentation: Augmentation | None,
    settings: FitSettings,
    label: LabelSpec,
) -> Fit:
    """Fit ``core`` in place and leave the weights of its best epoch in it (of the last, without ``val``).

    Raises: AnalyteError when no epoch gave a finite error; SettingsError when the batch cannot be shared out;
    UnavailableError when another worker is lost; KeyboardInterrupt before the first good epoch.
    """
    scale = LabelScale.of(label, network.transform)
    head = HEADS[network.head]
    team = settings.team
    learner = team.learner(core)
    batch_size = choose_batch_size(len(train.values), settings)
    if batch_size % team.count:
        raise SettingsError(
            "the workers cannot share the batch",
            where="--batch-size",
            expected=f"a multiple of {team.count}",
            got=batch_size,
            fix="Set --batch-size to such a number, or another number of workers",
        )
    steps = _steps_per_epoch(len(train.values), batch_size)
    optimizer = keras.optimizers.AdamW(
        _schedule(settings, steps), weight_decay=settings.weight_decay, clipnorm=1.0
    )
    # No XLA: on two CPU cores it compiles for seconds and runs no faster (docs/training-speed.md).
    learner.compile(
        optimizer,
        head.loss(network.loss, scale),
        jit_compile=False,
        steps_per_execution=team.steps_at_once,
    )
    with tempfile.TemporaryDirectory() as folder, CtrlC() as ctrl_c:
        recorder = Recorder(
            core,
            val_mae=None if val is None else lambda: team.agreed(mean_error(core, val)),
            unit=label.unit,
            epochs=settings.epochs,
            patience=settings.patience,
            checkpoint=Path(folder) / "best.weights.h5",
            ctrl_c=ctrl_c,
            team=team,
        )
        targets = head.targets(scale.scaled(train.values), scale)
        batches = training_batches(
            train,
            targets,
            augmentation,
            batch_size=batch_size,
            seed=settings.seed,
            share=(team.count, team.index),
        )
        try:
            with team.together():
                learner.fit(
                    batches,
                    steps_per_epoch=steps,
                    epochs=settings.epochs,
                    verbose=0,
                    shuffle=False,  # the batches are shuffled already
                    callbacks=[recorder],
                )
                # One worker may be asked in the last step of all: what comes next is decided together.
                interrupted = team.agreed(float(ctrl_c.asked or recorder.stopped)) > 0
        finally:
            recorder.close()
        if interrupted and recorder.best_epoch == 0:
            raise KeyboardInterrupt  # nothing to keep
        if recorder.best_epoch == 0 or not np.isfinite(recorder.history[recorder.best_epoch - 1]["loss"]):
            raise AnalyteError(
                "training ended without one good epoch",
                got="no finite error",
                fix="Lower --learning-rate, or check the labels",
            )
        if val is not None:
            core.load_weights(recorder.checkpoint)
    if not head.learns_sigma:
        _calibrate_sigma(core, train if val is None else val, scale)
    return Fit(recorder.history, recorder.best_epoch, interrupted)


def predict(core: keras.Model, data: LabelledPictures) -> dict[str, Float64Array]:
    """Return ``value`` and ``sigma``, each ``[N]``, label's unit, and ``features`` ``[N, F]``."""
    parts: dict[str, list[Any]] = {"value": [], "sigma": [], "features": []}
    for start in range(0, len(data.values), _PREDICT_BATCH):
        part = data.take(slice(start, start + _PREDICT_BATCH))
        outputs = core(network_input(part.images, part.covariates), training=False)
        for name, found in parts.items():
            found.append(keras.ops.convert_to_numpy(outputs[name]))
    return {name: np.concatenate(found).astype(np.float64) for name, found in parts.items()}


def mean_error(core: keras.Model, data: LabelledPictures) -> float:
    """Return the mean absolute error, label's unit."""
    return float(np.mean(np.abs(predict(core, data)["value"] - data.values)))


def choose_batch_size(samples: int, settings: FitSettings) -> int:
    """Return the samples per step for a training split of ``samples``."""
    if settings.batch_size is not None:
        return settings.batch_size
    enough = [size for size in BATCH_SIZES if samples >= _STEPS * size]
    return enough[0] if enough else BATCH_SIZES[-1]


def _steps_per_epoch(samples: int, batch_size: int) -> int:
    # Rounded up to whole executions, the same for any team.
    steps = max(_LEAST_STEPS, -(-samples // batch_size))
    return -(-steps // ALONE.steps_at_once) * ALONE.steps_at_once


def _schedule(settings: FitSettings, steps: int) -> keras.optimizers.schedules.LearningRateSchedule:
    total = settings.epochs * steps
    warmup = max(1, round(_WARMUP * total))
    return keras.optimizers.schedules.CosineDecay(
        0.0, max(1, total - warmup), warmup_target=settings.learning_rate, warmup_steps=warmup
    )


def _calibrate_sigma(core: keras.Model, data: LabelledPictures, scale: LabelScale) -> None:
    """Give a constant sigma the size of the residuals on data, on the scale of the label."""
    residuals = scale.scaled(predict(core, data)["value"]) - scale.scaled(data.values)
    least = _LEAST_SIGMA * (scale.high - scale.low)
    set_sigma(core, max(least, float(np.sqrt(np.mean(residuals**2)))))
