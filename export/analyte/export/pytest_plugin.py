"""Parity as tests in a repository of one's own: ``pytest --analyte-bundle B``.

Every pytest run in an environment with analyte imports this module: it imports nothing else, and does nothing
without its option.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("analyte", "analyte: does every artifact of a bundle say what Keras says?")
    group.addoption(
        "--analyte-bundle",
        metavar="BUNDLE",
        help="Test this bundle: its integrity, and every artifact on every provider that is there, against "
        "the golden set. Needs no TensorFlow.",
    )
    group.addoption(
        "--analyte-model",
        metavar="MODEL.keras",
        help="Compare with this Keras model, run again on the golden images. Needs analyte[export].",
    )
    group.addoption(
        "--analyte-dataset",
        metavar="DATASET",
        help="Also compare from these photographs on, 64 samples at most. Needs --analyte-model.",
    )
    group.addoption(
        "--analyte-provider",
        action="append",
        metavar="PROVIDER",
        help="Test only this provider, which then has to be there: cpu, xnnpack, cuda, ... Repeatable.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Start the tests of a bundle where one is named. Raises: UsageError for options that cannot be used."""
    bundle = config.getoption("--analyte-bundle")
    model, dataset = config.getoption("--analyte-model"), config.getoption("--analyte-dataset")
    providers = config.getoption("--analyte-provider") or ()
    if bundle is None:
        if model or dataset or providers:
            raise pytest.UsageError("--analyte-model, -dataset and -provider need --analyte-bundle")
        return
    if dataset and not model:
        raise pytest.UsageError(
            "--analyte-dataset needs --analyte-model: there are no stored values for photographs"
        )
    from analyte.export.bundle_tests import BundleTests

    here = config.invocation_params.dir
    for option, given in (("bundle", bundle), ("model", model), ("dataset", dataset)):
        if given and not os.path.exists(here / given):  # noqa: PTH110 - of any text, without raising
            raise pytest.UsageError(f"--analyte-{option}: {given}: no such file or folder")
    if model and (here / model).is_dir():
        raise pytest.UsageError(f"--analyte-model: {model}: is a folder; expected a file NAME.keras")
    tests = BundleTests(
        here / Path(bundle),
        here / Path(model) if model else None,
        here / Path(dataset) if dataset else None,
        tuple(providers),
    )
    config.pluginmanager.register(tests, "analyte-bundle")
