"""Ray: started on this machine, or joined at an address."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from analyte.contract.errors import InputError, UnavailableError

_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",  # no report to the makers of Ray
    "RAY_AIR_NEW_OUTPUT": "0",  # no tables on stdout
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # results are in the run folders
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Ctrl-C ends the sweep as it ends every other command
}
_LOCAL = {
    # The name is Ray's own. Off, nothing listens or connects beyond the loopback interface.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_AUTH_MODE": "token",  # other users of this machine are kept out
}
_ATTEMPTS = 3
"""Ray gives its own processes 15 seconds to start, which a busy machine may miss."""
_OBJECT_STORE_BYTES = 80 * 2**20
"""The least that Ray allows: trials exchange a few numbers."""
_REACH_S = 5.0


def prepare_ray(address: str | None) -> None:
    """Import Ray, and see that somebody answers at ``address``. Starts nothing; comes before all else.

    Raises: InputError for an address that is none; UnavailableError where nobody answers;
    ModuleNotFoundError without the extra.
    """
    os.environ.update(_QUIET)
    if address is None:
        os.environ.update(_LOCAL, RAY_AUTH_TOKEN=secrets.token_hex(32))
    # After the environment: Ray reads it when it is imported.
    import ray.tune  # noqa: F401

    if address not in (None, "auto"):
        _check_reachable(address)


@contextlib.contextmanager
def ray_cluster(address: str | None, workers: int | None, say: Callable[[str], None]) -> Iterator[None]:
    """Give a Ray with ``workers`` cores on this machine, or connect to the one at ``address``.

    ``say``: shows a line to the user; starting takes seconds. Raises: UnavailableError where that fails.
    """
    import ray

    with contextlib.ExitStack() as stack:
        # Ray's own threads print there, and programs read it.
        stack.enter_context(contextlib.redirect_stdout(stack.enter_context(Path(os.devnull).open("w"))))
        if address is None:
            say(f"starting Ray on this machine, {workers} trials at a time")
            folder = stack.enter_context(_temporary_folder())
            stack.callback(ray.shutdown)
            _start(workers, folder, say)
        else:
            say(f"connecting to Ray at {address}")
            stack.callback(ray.shutdown)
            _connect(address)
        yield


def _start(workers: int | None, folder: Path, say: Callable[[str], None]) -> None:
    import ray

    for attempt in range(1, _ATTEMPTS + 1):
        try:
            ray.init(
                address="local",
                num_cpus=workers,
                num_gpus=0,
                include_dashboard=False,
                object_store_memory=_OBJECT_STORE_BYTES,
                logging_level=logging.CRITICAL,
                log_to_driver=False,
                configure_logging=True,
                _temp_dir=str(folder),
            )
        except Exception as error:
            # Ray raises a bare Exception when its processes are too slow.
            ray.shutdown()
            if attempt == _ATTEMPTS:
                raise UnavailableError(
                    "Ray does not start on this machine",
                    got=str(error).splitlines()[0] if str(error) else type(error).__name__,
                    fix="It needs to start within 15 s: run again when the machine is less busy",
                ) from error
            say(f"Ray did not start in time; trying again ({attempt + 1} of {_ATTEMPTS})")
        else:
            return


def _connect(address: str) -> None:
    import ray

    try:
        ray.init(address=address, logging_level=logging.CRITICAL, log_to_driver=False)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise UnavailableError(
            "cannot connect to Ray",
            where=f"--ray-address {address}",
            got=str(error).splitlines()[0] if str(error) else type(error).__name__,
            fix="Start it there: ray start --head. It must be of the same version of Ray and Python",
        ) from error


def _check_reachable(address: str) -> None:
    """Try the port first: Ray itself waits minutes for a machine that is not there."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or "/" in host:
        raise InputError("not an address", where="--ray-address", expected="HOST:PORT, or auto", got=address)
    try:
        socket.create_connection((host, int(port)), timeout=_REACH_S).close()
    except (OSError, OverflowError) as error:
        raise UnavailableError(
            "nobody answers",
            where=f"--ray-address {address}",
            got=getattr(error, "strerror", None) or error,
            fix="Start Ray there: ray start --head --port PORT",
        ) from error


@contextlib.contextmanager
def _temporary_folder() -> Iterator[Path]:
    # Not the folder of the sweep: Ray puts sockets there, and their paths may have 107 characters only.
    folder = Path(tempfile.mkdtemp(prefix="analyte-ray-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
