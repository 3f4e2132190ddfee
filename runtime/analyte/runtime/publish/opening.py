"""From a profile to a publisher."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from analyte.contract.errors import InputError, ProfileError, UnavailableError
from analyte.contract.profile import DeviceProfile
from analyte.contract.sections.mqtt import MqttSection, MqttTlsSection
from analyte.runtime.private_files import read_password, refuse_open_mode
from analyte.runtime.publish.access import Access
from analyte.runtime.publish.state import Absence, Running, offline
from analyte.runtime.publish.topics import topics_of

if TYPE_CHECKING:
    from analyte.runtime.publish.mqtt import MqttPublisher, OpenOutbox

_PORT, _TLS_PORT = 1883, 8883


class _ClosingSocket(ssl.SSLSocket):
    """Closes itself when the broker is not to be trusted: paho drops it open, once per attempt."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except BaseException:
            self.close()
            raise


def access_of(profile: DeviceProfile, mqtt: MqttSection, *, where: Path) -> Access:
    """Return broker and credentials of a profile, its files read. ``where``: the profile.

    Raises: ProfileError for a file that is missing, unusable, or open to others than its owner;
    UnavailableError where the library for MQTT is not installed.
    """
    _require_library()
    folder = where.parent
    try:
        password = None if mqtt.password_file is None else read_password(folder / mqtt.password_file)
    except InputError as error:
        raise _in_profile(error, "mqtt.password_file", where) from error
    topics = topics_of(mqtt.prefix, profile.device.id)
    return Access(
        host=mqtt.host,
        port=mqtt.port or (_PORT if mqtt.tls is None else _TLS_PORT),
        client_id=mqtt.client_id or profile.device.id,
        username=mqtt.username,
        password=password,
        tls=None if mqtt.tls is None else _context(mqtt.tls, where),
        keepalive_s=mqtt.keepalive_s,
        offline_after_s=round(mqtt.offline_after_s),
        topics=topics,
        will=offline(profile.device.id, Absence.LOST),
    )


def start_publisher(
    access: Access,
    mqtt: MqttSection,
    running: Running,
    open_outbox: OpenOutbox,
    report: Callable[[str], None],
) -> MqttPublisher:
    """Start sending; ``report`` is told in one line whenever matters change."""
    from analyte.runtime.publish.mqtt import MqttPublisher

    if access.password is not None and access.tls is None:
        report(f"mqtt: the password goes to {access.name} in the clear; mqtt.tls encrypts it")
    return MqttPublisher(access, running, open_outbox, report, window=mqtt.window)


def _context(tls: MqttTlsSection, where: Path) -> ssl.SSLContext:
    """Return how to encrypt: TLS 1.2 or later, the broker's certificate and name always checked."""
    folder = where.parent
    ca = None if tls.ca is None else folder / tls.ca
    try:
        context = ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        raise _unusable("mqtt.tls.ca", ca, error, where) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.sslsocket_class = _ClosingSocket
    if tls.certificate is not None and tls.key is not None:
        certificate, key = folder / tls.certificate, folder / tls.key
        try:
            refuse_open_mode(key, key.stat().st_mode, "private key", "make a new one if somebody read it")
            # Without this OpenSSL would ask the terminal for a passphrase.
            context.load_cert_chain(certificate, key, password=lambda: "")
        except (OSError, ssl.SSLError) as error:
            raise _unusable("mqtt.tls.certificate or key", f"{certificate}, {key}", error, where) from error
        except InputError as error:
            raise _in_profile(error, "mqtt.tls.key", where) from error
    return context


def _unusable(key: str, file: object, error: OSError, where: Path) -> ProfileError:
    got = getattr(error, "reason", None) or error.strerror or type(error).__name__
    return ProfileError(f"{key}: cannot be used", where=where, expected="PEM files", got=f"{file}: {got}")


def _in_profile(error: InputError, key: str, where: Path) -> ProfileError:
    return ProfileError(
        f"{key}: {error.what}",
        where=where,
        expected=error.expected,
        got=f"{error.where}: {error.got}" if error.got else error.where,
        fix=error.fix,
    )


def _require_library() -> None:
    """Import the library for MQTT. Raises: UnavailableError, with what to install."""
    try:
        import paho.mqtt.client  # noqa: F401 - whether it is there
    except ImportError as error:
        raise UnavailableError(
            "[mqtt] needs the library 'paho-mqtt', which is not installed",
            got=error,
            fix="pip install 'analyte[mqtt]'",
        ) from error
