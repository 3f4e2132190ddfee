"""What the page and MQTT need, looked at before the daemon starts."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from analyte.contract.event import Role
from analyte.contract.profile import load_profile
from analyte.runtime.device.finding import Finding
from analyte.runtime.device.services import check_services
from analyte.runtime.serve.tokens import TokenFile
from runtime.tiny_bundles import write_profile

PAGE = '[serve]\ntokens = "tokens.json"\n'
MQTT = '[mqtt]\nhost = "broker"\n'


def checked(folder: Path, sections: str) -> list[Finding]:
    path = write_profile(folder / "p.toml")
    path.write_text(path.read_text("utf-8") + sections, "utf-8")
    return check_services(load_profile(path), path)


def test_nothing_is_asked_for(tmp_path: Path) -> None:
    assert checked(tmp_path, "") == []


def test_all_is_there(tmp_path: Path) -> None:
    pytest.importorskip("fastapi", reason="needs analyte[serve]")
    pytest.importorskip("paho", reason="needs analyte[mqtt]")
    TokenFile(tmp_path / "tokens.json").add("ann", Role.VIEWER, None)
    found = checked(tmp_path, PAGE + MQTT)
    assert [(one.check, one.status) for one in found] == [("page", "ok"), ("mqtt", "ok")]
    assert "broker:1883" in found[1].found


@pytest.mark.parametrize(
    ("module", "section", "extra"),
    [("fastapi", PAGE, "serve"), ("uvicorn", PAGE, "serve"), ("paho.mqtt.client", MQTT, "mqtt")],
)
def test_a_package_that_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, section: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    (found,) = checked(tmp_path, section)
    assert (found.status, found.exit_code, found.fix) == ("missing", 5, f"pip install 'analyte[{extra}]'")


@pytest.mark.parametrize(
    ("section", "said"),
    [
        (PAGE, "tokens.json: the tokens cannot be read: No such file or directory"),
        ('[serve]\ntls = { certificate = "c.pem", key = "k.pem" }\n', "c.pem: serve.tls: No such file"),
        (
            MQTT + 'password_file = "secret"\nusername = "u"\n',
            "mqtt.password_file: the password cannot be read",
        ),
    ],
)
def test_a_file_that_is_missing(tmp_path: Path, section: str, said: str) -> None:
    pytest.importorskip("fastapi", reason="needs analyte[serve]")
    pytest.importorskip("paho", reason="needs analyte[mqtt]")
    (found,) = checked(tmp_path, section)
    assert (found.status, found.exit_code) == ("missing", 3)
    assert said in found.found
