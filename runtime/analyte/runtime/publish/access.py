"""The broker, how to get there and as whom."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field

from analyte.runtime.publish.topics import Topics


@dataclass(frozen=True, slots=True)
class Access:
    """The broker, how to get there and as whom."""

    host: str
    port: int
    client_id: str
    username: str | None
    password: str | None = field(repr=False)
    tls: ssl.SSLContext | None
    keepalive_s: int
    offline_after_s: int
    topics: Topics
    will: bytes
    """What the broker says of the device when the connection is lost, retained."""

    @property
    def name(self) -> str:
        """The broker, for people."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"
