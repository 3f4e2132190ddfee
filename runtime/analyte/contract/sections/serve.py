"""``[serve]``: the web page and the HTTP API of a device."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from analyte.contract.label import Finite
from analyte.contract.sections.base import Section


class TlsSection(Section):
    """What the page proves itself with."""

    certificate: Path
    """PEM, the chain of certificates; relative to the folder of the profile."""
    key: Path
    """PEM, its private key; relative to the folder of the profile."""


class ServeSection(Section):
    """Where the page is served, and to whom."""

    host: str = "127.0.0.1"
    """Address to listen at; any that is not loopback demands ``tls`` and ``tokens``."""
    port: int = Field(default=8080, ge=1, le=65535)
    tls: TlsSection | None = None
    tokens: Path | None = None
    """File that ``analyte token add`` writes, relative to the folder of the profile; None lets whoever is at
    the machine do everything, as the supervisor ``local``."""
    upload_mb: Finite = Field(default=64.0, gt=0)
    """Largest bundle that may be uploaded, megabytes (10^6 bytes)."""
    session_h: Finite = Field(default=8.0, gt=0, le=720)
    """How long a person stays signed in, hours."""

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the page."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @model_validator(mode="after")
    def _beyond_loopback_is_protected(self) -> Self:
        if not self.loopback and (self.tls is None or self.tokens is None):
            raise ValueError(f"host {self.host} is not loopback: it needs tls and tokens")
        return self
