"""From a dataset to a fitted network with everything that is known of it."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from analyte.contract.baseline import Baseline
from analyte.contract.calibration_curve import fit_baseline
from analyte.contract.covariates import CovariateSpec, fit_covariates
from analyte.contract.dataset import Dataset
from analyte.contract.errors import DatasetError, SettingsError
from analyte.contract.preprocessing import PreprocessingSpec
from analyte.train.augmentation import AUGMENTATIONS, Augmentation
from analyte.train.batches import LabelledPictures
from analyte.train.cross_validation import OutOfFold, Predicted, cross_validate, fold_seed, hold_back
from analyte.train.fitting import Fit, FitSettings, fit, predict
from analyte.train.heads.constant_sigma import get_sigma, set_sigma
from analyte.train.heads.registry import HEADS
from analyte.train.network import CovariateInput, NetworkInput, build_core
from analyte.train.parts import Part, choose_size, join_parts, load_part
from analyte.train.recipes.weights import freeze_backbone, load_backbone_weights
from analyte.train.settings import TrainSettings

_MIN_TRAIN = 8
_FROZEN_SHARE = 0.3
"""Share of the epochs in which a pretrained backbone stays as it is, while the new head learns."""
_FINE_TUNING = 0.1
"""Learning rate after that, as a fraction."""


@dataclass(frozen=True, slots=True)
class Trained:
    """What training gives."""

    dataset: Dataset
    settings: TrainSettings
    preprocessing: PreprocessingSpec
    covariates: CovariateSpec
    train: Part
    val: Part
    core: keras.Model
    """With the weights of the best epoch."""
    fit: Fit
    baseline: Baseline
    folds: OutOfFold | None
    seconds: float


def train(dataset: Dataset, settings: TrainSettings) -> Trained:
    """Train on a dataset whose splits are assigned. The test split is not looked at.

    Raises: DatasetError, SettingsError, AnalyteError.
    """
    started = time.monotonic()
    _reproducible(settings.fit.seed)
    preprocessing = PreprocessingSpec(size=choose_size(dataset, settings.network.recipe, settings.size))
    covariates = fit_covariates(
        dataset.spec.covariates,
        dataset.spec.categorical_covariates,
        [dataset.covariates_of(sample) for sample in dataset.subset("train").samples],
    )
    parts = [load_part(dataset, name, preprocessing, covariates) for name in ("train", "val")]
    _check(dataset, parts[0])
    baseline = fit_baseline(parts[0].data.images, parts[0].data.values, parts[0].groups)
    core, fitted = fit_one(dataset, settings, preprocessing.size, covariates, *parts, seed=settings.fit.seed)
    folds = None
    if settings.folds is not None and not fitted.interrupted:
        folds = _fold(dataset, settings, preprocessing.size, covariates, join_parts(parts), core)
    return Trained(
        dataset=dataset,
        settings=settings,
        preprocessing=preprocessing,
        covariates=covariates,
        train=parts[0],
        val=parts[1],
        core=core,
        fit=fitted,
        baseline=baseline,
        folds=folds,
        seconds=time.monotonic() - started,
    )


def _fold(
    dataset: Dataset,
    settings: TrainSettings,
    size: int,
    covariates: CovariateSpec,
    part: Part,
    core: keras.Model,
) -> OutOfFold:
    """Cross-validate the procedure that gave ``core``: each fold holds back a validation part of its own."""
    assert settings.folds is not None
    folds = settings.folds
    constant = not HEADS[settings.network.head].learns_sigma

    def fold(inside: Part, outside: Part, number: int) -> Predicted:
        seed = fold_seed(settings.fit.seed, number)
        train, val = hold_back(inside, folds, seed)
        of_fold, done = fit_one(dataset, settings, size, covariates, train, val, seed=seed)
        if done.interrupted:
            raise KeyboardInterrupt  # a fold that was cut short says nothing of the others
        if constant:
            # Intervals are multiples of sigma: errors here and readings there need the same one.
            set_sigma(of_fold, get_sigma(core))
        return predict(of_fold, outside.data)

    return cross_validate(part, folds, fold)


def fit_one(
    dataset: Dataset,
    settings: TrainSettings,
    size: int,
    covariates: CovariateSpec,
    train: Part,
    val: Part | None,
    *,
    seed: int,
) -> tuple[keras.Model, Fit]:
    """Build and fit one network; ``val`` chooses its epoch, without it the last one is kept."""
    _reproducible(seed)
    core = build_core(settings.network, _takes(dataset, size, train.data, covariates))
    chosen = dataclasses.replace(settings.fit, seed=seed)
    data = (train.data, None if val is None else val.data)
    if settings.weights is None:
        return core, _fit(core, dataset, settings, chosen, *data)
    if not settings.network.recipe.pretrained:
        raise SettingsError(
            "the recipe has no pretrained part",
            where="--weights",
            expected="a transfer recipe",
            got=settings.network.recipe.name,
            fix="analyte recipes --help says which take weights; leave --weights out for the others",
        )
    load_backbone_weights(core, settings.weights)
    return core, _fine_tune(core, dataset, settings, chosen, *data)


def _fit(
    core: keras.Model,
    dataset: Dataset,
    settings: TrainSettings,
    chosen: FitSettings,
    train: LabelledPictures,
    val: LabelledPictures | None,
) -> Fit:
    return fit(
        core,
        settings.network,
        train,
        val,
        augmentation=_augmentation(dataset, settings),
        settings=chosen,
        label=dataset.spec.label,
    )


def _fine_tune(
    core: keras.Model,
    dataset: Dataset,
    settings: TrainSettings,
    chosen: FitSettings,
    train: LabelledPictures,
    val: LabelledPictures | None,
) -> Fit:
    """Fit the head on the frozen backbone, then all of it gently; keep the better of the two."""
    frozen = max(1, round(_FROZEN_SHARE * chosen.epochs))
    freeze_backbone(core, frozen=True)
    first = _fit(core, dataset, settings, dataclasses.replace(chosen, epochs=frozen), train, val)
    freeze_backbone(core, frozen=False)
    if first.interrupted or frozen == chosen.epochs:
        return first
    kept = core.get_weights()
    gentle = dataclasses.replace(
        chosen, epochs=chosen.epochs - frozen, learning_rate=_FINE_TUNING * chosen.learning_rate
    )
    try:
        second = _fit(core, dataset, settings, gentle, train, val)
    except KeyboardInterrupt:  # before its first good epoch
        core.set_weights(kept)
        return Fit(first.history, first.best_epoch, interrupted=True)
    history = [*first.history, *({**entry, "epoch": entry["epoch"] + frozen} for entry in second.history)]
    if val is not None and _best(first) < _best(second):
        core.set_weights(kept)
        return Fit(history, first.best_epoch, second.interrupted)
    return Fit(history, len(first.history) + second.best_epoch, second.interrupted)


def _best(fitted: Fit) -> float:
    return fitted.history[fitted.best_epoch - 1]["val_mae"]


def _augmentation(dataset: Dataset, settings: TrainSettings) -> Augmentation | None:
    return AUGMENTATIONS[settings.augment](dataset.spec.rotation_invariant)


def _takes(dataset: Dataset, size: int, train: LabelledPictures, spec: CovariateSpec) -> NetworkInput:
    numeric = train.covariates[:, : len(spec.numeric)].astype(np.float64)
    deviations = numeric.std(axis=0)
    return NetworkInput(
        label=dataset.spec.label,
        views=dataset.spec.views,
        size=size,
        covariates=CovariateInput(
            means=tuple(numeric.mean(axis=0).tolist()),
            # A number that never varies says nothing: any scale will do.
            deviations=tuple(np.where(deviations > 0, deviations, 1.0).tolist()),
            categories=tuple(len(entry.categories) for entry in spec.categorical),
        ),
    )


def _reproducible(seed: int) -> None:
    # One seed rules initial weights, shuffling and augmentation.
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def _check(dataset: Dataset, train: Part) -> None:
    if len(train.samples) < _MIN_TRAIN:
        raise DatasetError(
            "too few training samples",
            where=dataset.root,
            expected=f"at least {_MIN_TRAIN}",
            got=len(train.samples),
            fix="Photograph more specimens, or give fewer of them to validation and test",
        )
    if np.ptp(train.data.values) == 0:
        raise DatasetError(
            "all training samples have the same value, so there is nothing to learn",
            where=dataset.root,
            got=f"{train.data.values[0]:g} {dataset.spec.unit}",
            fix="Photograph specimens of at least two values, better six",
        )
