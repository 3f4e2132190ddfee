"""The engines there are, and how one is opened: strictly, or by a profile that lists fallbacks."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from analyte.contract.errors import InputError, IntegrityError, UnavailableError
from analyte.contract.manifest import EngineName
from analyte.contract.sections.engine import DELEGATES, EngineSection
from analyte.runtime.engines.protocol import Engine, ProviderSettings


@dataclass(frozen=True, slots=True)
class EngineEntry:
    """How to get at an engine without importing it."""

    libraries: tuple[str, ...]
    """Modules, one of which must be installed."""
    providers: tuple[str, ...]
    """Those that the engine's own packages bring; the first is the default."""
    extras: dict[str, str]
    """What installs the engine, by provider; ``""`` for all others."""
    opener: Callable[[bytes, str, int, ProviderSettings, object], Engine]
    delegates: tuple[str, ...] = ()
    """Providers from libraries of others, which nothing tries unless it is asked for them."""

    @property
    def known(self) -> tuple[str, ...]:
        """Every provider that may be asked for."""
        return self.providers + self.delegates


def _open_onnx(
    model: bytes, provider: str, threads: int, settings: ProviderSettings, where: object
) -> Engine:
    from analyte.runtime.engines.onnx import OnnxEngine

    return OnnxEngine(model, provider, threads, settings, where=where)


def _open_litert(
    model: bytes, provider: str, threads: int, settings: ProviderSettings, where: object
) -> Engine:
    from analyte.runtime.engines.litert import LiteRTEngine

    return LiteRTEngine(model, provider, threads, settings, where=where)


ENGINES: dict[EngineName, EngineEntry] = {
    "onnx": EngineEntry(
        libraries=("onnxruntime",),
        providers=("cpu", "cuda", "tensorrt", "openvino"),
        extras={"": "cpu", "cuda": "cuda", "tensorrt": "cuda"},
        opener=_open_onnx,
    ),
    "litert": EngineEntry(
        libraries=("ai_edge_litert", "tflite_runtime"),
        providers=("xnnpack", "cpu", "reference"),
        extras={"": "litert"},
        opener=_open_litert,
        delegates=DELEGATES,
    ),
}
assert set(ENGINES) == set(get_args(EngineName))


def default_provider(engine: EngineName) -> str:
    """Return the provider that is used where nobody asked for one."""
    return ENGINES[engine].providers[0]


def is_installed(engine: EngineName) -> bool:
    """Whether a library of the engine can be found; imports nothing."""
    return any(importlib.util.find_spec(library) is not None for library in ENGINES[engine].libraries)


def open_engine(
    model: bytes | Path,
    engine: EngineName,
    provider: str | None = None,
    threads: int = 1,
    *,
    settings: ProviderSettings | None = None,
    where: object = None,
) -> Engine:
    """Open a model file on exactly the provider that is asked for (the engine's default when None).

    ``where`` names the model in errors. ``threads``: of one run, 1 to 256; a provider that is no processor
    uses them for what it leaves to the processor.
    Raises: InputError for a provider or an option that the engine does not know; UnavailableError when engine
    or provider are not there or run no part of the model; IntegrityError when the file cannot be read or
    breaks the graph contract.
    """
    entry = ENGINES[engine]
    provider = provider or entry.providers[0]
    _check_names(engine, (provider,))
    if not is_installed(engine):
        extra = entry.extras.get(provider, entry.extras[""])
        raise UnavailableError(
            f"engine {engine!r} is not installed",
            expected=" or ".join(entry.libraries),
            fix=f"pip install 'analyte[{extra}]'",
        )
    if isinstance(model, Path):
        where = where or model
        try:
            model = model.read_bytes()
        except OSError as error:
            raise IntegrityError("the model file cannot be read", where=where, got=error.strerror) from error
    return entry.opener(model, provider, threads, settings or ProviderSettings(), where)


def open_from_profile(
    model: bytes | Path, section: EngineSection, report: Callable[[str], None], *, where: object = None
) -> Engine:
    """Open a model file as a profile says: its provider, else the first of its fallbacks that is there.

    The profile's options and delegate library are for its provider: a fallback runs with its own defaults.
    ``report`` is told, in one line, about each provider that was not there.
    Raises: UnavailableError naming every provider that was tried; InputError and IntegrityError as
    `open_engine` does.
    """
    wanted = (section.provider, *section.fallback)
    _check_names(section.name, wanted)
    asked = _settings(section)
    errors: list[UnavailableError] = []
    for index, provider in enumerate(wanted):
        settings = asked if index == 0 else None
        try:
            engine = open_engine(
                model, section.name, provider, section.threads, settings=settings, where=where
            )
        except UnavailableError as error:
            errors.append(error)
            report(f"provider {provider!r} is not available: {error.line()}")
            continue
        if errors:
            report(f"using fallback provider {provider!r}, as the profile allows")
        return engine
    if len(errors) == 1:
        raise errors[0]
    raise UnavailableError(
        f"none of the providers {', '.join(wanted)} of engine {section.name!r} is available",
        got=errors[-1].line(),
    )


def _settings(section: EngineSection) -> ProviderSettings:
    if section.delegate is not None:
        return ProviderSettings(section.delegate.options, section.delegate.library)
    return ProviderSettings(section.provider_options)


def _check_names(engine: EngineName, wanted: tuple[str, ...]) -> None:
    """Refuse a name that no engine has, before a fallback can hide the mistake."""
    known = ENGINES[engine].known
    for index, provider in enumerate(wanted):
        if provider not in known:
            raise InputError(
                f"engine.{'fallback' if index else 'provider'}: engine {engine!r} has no such provider",
                expected=" or ".join(known),
                got=provider,
            )
