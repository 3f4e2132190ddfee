"""The server: uvicorn in a thread beside the measuring."""

from __future__ import annotations

import socket
import sys
import threading
from pathlib import Path

import uvicorn

from analyte.contract.errors import InputError, ProfileError
from analyte.contract.sections.serve import ServeSection
from analyte.runtime.serve.app import create_app
from analyte.runtime.serve.context import Context

_STOP_S = 5.0
_SWITCH_S = 1e-4
"""How long one thread may run Python while another waits, seconds."""
_STALL_MS = 15_000
"""A client that takes nothing for so long loses its line, milliseconds."""
_UNSENT_BYTES = 1 << 18
"""What the system keeps for a client that takes nothing."""
_MOST_CONNECTIONS = 400
"""A hundred pages listen to events, and ask beside that."""


def listen(section: ServeSection, where: Path) -> socket.socket:
    """Return a socket that is bound as the profile at ``where`` says.

    Raises: ProfileError when the address is in use, is none of this machine, or lacks protection.
    """
    if not section.loopback and (section.tls is None or section.tokens is None):
        raise ProfileError("serve: beyond loopback it needs tls and tokens", where=where, got=section.host)
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            section.host, section.port, type=socket.SOCK_STREAM
        )[0]
        bound = socket.socket(family, kind, proto)
    except OSError as error:
        raise ProfileError("serve.host: is no address", where=where, got=section.host) from error
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Every connection takes these over. By itself the system waits for ever for who reads nothing.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _UNSENT_BYTES)
        bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _STALL_MS)
        bound.bind(address)
        bound.listen(64)
    except OSError as error:
        bound.close()
        raise ProfileError(
            f"serve: cannot listen at {section.host}:{section.port}",
            where=where,
            got=error.strerror,
            fix="Stop the program that uses it, or change serve.port",
        ) from error
    return bound


class PageServer:
    """Serves a device until it is closed."""

    def __init__(self, context: Context, bound: socket.socket, where: Path) -> None:
        """Start serving at a bound socket. Raises: InputError for TLS files that cannot be used."""
        tls = context.section.tls
        config = uvicorn.Config(
            create_app(context),
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            proxy_headers=False,
            timeout_graceful_shutdown=1,
            limit_concurrency=_MOST_CONNECTIONS,
            ssl_certfile=None if tls is None else where.parent / tls.certificate,
            ssl_keyfile=None if tls is None else where.parent / tls.key,
        )
        try:
            config.load()
        except (OSError, ValueError) as error:
            bound.close()
            named = "" if tls is None else f"{where.parent / tls.certificate}, {where.parent / tls.key}: "
            said = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
            raise InputError(
                "serve.tls: cannot be used", where=where, expected="PEM files", got=f"{named}{said}"
            ) from error
        # A reading waits at each of its calls for whoever runs Python, by default for up to 5 ms: the answers
        # of a page are short, but a hundred pages ask often (benchmarks/page_load.py).
        sys.setswitchinterval(_SWITCH_S)
        self._server = uvicorn.Server(config)
        self._bound = bound
        self._thread = threading.Thread(target=self._serve, name="page", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        self._server.run(sockets=[self._bound])

    def close(self) -> None:
        """End serving; may be called twice."""
        self._server.should_exit = True
        self._thread.join(_STOP_S)
        self._bound.close()
