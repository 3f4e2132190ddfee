"""Starting TensorFlow without its announcements, alone or as one of several workers."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from analyte.contract.native_output import native_stderr_off

if TYPE_CHECKING:
    from analyte.train.workers import Team


def start_tensorflow() -> None:
    """Import TensorFlow and wake its CPU device, silently.

    Its start-up lines are written by native code before any log level is read.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with native_stderr_off():
        import tensorflow as tf

        tf.constant(0.0)


def start_team() -> Team:
    """Start TensorFlow silently as one of the workers that the environment names, or alone.

    Returns when all are there. Raises: see `analyte.train.workers.join_workers`.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with native_stderr_off():
        from analyte.train.workers import join_workers

        team = join_workers()
    start_tensorflow()
    return team
