"""Starting TensorFlow without its announcements."""

from __future__ import annotations

import os

from analyte.contract.native_output import native_stderr_off


def start_tensorflow() -> None:
    """Import TensorFlow and wake its CPU device, silently.

    Its start-up lines are written by native code before any log level is read.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with native_stderr_off():
        import tensorflow as tf

        tf.constant(0.0)
