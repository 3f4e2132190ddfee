"""Every way to run a bundle: its artifacts, each on the providers of its engine."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TypeVar

from analyte.contract.bundle import Bundle
from analyte.contract.errors import AnalyteError, SettingsError, UnavailableError
from analyte.contract.manifest import Artifact
from analyte.runtime.engines.protocol import Engine
from analyte.runtime.engines.registry import ENGINES, open_engine

_T = TypeVar("_T")

REFERENCE = "reference"
"""The provider of plain kernels: what others are compared with, never what measures."""
_SUMMARY = 160
"""Longest summary of a failure, characters."""
_NAMED = 2
"""Artifacts that are named in a line for people."""


@dataclass(frozen=True, slots=True)
class Case:
    """An artifact and what is to run it."""

    artifact: Artifact
    provider: str

    @property
    def name(self) -> str:
        """Such as ``onnx-int8[onnx/cpu]``."""
        return f"{self.artifact.name}[{self.artifact.engine}/{self.provider}]"

    def open(self, bundle: Bundle, threads: int = 1) -> Engine:
        """Open it. Raises: UnavailableError, IntegrityError, as `open_engine` does."""
        return open_engine(
            bundle.read(self.artifact),
            self.artifact.engine,
            self.provider,
            threads,
            where=bundle.path / self.artifact.file,
        )


@dataclass(frozen=True, slots=True)
class Skipped:
    """A case that could not be run here; JSON names equal field names."""

    artifact: str
    engine: str
    provider: str
    reason: str
    summary: str
    """The reason in a few words."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which cases a caller names; an empty collection stands for all of its kind."""

    artifacts: Collection[str] = ()
    engines: Collection[str] = ()
    providers: Collection[str] = ()


def cases(bundle: Bundle, wanted: Wanted | None = None, *, reference: bool = False) -> list[Case]:
    """Return every artifact on every provider of its engine, whether it is there or not.

    The reference kernels are left out without ``reference``, unless they are named.
    Raises: SettingsError for an artifact, engine or provider that there is none of, and when the names
    exclude each other.
    """
    wanted = wanted or Wanted()
    _check_names(wanted)
    artifacts = [bundle.artifact(name) for name in wanted.artifacts] or list(bundle.manifest.artifacts)
    found = [
        Case(artifact, provider)
        for artifact in artifacts
        if not wanted.engines or artifact.engine in wanted.engines
        for provider in ENGINES[artifact.engine].providers
        if (provider in wanted.providers if wanted.providers else reference or provider != REFERENCE)
    ]
    if not found:
        raise SettingsError(
            "no artifact of the bundle is for this engine and provider",
            where=bundle.path,
            expected=", ".join(f"{a.name} for {a.engine}" for a in artifacts),
        )
    return found


def _check_names(wanted: Wanted) -> None:
    providers = dict.fromkeys(name for entry in ENGINES.values() for name in entry.providers)
    for kind, given, known in (
        ("engine", wanted.engines, tuple(ENGINES)),
        ("provider", wanted.providers, tuple(providers)),
    ):
        unknown = [name for name in given if name not in known]
        if unknown:
            raise SettingsError(f"there is no {kind} {unknown[0]!r}", expected=" or ".join(known))


def check_there(case: Case) -> None:
    """Refuse a case whose engine or provider is not there, at no more cost than the library's import.

    Raises: UnavailableError.
    """
    try:
        open_engine(b"", case.artifact.engine, case.provider, where="no file").close()
    except UnavailableError as error:
        # One that names a file found what it needs to open it.
        if error.where is None:
            raise
    except AnalyteError:
        pass


def skipped_lines(left: Sequence[Skipped]) -> list[str]:
    """Return one short line per provider and reason; `Skipped.reason` says what to do about it."""
    by_reason: dict[tuple[str, str], list[str]] = {}
    for entry in left:
        by_reason.setdefault((entry.provider, entry.summary), []).append(entry.artifact)
    return [
        f"skipped {_few(names)} on {provider}: {summary}" for (provider, summary), names in by_reason.items()
    ]


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


class Attempts:
    """Tries cases and notes those that are not available here, with the reason."""

    def __init__(self, *, strict: bool) -> None:
        self._strict = strict
        self._absent: dict[tuple[str, str], UnavailableError | None] = {}
        self.skipped: list[Skipped] = []
        """What was left out, in order."""

    def attempt(self, case: Case, act: Callable[[Case], _T]) -> _T | None:
        """Return what ``act`` gives for a case; None, with the reason noted, where it is not available.

        Raises: UnavailableError where ``strict``: what was asked for by name is what runs.
        """
        error = self._absence(case)
        if error is not None:
            summary = error.what
        else:
            try:
                return act(case)
            except UnavailableError as caught:
                # It is there, so what it said matters more than what to install.
                error, said = caught, caught.line()
                summary = said if len(said) <= _SUMMARY else f"{said[: _SUMMARY - 3]}..."
        if self._strict:
            raise error
        artifact = case.artifact
        self.skipped.append(Skipped(artifact.name, artifact.engine, case.provider, error.line(), summary))
        return None

    def _absence(self, case: Case) -> UnavailableError | None:
        """Return why engine or provider is not there; asked once for all files."""
        key = (case.artifact.engine, case.provider)
        if key not in self._absent:
            try:
                check_there(case)
            except UnavailableError as error:
                self._absent[key] = error
            else:
                self._absent[key] = None
        return self._absent[key]
