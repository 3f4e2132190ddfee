"""Training with several worker processes, on one machine or on many, by TensorFlow's own distribution.

Every worker holds the whole network, computes gradients on its share of every batch, and all add them up:
the strategy is `tf.distribute.MultiWorkerMirroredStrategy`, the loop is Keras' ``fit``. Two things in Keras
3.15 stand in the way of this pair (https://github.com/keras-team/keras/issues/20585), and are avoided by
means that Keras offers:

- ``fit`` builds a model's state from a first batch, wrongly here. So the state is built beforehand, and the
  model is created outside the scope of the strategy, its layers, optimizer and metrics inside: then Keras
  builds nothing.
- ``fit`` averages the results of a step over an axis that they do not have. So they are given one.

Workers that decide differently wait for each other for ever. So the validation error is averaged over all
of them, and a wish to stop travels with the results of every step.

Batch normalization takes the mean over a worker's share of the batch; the running means are the chief's.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, Protocol

import keras
import tensorflow as tf

from analyte.contract.errors import UnavailableError
from analyte.train.cluster import Cluster
from analyte.train.recorder import CtrlC

MakeOptimizer = Callable[[], Any]
"""Makes a Keras optimizer. Called inside the scope."""

_WISH = "stop"
_LOST = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError)


class Team(Protocol):
    """Who trains: this process alone, or several workers that each run the same program."""

    def scope(self) -> AbstractContextManager[Any]:
        """Inside, layers are created and ``fit`` is called."""
        ...

    def share(self, samples: Any) -> Any:
        """Return the part of an endless `tf.data.Dataset` that this worker takes; before batching."""
        ...

    def learner(
        self, inputs: Any, outputs: Any, optimizer: MakeOptimizer, loss: Any, *, steps_at_once: int
    ) -> keras.Model:
        """Return a compiled model for ``fit``, of layers created in the scope; call it outside.

        ``steps_at_once``: Keras' ``steps_per_execution``.
        """
        ...

    def agreed(self, number: float) -> float:
        """Return the mean of a number over all workers: the same in each."""
        ...

    def ctrl_c(self) -> CtrlC:
        """Return what turns Ctrl-C at any worker into a wish to stop after the same batch in all."""
        ...

    def callbacks(self, ctrl_c: CtrlC) -> list[Any]:
        """Return what has to stand before other callbacks in ``fit``."""
        ...


class Alone:
    """A team of this process only."""

    def scope(self) -> AbstractContextManager[Any]:
        """See `Team`."""
        return contextlib.nullcontext()

    def share(self, samples: Any) -> Any:
        """See `Team`."""
        return samples

    def learner(
        self, inputs: Any, outputs: Any, optimizer: MakeOptimizer, loss: Any, *, steps_at_once: int
    ) -> keras.Model:
        """See `Team`."""
        learner = keras.Model(inputs, outputs)
        learner.compile(optimizer(), loss, jit_compile=False, steps_per_execution=steps_at_once)
        return learner

    def agreed(self, number: float) -> float:
        """See `Team`."""
        return number

    def ctrl_c(self) -> CtrlC:
        """See `Team`."""
        return CtrlC()

    def callbacks(self, ctrl_c: CtrlC) -> list[Any]:
        """See `Team`."""
        return []


class Workers:
    """One of several workers; made by `analyte.train.cluster.start_workers`."""

    def __init__(self, strategy: Any, cluster: Cluster) -> None:
        self._strategy, self._cluster = strategy, cluster
        # Outside the scope: every worker has its own.
        self._wish = tf.Variable(0.0, trainable=False)

    @contextlib.contextmanager
    def scope(self) -> Iterator[None]:
        """See `Team`. Raises: UnavailableError when another worker is lost."""
        try:
            with self._strategy.scope():
                yield
        except _LOST as error:
            raise UnavailableError(
                "a worker of the training is lost",
                where=", ".join(self._cluster.addresses),
                got=str(error.message).split(": ", 1)[-1][:200],
                fix="Look at what it printed last, and train again",
            ) from error

    def share(self, samples: Any) -> Any:
        """See `Team`. All workers have to shuffle alike: by the same seed."""
        options = tf.data.Options()
        # It is shared out here, before any work on it; TensorFlow would do all work in every worker.
        options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
        return samples.shard(self._cluster.size, self._cluster.index).with_options(options)

    def learner(
        self, inputs: Any, outputs: Any, optimizer: MakeOptimizer, loss: Any, *, steps_at_once: int
    ) -> keras.Model:
        """See `Team`."""
        learner = _Learner(inputs, outputs, name="learner")
        learner.wish = self._wish
        with self._strategy.scope():
            made = optimizer()
            if made.clipnorm is not None:
                # Every worker clips its own gradients, which are then added up.
                made.clipnorm /= self._cluster.size
            learner.compile(made, loss, jit_compile=False, steps_per_execution=steps_at_once)
            made.build(learner.trainable_variables)
        return learner

    def agreed(self, number: float) -> float:
        """See `Team`."""
        with self._strategy.scope():
            return float(self._strategy.reduce("MEAN", tf.constant(number, tf.float64), axis=None))

    def ctrl_c(self) -> CtrlC:
        """See `Team`."""
        self._wish.assign(0.0)
        return _SharedCtrlC(self._wish)

    def callbacks(self, ctrl_c: CtrlC) -> list[Any]:
        """See `Team`."""
        return [_Granted(ctrl_c)]


class _Learner(keras.Model):
    """A model whose results of a step have an axis, and hold the wish of the workers to stop."""

    wish: Any

    def train_step(self, data: Any) -> dict[str, Any]:
        results = super().train_step(data) | {_WISH: self.wish.read_value()}
        return {name: tf.reshape(value, [1]) for name, value in results.items()}


class _SharedCtrlC(CtrlC):
    """Ctrl-C that is granted once all workers know of it."""

    def __init__(self, wish: Any) -> None:
        super().__init__()
        self._wish, self._pressed = wish, False

    def _ask(self, *_: object) -> None:
        if self._pressed:
            raise KeyboardInterrupt
        self._pressed = True
        self._wish.assign(1.0)


class _Granted(keras.callbacks.Callback):
    """Grants the wish to stop once a step's results show that somebody has it: in all at once."""

    def __init__(self, ctrl_c: CtrlC) -> None:
        super().__init__()
        self._ctrl_c = ctrl_c

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        if (logs or {}).get(_WISH, 0.0) > 0:
            self._ctrl_c.asked = True
