"""The tests that the pytest plugin makes of a bundle. TensorFlow is imported only where a model is given."""

from __future__ import annotations

import dataclasses
import json
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest

from analyte.contract.bundle import Bundle, GoldenSet, open_bundle
from analyte.contract.errors import AnalyteError, IntegrityError, UnavailableError
from analyte.runtime.cases import Case, Wanted, cases
from analyte.runtime.selftest import SelfTestResult, check_artifact
from analyte.runtime.tables import deviation_table

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

    from analyte.export.parity_photographs import KerasOnPhotographs

_PROPERTY = "analyte"
"""Name of what travels with a test's report, also into JUnit files and between processes."""


class DeviationError(Exception):
    """A comparison that failed, in words."""


@dataclass
class Compared:
    """A bundle and what it is compared with; what is slow is made when the first test asks for it."""

    bundle: Bundle
    model_file: Path | None
    dataset: Path | None

    @cached_property
    def golden(self) -> GoldenSet:
        """The golden set as stored. Raises: IntegrityError."""
        return self.bundle.golden_set()

    @cached_property
    def reference(self) -> GoldenSet:
        """The golden images with what they are compared with: the stored values, or Keras run again."""
        if self.model_file is None:
            return self.golden
        from analyte.export.trained_model import predict

        said = predict(self._model, self.golden.images, self.golden.covariates)
        return dataclasses.replace(self.golden, value=said.value, sigma=said.sigma)

    @cached_property
    def photographs(self) -> KerasOnPhotographs:
        """What Keras says of the photographs. Raises: DatasetError."""
        from analyte.contract.labels_file import load_dataset
        from analyte.export.parity_photographs import PHOTOGRAPHS, keras_on_photographs

        assert self.dataset is not None
        # A bare CSV or folder states no unit: its values are taken to be in the bundle's.
        stated = (self.dataset / "dataset.toml").is_file()
        data = load_dataset(self.dataset, unit=None if stated else self.bundle.manifest.label.unit)
        return keras_on_photographs(self.bundle, self._model, data, PHOTOGRAPHS)

    @cached_property
    def _model(self) -> Any:
        from analyte.export.tensorflow_start import start_tensorflow

        assert self.model_file is not None
        start_tensorflow()
        from analyte.export.trained_model import load_fitting_model

        return load_fitting_model(self.bundle.manifest, self.model_file)


@dataclass
class BundleTests:
    """The plugin of a run that names a bundle."""

    path: Path
    model_file: Path | None
    dataset: Path | None
    providers: tuple[str, ...]
    units: set[str] = field(default_factory=set)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, session: pytest.Session, items: list[pytest.Item]) -> None:
        """Put the tests of the bundle before those of the repository; ``-k`` and ``-m`` choose among all."""
        collector = BundleCollector.from_parent(session, name=self.path.name, nodeid=self.path.name)
        try:
            items[:0] = collector.tests(self)
        except AnalyteError as error:
            raise pytest.UsageError(error.line()) from error

    def pytest_terminal_summary(self, terminalreporter: TerminalReporter) -> None:
        """Print one row per comparison."""
        rows: list[SelfTestResult] = []
        for outcome in ("passed", "failed"):
            for report in terminalreporter.getreports(outcome):
                found = [value for name, value in report.user_properties if name == _PROPERTY]
                rows += [SelfTestResult(**row) for text in found for row in json.loads(cast(str, text))]
        if rows:
            terminalreporter.write_sep("=", f"analyte: {self.path.name}")
            terminalreporter.write_line(deviation_table(rows, ", ".join(sorted(self.units))))


class BundleCollector(pytest.Collector):
    """The bundle as a node; its tests do not come from files."""

    def collect(self) -> Iterator[pytest.Item]:
        """Give nothing: `tests` does, when everything else is collected."""
        return iter(())

    def tests(self, plugin: BundleTests) -> list[pytest.Item]:
        """Return integrity, golden set, and each artifact on each provider.

        Where the manifest is damaged, nobody knows of any but the one that says so. Raises: AnalyteError when
        there is no bundle.
        """
        try:
            bundle = open_bundle(plugin.path)
        except IntegrityError as error:
            damage = error.line()
            return [self._test("integrity", lambda: _fail(damage))]
        plugin.units.add(bundle.manifest.label.unit)
        compared = Compared(bundle, plugin.model_file, plugin.dataset)
        found = [self._test("integrity", lambda: _no_rows(bundle.verify))]
        if plugin.model_file is not None:
            found.append(self._test("golden-set", lambda: _no_rows(lambda: _check_golden(compared))))
        strict = bool(plugin.providers)
        for case in cases(bundle, Wanted(providers=plugin.providers)):
            found.append(self._test(case.name, _artifact_test(compared, case), strict=strict))
            if plugin.dataset is not None:
                name = case.name.replace("[", "-photographs[")
                found.append(self._test(name, _photograph_test(compared, case), strict=strict))
        return found

    def _test(
        self, name: str, act: Callable[[], Sequence[SelfTestResult]], *, strict: bool = False
    ) -> pytest.Item:
        return BundleItem.from_parent(self, name=name, act=act, strict=strict)


class BundleItem(pytest.Item):
    """One test of a bundle."""

    def __init__(self, *, act: Callable[[], Sequence[SelfTestResult]], strict: bool, **node: Any) -> None:
        super().__init__(**node)
        self._act = act
        self._strict = strict

    def runtest(self) -> None:
        """Compare, keep the numbers with the report, and fail where a tolerance is missed.

        What is not there is skipped, unless it was asked for by name.
        """
        try:
            # What TensorFlow and its kin warn of is not the business of the tests around.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                rows = self._act()
        except UnavailableError as error:
            if self._strict:
                raise
            pytest.skip(error.line())
        if not rows:
            return
        names = [entry.name for entry in dataclasses.fields(SelfTestResult)]
        plain = [{name: getattr(row, name) for name in names} for row in rows]
        self.user_properties.append((_PROPERTY, json.dumps(plain)))
        assert isinstance(self.parent, BundleCollector)
        plugin = self.config.pluginmanager.get_plugin("analyte-bundle")
        assert isinstance(plugin, BundleTests)
        text = deviation_table(rows, ", ".join(sorted(plugin.units)))
        self.add_report_section("call", "analyte", text)
        if not all(row.passed for row in rows):
            raise DeviationError(f"deviates from Keras by more than its tolerance\n{text}")

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Show what is wrong, not where this module noticed it."""
        if isinstance(excinfo.value, DeviationError):
            return str(excinfo.value)
        if isinstance(excinfo.value, AnalyteError):
            return excinfo.value.line()
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        """Name the test in headings."""
        return self.path, None, self.name


def _fail(damage: str) -> Sequence[SelfTestResult]:
    raise IntegrityError(damage)


def _no_rows(act: Callable[[], None]) -> Sequence[SelfTestResult]:
    act()
    return ()


def _check_golden(compared: Compared) -> None:
    """Compare the stored values with Keras run again. Raises: DeviationError."""
    from analyte.export.gate import TOLERANCE_OF_RANGE

    label = compared.bundle.manifest.label
    deviation = float(np.max(np.abs(compared.reference.value - compared.golden.value)))
    tolerance = TOLERANCE_OF_RANGE["float32"] * label.span
    if not deviation <= tolerance:
        raise DeviationError(
            f"The golden set is not what Keras says now: up to {deviation:.3g} {label.unit} off, tolerance "
            f"{tolerance:.3g} {label.unit}."
        )


def _artifact_test(compared: Compared, case: Case) -> Callable[[], Sequence[SelfTestResult]]:
    def act() -> Sequence[SelfTestResult]:
        engine = case.open(compared.bundle)
        try:
            return check_artifact(compared.bundle, case.artifact, engine, compared.reference)
        except UnavailableError as error:
            # It opened, so it is there.
            raise DeviationError(error.line()) from error
        finally:
            engine.close()

    return act


def _photograph_test(compared: Compared, case: Case) -> Callable[[], Sequence[SelfTestResult]]:
    def act() -> Sequence[SelfTestResult]:
        from analyte.export.parity_photographs import compare_on_photographs

        # Opened first: what is not there costs no run of Keras.
        case.open(compared.bundle).close()
        try:
            found = compare_on_photographs(compared.bundle, case, compared.photographs)
        except UnavailableError as error:
            raise DeviationError(error.line()) from error
        return [dataclasses.replace(found, artifact=f"{found.artifact}, photographs")]

    return act
