"""``[mqtt]`` as people write it: what is wrong is said before anything is sent, and no secret with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from analyte.contract.errors import AnalyteError, ProfileError
from analyte.contract.sections.mqtt import MqttSection
from analyte.runtime.publish.topics import topics_of
from runtime.publish.certificates import authority
from runtime.publish.publishers import access

SECRET = "s3cret-w0rd"


@pytest.mark.parametrize(
    "host",
    [
        f"mqtt://user:{SECRET}@broker.lab",
        f"mqtts://user:{SECRET}@broker.lab:8883",
        f"user:{SECRET}@broker.lab",
        f"user:{SECRET}/x@broker.lab",
        f"{SECRET}@broker.lab",
        f"broker.lab?password={SECRET}",
        f"broker.lab {SECRET}",
        f"user:{SECRET}",
        "",
    ],
)
def test_address_that_is_more_than_a_host_is_refused_unprinted(tmp_path: Path, host: str) -> None:
    with pytest.raises(ProfileError, match="host must be a name or an IP address alone") as caught:
        access(tmp_path, 1883, host=host)
    assert SECRET not in caught.value.line() + caught.value.what


@pytest.mark.parametrize("key", ["password", "password_text", '"mqtt.password"'])
def test_password_in_the_profile_is_refused_unprinted(tmp_path: Path, key: str) -> None:
    with pytest.raises(ProfileError, match="a password never stands in a profile") as caught:
        access(tmp_path, 1883, more=f'{key} = "{SECRET}"')
    assert SECRET not in caught.value.line() + caught.value.what


@given(st.text())
def test_any_host_is_a_host_or_refused(host: str) -> None:
    try:
        section = MqttSection(host=host)
    except ValidationError:
        return
    assert not set(section.host) & set("@/?# \n")


@given(st.text(max_size=30))
def test_any_prefix_gives_two_topics_or_is_refused(prefix: str) -> None:
    try:
        section = MqttSection(host="h", prefix=prefix)
    except ValidationError:
        return
    for topic in topics_of(section.prefix, "d"):
        assert not set(topic) & set("+#\0")
        assert topic[0] not in "/$"
        assert "" not in topic.split("/")
        assert topic.encode("utf-8")


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ('prefix = "a/#"', "mqtt.prefix: must be parts joined by '/'"),
        ('password_file = "p"', "mqtt: password_file needs a username"),
        ('tls = { certificate = "c" }', "mqtt.tls: certificate and key go together"),
        ("window = 0", "mqtt.window"),
        ('topic = "x"', "mqtt.topic: unknown key, expected host, port, prefix"),
        ('username = "u"\npassword_file = "none"', "mqtt.password_file: the password cannot be read"),
        ('tls = { ca = "none.pem" }', "mqtt.tls.ca: cannot be used"),
        ('tls = { ca = "device.toml" }', "mqtt.tls.ca: cannot be used"),
        ('tls = { certificate = "none", key = "none" }', "mqtt.tls.certificate or key: cannot be used"),
    ],
)
def test_wrong_keys_are_named(tmp_path: Path, more: str, says: str) -> None:
    with pytest.raises(ProfileError) as caught:
        access(tmp_path, 1883, more=more)
    line = caught.value.line()
    assert line.startswith(f"{tmp_path / 'device.toml'}: {says}"), line
    assert caught.value.exit_code == 3


class TestFilesOfSecrets:
    def of(self, folder: Path, content: bytes, mode: int) -> AnalyteError:
        file = folder / "password"
        file.write_bytes(content)
        file.chmod(mode)
        with pytest.raises(ProfileError) as caught:
            access(folder, 1883, more='username = "u"\npassword_file = "password"')
        assert SECRET not in caught.value.line()
        return caught.value

    @pytest.mark.parametrize("mode", [0o644, 0o640, 0o602, 0o610])
    def test_password_that_others_may_read(self, tmp_path: Path, mode: int) -> None:
        line = self.of(tmp_path, SECRET.encode(), mode).line()
        assert f"expected mode 0600; got {tmp_path / 'password'}: {mode:04o}. chmod 600" in line

    @pytest.mark.parametrize(
        "content", [b"", b"\n", b"a\nb\n", b"\xff\xfe", f"{SECRET}\nmore".encode()], ids=range(5)
    )
    def test_no_password(self, tmp_path: Path, content: bytes) -> None:
        assert "expected one line of UTF-8" in self.of(tmp_path, content, 0o600).line()

    def test_key_that_others_may_read(self, tmp_path: Path) -> None:
        _, key = authority(tmp_path / "lab.pem").issue(tmp_path / "device", "bench-1")
        key.chmod(0o644)
        with pytest.raises(ProfileError, match=r"mqtt\.tls\.key: others than its owner may read"):
            access(tmp_path, 1883, more='tls = { certificate = "device.crt", key = "device.key" }')


def test_ports_and_names(tmp_path: Path) -> None:
    plain = access(tmp_path, 1884, host="::1", more='client_id = "c"\nprefix = "lab/a"')
    assert (plain.name, plain.client_id) == ("[::1]:1884", "c")
    assert plain.topics.state == "lab/a/bench-1/state"
