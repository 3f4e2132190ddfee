"""What goes wrong between device and broker, in plain words.

Codes: MQTT 5.0, section 2.4, reason codes.
"""

from __future__ import annotations

import socket
import ssl

FIRST_FAILURE = 0x80
"""Reason codes from here on are failures."""
NO_SUBSCRIBER = 0x10
LOST = "the connection to the broker is lost"

_ENTRY = {
    0x81: "the broker does not understand the connection",
    0x82: "the broker does not understand the connection",
    0x84: "the broker does not speak MQTT 5",
    0x85: "the broker does not accept the client id",
    0x86: "the broker refuses user name or password",
    0x87: "the broker does not let this device in: user name, password or its rights are wrong",
    0x88: "the broker is not available",
    0x89: "the broker is busy",
    0x8A: "the broker has banned this device",
    0x8C: "the broker demands another way to log in",
    0x90: "the broker does not accept the topic of the state",
    0x9A: "the broker keeps no retained messages",
    0x9B: "the broker takes no messages of QoS 1",
    0x9C: "the broker sends this device to another one",
    0x9D: "the broker has moved",
    0x9F: "the broker allows no more connections for now",
}
_MESSAGE = {
    0x80: "the broker does not take messages, without a reason",
    0x83: "the broker does not take messages, for a reason of its own",
    0x87: "the broker does not let this device write",
    0x90: "the broker does not accept the topic",
    0x95: "the broker finds the message too large",
    0x97: "the broker's quota is used up",
    0x99: "the broker does not accept the format of the message",
}
_END = {
    0x00: "the broker closed the connection",
    0x8B: "the broker shuts down",
    0x8D: "the broker heard nothing of this device for too long",
    0x8E: "another client with the same client id has taken the connection",
    0x93: "the broker got more than it takes at once",
    0x95: "the broker finds a message too large",
    0x98: "the broker's administrator closed the connection",
}
_PASSING = frozenset({0x00, 0x80, 0x83, 0x88, 0x89, 0x8B, 0x8D, 0x93, 0x97, 0x98, 0x9F})
"""What may be over in a moment, without a person."""


class LinkFailure(Exception):  # noqa: N818 - it happens, it is retried, and it ends nothing
    """Broker and device do not come together. Its text says why; it holds no secret."""

    def __init__(self, text: str, *, lasting: bool = False) -> None:
        """``lasting``: a person has to mend it."""
        super().__init__(" ".join(text.split()))
        self.lasting = lasting


def refused_entry(code: int) -> LinkFailure:
    """Return the failure that the reason code of a CONNACK means."""
    return _failure(_ENTRY.get(code, "the broker does not let this device in"), code)


def refused_message(code: int, topic: str) -> LinkFailure:
    """Return the failure that the reason code of a PUBACK means."""
    return _failure(f"{_MESSAGE.get(code, 'the broker does not take messages')} (topic {topic})", code)


def ended(code: int) -> LinkFailure:
    """Return the failure that the reason code of a DISCONNECT means."""
    return _failure(_END.get(code, "the broker closed the connection"), code)


def not_connected(error: Exception) -> LinkFailure:
    """Return what an error of the network means."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return LinkFailure(f"the broker's certificate is not trusted: {error.verify_message}", lasting=True)
    if isinstance(error, ssl.SSLError):
        return LinkFailure(f"no encrypted connection: {error.reason or error}", lasting=True)
    if isinstance(error, socket.gaierror):
        return LinkFailure(f"the broker's name is not known: {error.strerror}")
    if isinstance(error, TimeoutError):
        return LinkFailure("the broker does not answer: timed out")
    if isinstance(error, OSError):
        return LinkFailure(f"the broker does not answer: {error.strerror or error}")
    return LinkFailure(f"no connection: {error}")


def _failure(text: str, code: int) -> LinkFailure:
    return LinkFailure(f"{text} [reason code 0x{code:02X}]", lasting=code not in _PASSING)
