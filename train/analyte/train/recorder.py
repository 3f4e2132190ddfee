"""What happens around a fit: the validation error after every epoch, checkpoints, the bar, Ctrl-C."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
from tqdm import tqdm

from analyte.train.workers import Team


class CtrlC:
    """Turns the first Ctrl-C into a wish to stop, which is granted between two batches.

    An exception thrown into the middle of a TensorFlow call can leave its memory damaged, and then the best
    weights could not be saved any more. A second Ctrl-C is raised as usual.
    """

    def __init__(self) -> None:
        self.asked = False
        self._before: Any = None

    def __enter__(self) -> CtrlC:
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


class Recorder(keras.callbacks.Callback):
    """Measures the validation error in the label's unit, keeps the best weights, draws the progress bar.

    ``val_mae``: gives the mean absolute error on the validation split, label's unit; None keeps the weights
    of the last epoch.
    """

    def __init__(
        self,
        core: keras.Model,
        *,
        val_mae: Callable[[], float] | None,
        unit: str,
        epochs: int,
        patience: int,
        checkpoint: Path,
        ctrl_c: CtrlC,
        team: Team,
    ) -> None:
        super().__init__()
        self._core, self._val_mae, self._unit, self._patience = core, val_mae, unit, patience
        self.checkpoint, self._ctrl_c, self._team = checkpoint, ctrl_c, team
        self.stopped = False
        self.history: list[dict[str, float]] = []
        self.best_epoch = 0
        self._best = float("inf")
        # disable=None: silent when stderr is not a terminal.
        silent = None if team.index == 0 else True
        self._bar = tqdm(total=epochs, unit="epoch", desc="train", file=sys.stderr, disable=silent)

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Stop here when Ctrl-C asked for it and all workers know."""
        if self._team.stops(self._ctrl_c.asked, logs or {}):
            self.stopped = self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Measure, record, and keep the weights if they are the best so far."""
        if self.stopped:
            return  # an epoch that was cut short
        done = len(self.history) + 1
        entry = {
            "epoch": done,
            "loss": float((logs or {}).get("loss", float("nan"))),
        }
        if self._val_mae is None:
            self.best_epoch = done
            note = f"loss {entry['loss']:.4g}"
        else:
            entry["val_mae"] = error = self._val_mae()
            if error < self._best:
                self._keep()
                self._best, self.best_epoch = error, done
            elif done - self.best_epoch >= self._patience:
                self.model.stop_training = True
            note = (
                f"validation MAE {error:.4g} {self._unit}, best {self._best:.4g} at epoch {self.best_epoch}"
            )
        entry["learning_rate"] = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        self.history.append(entry)
        self._bar.set_postfix_str(note)
        self._bar.update()

    def _keep(self) -> None:
        # Ctrl-C may come in the middle: the old checkpoint stays until the new one is whole.
        draft = self.checkpoint.with_name("draft.weights.h5")
        self._core.save_weights(draft, overwrite=True)
        draft.replace(self.checkpoint)

    def close(self) -> None:
        """Leave the bar as it is."""
        self._bar.close()
