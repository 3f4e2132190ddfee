"""One connection to a broker, MQTT 5 by the library paho-mqtt, driven by the thread that made it.

A connection that failed is never mended: the next one is a new object. So paho holds nothing that the outbox
does not hold, and what is sent again, and in which order, is decided in one place.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from analyte.runtime.publish.access import Access
from analyte.runtime.publish.failures import LOST, LinkFailure, ended, not_connected, refused_entry

_ANSWER_S = 10.0
"""How long a broker may take to let a device in."""
_CONNECT_S = 5.0
_MOST_UNANSWERED = 65535
"""What a broker allows that names no number: MQTT 5.0, section 3.2.2.3.3."""


def _properties(packet: int) -> Properties:
    return Properties(packet)  # type: ignore[no-untyped-call] # paho leaves it without types


class Answer(NamedTuple):
    """What the broker said to a message (PUBACK)."""

    message: int
    """As `Link.publish` returned it."""
    code: int
    """Reason code; a failure from 0x80 on."""


class Link:
    """A connection that lets messages of QoS 1 through. For one thread."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._answers: list[Answer] = []
        self._entry: int | None = None
        self._end: LinkFailure | None = None
        self.most_unanswered = _MOST_UNANSWERED
        """How many messages the broker lets be on their way at once."""
        self._client = self._made()

    def _made(self) -> Client:
        access = self._access
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=access.client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=False,
        )
        client.connect_timeout = _CONNECT_S
        # How many are on their way is the caller's to know: nothing may wait inside of paho.
        client.max_inflight_messages_set(0)
        if access.username is not None:
            client.username_pw_set(access.username, access.password)
        if access.tls is not None:
            client.tls_set_context(access.tls)
        will = _properties(PacketTypes.WILLMESSAGE)
        will.WillDelayInterval = access.offline_after_s
        will.ContentType = "application/json"
        client.will_set(access.topics.state, access.will, qos=1, retain=True, properties=will)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        return client

    def open(self) -> None:
        """Connect, and wait until the broker lets the device in. Raises: LinkFailure."""
        properties = _properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = self._access.offline_after_s
        try:
            # Not a clean start: that would end a session whose will is still to wait.
            self._client.connect(
                self._access.host,
                self._access.port,
                self._access.keepalive_s,
                clean_start=False,
                properties=properties,
            )
        except (OSError, ValueError) as error:
            raise not_connected(error) from error
        end_s = time.monotonic() + _ANSWER_S
        while self._entry is None:
            if time.monotonic() > end_s:
                raise LinkFailure("the broker does not answer: connected, and then nothing")
            code = self._client.loop(0.1)
            if self._entry is None and code != MQTTErrorCode.MQTT_ERR_SUCCESS:
                what = "a certificate of the device" if self._access.tls else "TLS"
                raise self._end or LinkFailure(
                    f"the broker closed the connection without an answer; does it demand {what}?"
                )
        if self._entry != 0:
            raise refused_entry(self._entry)

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        retain: bool = False,
        about: Sequence[tuple[str, str]] = (),
    ) -> int:
        """Send a message of JSON with QoS 1; return the number under which its answer comes.

        ``about``: names and values that stand beside the message (user properties). Raises: LinkFailure.
        """
        properties = _properties(PacketTypes.PUBLISH)
        properties.ContentType = "application/json"
        properties.PayloadFormatIndicator = 1  # UTF-8
        for pair in about:
            properties.UserProperty = pair
        sent = self._client.publish(topic, payload, qos=1, retain=retain, properties=properties)
        self._check(sent.rc)
        return sent.mid

    def turn(self, timeout_s: float) -> list[Answer]:
        """Send and receive what there is, waiting for ``timeout_s`` seconds at most; return new answers.

        Raises: LinkFailure, after answers that had come before it were returned.
        """
        code = self._client.loop(timeout_s)
        answers, self._answers = self._answers, []
        if not answers:
            self._check(code)
        return answers

    def close(self) -> None:
        """End the connection so that the last will is not said. Raises nothing."""
        self._client.disconnect()
        self.abandon()

    def abandon(self) -> None:
        """Drop the connection, if any; the broker says the last will. Raises nothing."""
        if (sock := self._client.socket()) is not None:
            sock.close()
        # They hold this object, and this object the client: a circle that keeps its sockets open.
        self._client.on_connect = self._client.on_disconnect = self._client.on_publish = None

    def _check(self, code: MQTTErrorCode) -> None:
        if self._end is not None:
            raise self._end
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise LinkFailure(LOST)

    def _on_connect(
        self,
        client: Client,
        userdata: object,
        flags: ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        self._entry = reason.value
        self.most_unanswered = getattr(properties, "ReceiveMaximum", _MOST_UNANSWERED)

    def _on_disconnect(
        self,
        client: Client,
        userdata: object,
        flags: DisconnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if flags.is_disconnect_packet_from_server:
            self._end = ended(reason.value)

    def _on_publish(
        self,
        client: Client,
        userdata: object,
        message: int,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        self._answers.append(Answer(message, reason.value))
