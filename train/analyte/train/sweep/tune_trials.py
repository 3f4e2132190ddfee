"""Running trials by Ray Tune: side by side, each in its own process, started again when that dies."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ray import tune

from analyte.train.sweep.trial import run_trial

_RETRIES = 2
"""A process that was killed is started again so many times; a training that failed by itself is not."""
_REASON = "reason"

OnEnd = Callable[[int, str | None], None]
"""Takes the number of a trial that ended, and why it failed, or None where it is finished."""


def run_trials(
    trials: Mapping[int, Sequence[str]],
    *,
    workers: int | None,
    state: Path,
    on_end: OnEnd,
    say: Callable[[str], None],
) -> None:
    """Run trials, given as arguments of ``analyte train`` by their number, on the Ray that is running.

    ``workers``: how many at a time, None as many as there are cores. ``state``: folder for Ray Tune's own
    notes, gone afterwards. ``on_end`` is called in this process, and so is ``say``, which shows a line.
    """
    for name in ("ray.tune", "ray.train", "ray.air"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    tuner = tune.Tuner(
        tune.with_resources(_trial, {"cpu": 1}),
        param_space={"trial": tune.grid_search([(number, list(given)) for number, given in trials.items()])},
        tune_config=tune.TuneConfig(max_concurrent_trials=workers, reuse_actors=False),
        run_config=tune.RunConfig(
            name=state.name,
            storage_path=str(state.parent),
            failure_config=tune.FailureConfig(max_failures=_RETRIES),
            callbacks=[_Watcher(on_end, say)],
            verbose=0,
        ),
    )
    try:
        tuner.fit()
    finally:
        shutil.rmtree(state, ignore_errors=True)


def _trial(config: dict[str, Any]) -> None:
    """Runs in a worker process. A training that fails reports why, so that it is not tried again."""
    _, arguments = config["trial"]
    tune.report({_REASON: run_trial(arguments)})


class _Watcher(tune.Callback):
    """Tells what becomes of the trials."""

    def __init__(self, on_end: OnEnd, say: Callable[[str], None]) -> None:
        self._on_end, self._say = on_end, say

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._on_end(_number(trial), trial.last_result.get(_REASON))

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._say(f"the process of trial {_number(trial)} died; starting it again")

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._on_end(_number(trial), f"its process died {_RETRIES + 1} times (killed, or out of memory)")


def _number(trial: Any) -> int:
    return int(trial.config["trial"][0])
