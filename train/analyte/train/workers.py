"""Several workers that fit one network together, by TensorFlow's own distribution.

Each runs the same program and takes its share of every batch; gradients are added up by
`tf.distribute.MultiWorkerMirroredStrategy`, after which all take the same step with the same weights.

Keras 3 cannot ``fit`` under that strategy (https://github.com/keras-team/keras/issues/20585). So ``fit``, the
weights and the optimizer are those of one process, and only the gradients are computed under the strategy, in
a `train_step` of our own. That also clips the gradients of the whole batch and not those of the shares.

Workers that decide differently wait for each other for ever: what is decided by is averaged over all.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from typing import Any

import keras
import tensorflow as tf
from tensorflow.python import eager

from analyte.contract.errors import InputError, SettingsError, UnavailableError
from analyte.train.local_workers import CLUSTER

_EXAMPLE = '{"cluster": {"worker": ["HOST:PORT", ...]}, "task": {"type": "worker", "index": 0}}'
_LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.InternalError,
)
_STOP = "stop"
_SILENCE_S = 60
"""A worker that is not heard of for so long is lost. TensorFlow's own 10 s end trainings on busy machines."""


class Team:
    """Who fits a network: this process alone, unless it is one of `Workers`."""

    count = 1
    """How many share the work."""
    index = 0
    """Which of them this process is; the first is the chief, who alone prints and writes."""
    steps_at_once = 4
    """Steps between two returns to Python, which would cost as much as a step on small pictures."""

    def learner(self, core: keras.Model) -> keras.Model:
        """Return what ``fit`` is called on: the part of ``core`` that the head's loss compares."""
        return keras.Model(core.input, core.output["fitted"])

    def together(self) -> contextlib.AbstractContextManager[None]:
        """Give a context for what needs all workers. Raises: UnavailableError when another one is lost."""
        return contextlib.nullcontext()

    def agreed(self, number: float) -> float:
        """Return the mean of a number over all workers: the same in each."""
        return number

    def stops(self, asked: bool, logs: Mapping[str, float]) -> bool:
        """Say whether all stop here. ``asked``: here; ``logs``: of the step that was done."""
        return asked


ALONE = Team()


class Workers(Team):
    """One of several workers, each with one device."""

    steps_at_once = 1  # TensorFlow cannot run Keras' loop over steps with a sum over workers in it

    def __init__(self, strategy: Any) -> None:
        self._strategy = strategy
        self.count, self.index = strategy.num_replicas_in_sync, _index(strategy.cluster_resolver)
        self._wish = tf.Variable(0.0, trainable=False)

    def learner(self, core: keras.Model) -> keras.Model:
        """See `Team`. Batches are normalized by the statistics of all shares."""
        for layer in core._flatten_layers(include_self=False):
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.synchronized = True
        self._wish.assign(0.0)
        learner = _Learner(core.input, core.output["fitted"], name="learner")
        learner.strategy, learner.wish = self._strategy, self._wish
        return learner

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """See `Team`."""
        try:
            yield
        except _LOST as error:
            raise UnavailableError(
                "another worker of this training is lost",
                where=f"worker {self.index} of {self.count}",
                got=_cause(error.message),
                fix="See what the others printed, and train again",
            ) from error

    def agreed(self, number: float) -> float:
        """See `Team`."""
        return float(self._strategy.reduce("MEAN", tf.constant(number, tf.float64), axis=None))

    def stops(self, asked: bool, logs: Mapping[str, float]) -> bool:
        """See `Team`. A wish takes one step to be known to all."""
        self._wish.assign(float(asked))
        return float(logs[_STOP]) > 0


class _Learner(keras.Model):
    """A model whose gradients, loss and wish to stop are those of all workers."""

    strategy: Any
    wish: Any

    def train_step(self, data: Any) -> dict[str, Any]:
        """Take one step; ``data``: this worker's share of the batch, inputs and targets."""

        def across(_: Any) -> Any:
            with self.strategy.scope():
                return self.strategy.run(self._summed, args=data)

        loss, stop, *gradients = tf.distribute.get_replica_context().merge_call(across)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_weights, strict=True))
        for metric in self.metrics:
            metric.update_state(loss)
        return {**self.get_metrics_result(), _STOP: stop}

    def _summed(self, inputs: Any, targets: Any) -> Any:
        """Return loss, wish to stop and gradients, summed over workers: Keras divides each loss for it."""
        with tf.GradientTape() as tape:
            loss = self.compute_loss(x=inputs, y=targets, y_pred=self(inputs, training=True))
        own = [loss, self.wish.read_value(), *tape.gradient(loss, self.trainable_weights)]
        return tf.distribute.get_replica_context().all_reduce("SUM", own)


def join_workers() -> Team:
    """Return the team that `CLUSTER` names, once all its workers are there; `ALONE` where it is not set.

    To be called before anything else that uses TensorFlow.

    Raises: InputError when the variable cannot be understood; SettingsError when a worker has many devices.
    """
    if not os.environ.get(CLUSTER):
        return ALONE
    try:
        cluster = tf.distribute.cluster_resolver.TFConfigClusterResolver()
        jobs = cluster.cluster_spec().as_dict()
        size = len(jobs.get("chief", ())) + len(jobs.get("worker", ()))
        if size < 2:
            return ALONE
        _be_patient(jobs)
        strategy = tf.distribute.MultiWorkerMirroredStrategy(cluster)
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise InputError("cannot be used", where=CLUSTER, expected=_EXAMPLE, got=error) from error
    if strategy.num_replicas_in_sync != size:
        raise SettingsError(
            "each worker takes one device",
            where=CLUSTER,
            got=f"{strategy.num_replicas_in_sync} devices of {size} workers",
            fix="Start one worker for each, with CUDA_VISIBLE_DEVICES",
        )
    return Workers(strategy)


def _index(cluster: Any) -> int:
    """Return the number of this process among all; a task of type chief comes before those of type worker."""
    chiefs = len(cluster.cluster_spec().as_dict().get("chief", ()))
    return int(cluster.task_id) + (chiefs if cluster.task_type == "worker" else 0)


def _be_patient(jobs: Mapping[str, Any]) -> None:
    """Set how long a worker may be silent. TensorFlow has no public way to do that."""
    context = eager.context
    context.context().configure_coordination_service(
        "standalone",
        service_leader=f"/job:{'chief' if 'chief' in jobs else 'worker'}/replica:0/task:0",
        coordinated_jobs=[
            context.coordination_config_pb2.CoordinatedJob(name=job, num_tasks=len(addresses))
            for job, addresses in jobs.items()
        ],
        heartbeat_timeout_in_ms=1000 * _SILENCE_S,
    )


def _cause(message: str) -> str:
    """Return the line of a long message of TensorFlow that says why workers stopped."""
    lines = [line for line in message.splitlines() if line.strip()]
    return next((line for line in lines if " aborted by" in line), lines[-1])[:300]
