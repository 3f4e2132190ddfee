"""``[mqtt]``: where readings are sent to."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Self

from pydantic import Field, field_validator, model_validator

from analyte.contract.label import Finite
from analyte.contract.sections.base import Section

_HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_TEXT = r"^[^\x00-\x1f\x7f-\x9f]+$"
"""What a text of MQTT may hold: no control characters."""


class MqttTlsSection(Section):
    """How the connection is encrypted; an empty table trusts the authorities of the system."""

    ca: Path | None = None
    """Certificates of the authorities that may sign the broker's, PEM, relative to the profile's folder; None
    trusts those of the system."""
    certificate: Path | None = None
    """The device's own certificate, PEM, where the broker demands one."""
    key: Path | None = None
    """Its private key, PEM, without a passphrase, readable by its owner alone."""

    @model_validator(mode="after")
    def _certificate_goes_with_key(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key go together, got one of them")
        return self


class MqttSection(Section):
    """The broker, and how to get there. Without this section nothing is sent."""

    host: str
    """Name or IP address of the broker: no scheme, no user, no password, no port."""
    port: int | None = Field(default=None, ge=1, le=65535)
    """None is 8883 with ``tls`` and 1883 without."""
    prefix: str = Field(default="analyte", max_length=200, pattern=_TEXT)
    """Begins the topics: ``PREFIX/DEVICE/readings`` and ``PREFIX/DEVICE/state``."""
    client_id: str | None = Field(default=None, max_length=200, pattern=_TEXT)
    """As whom the device connects; None is the device's id. Two clients of one id put each other out."""
    username: str | None = Field(default=None, max_length=200, pattern=_TEXT)
    password_file: Path | None = None
    """File whose only line is the password, relative to the profile's folder, readable by its owner alone."""
    tls: MqttTlsSection | None = None
    """None sends everything in the clear, the password too."""
    keepalive_s: int = Field(default=30, ge=5, le=65535)
    """Silence after which each side asks whether the other is there, seconds."""
    window: int = Field(default=64, ge=1, le=1000)
    """Readings that may be on their way without an acknowledgement; the broker may allow fewer."""
    offline_after_s: Finite = Field(default=0, ge=0, le=86400)
    """How long the broker waits after a lost connection until it says that the device is offline, seconds;
    also how long it keeps the session. Whole seconds count."""

    @model_validator(mode="before")
    @classmethod
    def _holds_no_secret(cls, given: object) -> object:
        """Look at the whole table: what is wrong in a part of it is printed, and must not be a password."""
        if isinstance(given, dict):
            if any("password" in str(key) and key != "password_file" for key in given):
                raise ValueError(
                    "a password never stands in a profile, expected password_file = the file of it"
                )
            host = given.get("host")
            if isinstance(host, str) and not _is_host(host):
                raise ValueError(
                    "host must be a name or an IP address alone; port, username and password_file are keys "
                    "of their own, and tls = {} takes the place of mqtts://"
                )
        return given

    @field_validator("prefix")
    @classmethod
    def _names_a_topic(cls, prefix: str) -> str:
        if re.search(r"[+#]|^[/$]|/$|//", prefix):
            raise ValueError("must be parts joined by '/', without '+' and '#', not beginning with '$'")
        return prefix

    @model_validator(mode="after")
    def _password_goes_with_a_name(self) -> Self:
        if self.password_file is not None and self.username is None:
            raise ValueError("password_file needs a username")
        return self


def _is_host(text: str) -> bool:
    if len(text) <= 253 and _HOST_NAME.fullmatch(text):
        return True
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
