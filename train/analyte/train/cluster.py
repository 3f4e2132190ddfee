"""The cluster that this process belongs to, as the variable ``TF_CONFIG`` tells TensorFlow."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from analyte.contract.errors import InputError
from analyte.contract.native_output import native_stderr_off
from analyte.contract.validation import in_words

if TYPE_CHECKING:
    from analyte.train.distribution import Workers

VARIABLE = "TF_CONFIG"
_EXAMPLE = 'such as {"cluster": {"worker": ["HOST:PORT", ...]}, "task": {"type": "worker", "index": 0}}'


class _Addresses(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    chief: tuple[str, ...] = Field(default=(), max_length=1)
    worker: tuple[str, ...] = ()


class _Task(BaseModel):
    model_config = ConfigDict(frozen=True)

    type: str
    index: int = Field(ge=0)


class _Config(BaseModel):
    model_config = ConfigDict(frozen=True)

    cluster: _Addresses = _Addresses()
    task: _Task = _Task(type="worker", index=0)


@dataclass(frozen=True, slots=True)
class Cluster:
    """The workers of one training, this process among them."""

    addresses: tuple[str, ...]
    """``HOST:PORT`` of each, the chief's first."""
    index: int
    """Of this process."""

    @property
    def size(self) -> int:
        """How many workers there are."""
        return len(self.addresses)

    @property
    def is_chief(self) -> bool:
        """Whether this process is the one that prints and writes."""
        return self.index == 0


def cluster_from_environment() -> Cluster | None:
    """Return the cluster of ``TF_CONFIG``, or None where it is not set or names one worker only.

    Raises: InputError where it cannot be understood.
    """
    text = os.environ.get(VARIABLE)
    if not text:
        return None
    try:
        config = _Config.model_validate_json(text)
    except ValidationError as error:
        raise InputError(
            f"cannot be understood: {in_words(error)}",
            where=VARIABLE,
            expected=_EXAMPLE,
        ) from error
    chief, workers, task = config.cluster.chief, config.cluster.worker, config.task
    if len(chief) + len(workers) < 2:
        return None
    own = {"chief": chief, "worker": workers}.get(task.type, ())
    if task.index >= len(own):
        raise InputError(
            "this process is not in the cluster",
            where=VARIABLE,
            expected=f"chief 0 or worker 0 to {len(workers) - 1}"
            if chief
            else f"worker 0 to {len(workers) - 1}",
            got=f"{task.type} {task.index}",
        )
    return Cluster((*chief, *workers), task.index + (len(chief) if task.type == "worker" else 0))


def start_workers(cluster: Cluster) -> Workers:
    """Start TensorFlow silently as a worker of ``cluster``, in the place of `start_tensorflow`.

    Returns when all workers are there; the strategy has to come before any other use of TensorFlow.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with native_stderr_off():
        import tensorflow as tf

        strategy = tf.distribute.MultiWorkerMirroredStrategy()
    from analyte.train.distribution import Workers

    return Workers(strategy, cluster)
