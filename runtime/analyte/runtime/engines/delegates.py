"""LiteRT's external delegates: libraries of others that take over parts of a graph.

What such a library has to export is in TensorFlow Lite's ``external_delegate_interface.h``; the Edge TPU's
file names are those of https://coral.ai/docs/edgetpu/tflite-python, the GPU's is that of its build target.
"""

from __future__ import annotations

import ctypes
import platform
from typing import Any

from analyte.contract.errors import UnavailableError
from analyte.runtime.engines.protocol import ProviderSettings

LIBRARIES: dict[str, dict[str, str]] = {
    "edgetpu": {"Linux": "libedgetpu.so.1", "Darwin": "libedgetpu.1.dylib"},
    "gpu": {"Linux": "libtensorflowlite_gpu_delegate.so"},
}
"""The usual file name by provider and operating system."""
EDGE_TPU_OPERATOR = "edgetpu-custom-op"
"""What the Edge TPU's compiler puts in the place of all that the accelerator runs."""
_SYMBOLS = ("tflite_plugin_create_delegate", "tflite_plugin_destroy_delegate")
_START = {
    "edgetpu": "Check that the Edge TPU is plugged in and this user may open it (lsusb, /dev/apex_0)",
    "gpu": "Check that OpenCL or OpenGL ES is there (clinfo, eglinfo)",
    "delegate": "Check the library's own requirements, and delegate.options",
}
_TAKE = {
    "edgetpu": "Compile the artifact with edgetpu_compiler (docs/providers.md)",
    "gpu": "Ask for another artifact or provider",
    "delegate": "Ask for an artifact whose operators the library knows, or for another provider",
}


def load_delegate(module: Any, provider: str, settings: ProviderSettings) -> Any:
    """Return the delegate of a provider, ready to be given to an interpreter.

    ``module``: that of the interpreter. Raises: UnavailableError when the library is not there, is no
    delegate, or does not start, such as for want of its device.
    """
    name = settings.library or LIBRARIES.get(provider, {}).get(platform.system())
    if name is None:
        raise UnavailableError(
            f"provider {provider!r} has no usual library here",
            got=platform.system(),
            fix='Name it in the device profile: delegate = { library = "..." }',
        )
    # LiteRT finds neither out in time: it then fails once more while it clears up, on the standard error.
    _check_library(name, provider)
    options = {key: _text(value) for key, value in settings.options.items()}
    try:
        return module.load_delegate(name, options)
    except (ValueError, RuntimeError) as error:
        # The library's own words stand behind those of LiteRT, which only repeat its name.
        said = str(error).partition("\n")[2].strip() or "no reason"
        raise UnavailableError(
            f"the library of provider {provider!r} does not start",
            expected=f"{name} with {_listed(options)}",
            got=said,
            fix=_START[provider],
        ) from error


def took_nothing(provider: str, kinds: set[str], *, where: object) -> UnavailableError:
    """Return what to raise when a delegate runs no part of a model with these kinds of operators."""
    return UnavailableError(
        f"provider {provider!r} runs no part of the model",
        where=where,
        expected=EDGE_TPU_OPERATOR if provider == "edgetpu" else "at least one delegated operator",
        got=", ".join(sorted(kinds)),
        fix=_TAKE[provider],
    )


def _check_library(name: str, provider: str) -> None:
    try:
        library = ctypes.CDLL(name)
    except OSError as error:
        raise UnavailableError(
            f"the library of provider {provider!r} cannot be loaded",
            expected=name,
            got=error,
            fix="Install it, or name its path in the device profile: delegate = { library = ... }",
        ) from error
    missing = [symbol for symbol in _SYMBOLS if not hasattr(library, symbol)]
    if missing:
        raise UnavailableError(
            f"the library of provider {provider!r} is no LiteRT delegate",
            expected=missing[0],
            got=name,
            fix="Name a library that is built as an external delegate",
        )


def _text(value: str | float | bool) -> str:
    # TensorFlow Lite's own flag parser knows true and false, not Python's True and False.
    return str(value).lower() if isinstance(value, bool) else str(value)


def _listed(options: dict[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in options.items()) or "no options"
