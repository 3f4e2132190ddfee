"""The API through its own door: who gets in, what it answers, what is written down."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest
from fastapi.testclient import TestClient

from analyte.contract.errors import OutputError
from analyte.contract.event import Event, Role
from analyte.contract.reading import Flag, Reason
from analyte.runtime.serve.app import create_app
from analyte.runtime.serve.context import Context
from analyte.runtime.serve.guard import PUBLIC
from analyte.runtime.serve.instrument import TrialStatus
from analyte.runtime.serve.security import TRIES_PER_MINUTE
from analyte.runtime.serve.tokens import TokenFile
from analyte.runtime.serve.words import FLAG_WORDS, REASON_WORDS
from runtime.serve.fake import FakeInstrument, FakeTrail, fake_context, some_readings

HERE = "http://localhost"


@pytest.fixture
def tokens(tmp_path: Path) -> Path:
    return tmp_path / "tokens.json"


def bearer(tokens: Path, role: Role, expires: datetime | None = None) -> dict[str, str]:
    return {"authorization": f"Bearer {TokenFile(tokens).add(f'{role}-x', role, expires)}"}


def client_of(context: Context) -> TestClient:
    return TestClient(create_app(context), base_url=HERE)


def routes_of(context: Context) -> list[tuple[str, str]]:
    paths = create_app(context).openapi()["paths"]
    listed = [(method.upper(), path) for path, methods in paths.items() for method in methods]
    return [*listed, ("GET", "/"), ("GET", "/static/app.js"), ("GET", "/api/v1/openapi.json"), ("GET", "/no")]


def test_nobody_unknown_gets_anything_but_health_and_login(tokens: Path) -> None:
    bearer(tokens, Role.VIEWER)
    context = fake_context(tokens)
    client = client_of(context)
    swept = [route for route in routes_of(context) if route[1] not in PUBLIC]
    assert len(swept) > 20
    for method, path in swept:
        answer = client.request(method, path.replace("{id}", "x"))
        assert answer.status_code in (401, 403), (method, path, answer.status_code)
    assert not cast(FakeInstrument, context.instrument).calls


@pytest.mark.parametrize("path", ["/api/v1/start", "/api/v1/stop", "/api/v1/measure"])
def test_an_action_takes_an_operator_and_is_written_down(tokens: Path, path: str) -> None:
    viewer, operator = bearer(tokens, Role.VIEWER), bearer(tokens, Role.OPERATOR)
    context = fake_context(tokens)
    client = client_of(context)
    assert client.post(path, headers=viewer).status_code == 403
    assert client.post(path, headers=operator).status_code == 200
    (event,) = cast(FakeTrail, context.trail).kept
    assert (event.who, event.role) == ("operator-x", Role.OPERATOR)


class FullTrail(FakeTrail):
    def add(self, event: Event) -> None:
        raise OutputError("the disk is full")


def test_what_cannot_be_recorded_is_not_done(tokens: Path) -> None:
    context = replace(fake_context(tokens), trail=FullTrail())
    operator = bearer(tokens, Role.OPERATOR)
    for path in ("/api/v1/start", "/api/v1/stop", "/api/v1/measure"):
        answer = client_of(context).post(path, headers=operator)
        assert answer.status_code == 507
    assert not cast(FakeInstrument, context.instrument).calls


@pytest.mark.parametrize(
    ("path", "more"),
    [
        ("/api/v1/recalibrations", {"method": "offset", "standards": ["s0"]}),
        ("/api/v1/recalibrations/undo", {}),
        ("/api/v1/bundles/promote", {}),
        ("/api/v1/bundles/rollback", {}),
    ],
)
def test_what_changes_the_values_takes_a_supervisor(tokens: Path, path: str, more: dict[str, object]) -> None:
    operator, supervisor = bearer(tokens, Role.OPERATOR), bearer(tokens, Role.SUPERVISOR)
    context = fake_context(tokens)
    tried = TrialStatus(bundle="cd" * 32, compared=9, mean_difference=0.1, largest=0.2, refused_by_new=0)
    cast(FakeInstrument, context.instrument).trial = tried
    client = client_of(context)
    given = {"why": "drift", **more}
    assert client.post(path, headers=operator, json=given).status_code == 403
    assert client.post(path, headers=supervisor, json={**given, "why": ""}).status_code == 422
    assert client.post(path, headers=supervisor, json=given).status_code == 200


@pytest.mark.parametrize("known", ["NaN", "Infinity", "null", '"50"', "1e400", "false"])
def test_a_standard_without_a_number_is_refused(tokens: Path, known: str) -> None:
    context = fake_context(tokens)
    headers = bearer(tokens, Role.OPERATOR) | {"content-type": "application/json"}
    answer = client_of(context).post("/api/v1/standards", headers=headers, content=f'{{"known": {known}}}')
    assert answer.status_code == 422
    assert cast(FakeInstrument, context.instrument).calls == []


@pytest.mark.parametrize("time", ["0.5", "2026", "2026-01-01", "2026-01-01T08:00:00", "noon"])
def test_a_time_that_is_not_one_moment_is_refused(time: str) -> None:
    client = client_of(fake_context(None))
    assert client.get(f"/api/v1/readings?since={time}").status_code == 422
    assert client.get("/api/v1/readings?since=2026-01-01T08:00:00Z").status_code == 200


@pytest.mark.parametrize("path", ["/api/v1/readings", "/api/v1/readings.csv"])
def test_a_mistyped_filter_is_refused(tokens: Path, path: str) -> None:
    client, headers = client_of(fake_context(tokens)), bearer(tokens, Role.VIEWER)
    answer = client.get(f"{path}?sinze=2026-01-01T00:00:00Z", headers=headers)
    assert answer.status_code == 422
    assert "sinze" in answer.json()["detail"]


def test_an_expired_and_a_removed_token_are_refused(tokens: Path) -> None:
    expired = bearer(tokens, Role.VIEWER, datetime(2020, 1, 1, tzinfo=UTC))
    good = bearer(tokens, Role.OPERATOR)
    client = client_of(fake_context(tokens))
    assert client.get("/api/v1/status", headers=expired).status_code == 401
    assert client.get("/api/v1/status", headers=good).status_code == 200
    TokenFile(tokens).remove("operator-x")
    assert client.get("/api/v1/status", headers=good).status_code == 401


def test_wrong_tokens_are_counted_by_address(tokens: Path) -> None:
    good = bearer(tokens, Role.VIEWER)
    client = client_of(fake_context(tokens))
    wrong = {"authorization": "Bearer viewer-x:guess"}
    seen = [client.get("/api/v1/status", headers=wrong).status_code for _ in range(TRIES_PER_MINUTE + 1)]
    assert seen == [401] * TRIES_PER_MINUTE + [429]
    assert client.get("/api/v1/status", headers=good).status_code == 429


def test_a_session_needs_the_word_of_its_page_for_unsafe_requests(tokens: Path) -> None:
    token = TokenFile(tokens).add("ann", Role.OPERATOR, None)
    client = client_of(fake_context(tokens))
    answer = client.post("/login", json={"token": token})
    assert answer.status_code == 200
    assert "HttpOnly" in answer.headers["set-cookie"]
    assert "samesite=strict" in answer.headers["set-cookie"].lower()
    assert client.post("/api/v1/stop").status_code == 403
    csrf = client.get("/api/v1/session").json()["csrf"]
    assert client.post("/api/v1/stop", headers={"x-csrf-token": csrf}).status_code == 200
    client.post("/logout", headers={"x-csrf-token": csrf})
    assert client.get("/api/v1/status").status_code == 401


def test_another_name_for_this_machine_lends_no_rights() -> None:
    client = client_of(fake_context(None))
    assert client.get("/api/v1/status").status_code == 200
    assert client.get("/api/v1/status", headers={"host": "evil.example"}).status_code == 403
    assert client.post("/api/v1/stop").status_code == 403


def test_the_secret_is_in_no_file(tokens: Path) -> None:
    token = TokenFile(tokens).add("ann", Role.VIEWER, None)
    assert token.partition(":")[2] not in tokens.read_text()
    assert tokens.stat().st_mode & 0o077 == 0


def test_pages_of_readings_join_without_gap() -> None:
    client = client_of(fake_context(None))
    first = client.get("/api/v1/readings?limit=25").json()
    rest = client.get(f"/api/v1/readings?limit=25&before={first['next_before']}").json()
    assert [one["sequence"] for one in first["readings"] + rest["readings"]] == list(range(40, 0, -1))
    assert rest["next_before"] is None


def test_csv_holds_every_reading() -> None:
    text = client_of(fake_context(None)).get("/api/v1/readings.csv").text
    assert len(text.splitlines()) == 41


def test_a_refused_upload_is_called_by_the_name_of_the_persons_file(tokens: Path) -> None:
    context = fake_context(tokens)
    answer = client_of(context).post(
        "/api/v1/bundles?name=autumn.zip", content=b"no bundle", headers=bearer(tokens, Role.SUPERVISOR)
    )
    assert answer.json()["detail"] == "autumn.zip: not a packed bundle"
    assert cast(FakeTrail, context.trail).kept[-1].new == answer.json()["detail"]


@pytest.mark.parametrize(("body", "status"), [(b"x" * 2_000_000, 413), (b"no bundle", 422), (b"PK", 200)])
def test_an_upload_is_limited_and_verified(tokens: Path, body: bytes, status: int) -> None:
    supervisor = bearer(tokens, Role.SUPERVISOR)
    client = client_of(fake_context(tokens))
    assert client.post("/api/v1/bundles", content=body, headers=supervisor).status_code == status
    pieces = (body[at : at + 65536] for at in range(0, len(body), 65536))
    assert client.post("/api/v1/bundles", content=pieces, headers=supervisor).status_code == status


def test_not_ready_without_a_fresh_frame() -> None:
    context = fake_context(None)
    client = client_of(context)
    assert client.get("/readyz").status_code == 200
    cast(FakeInstrument, context.instrument).frame_age_s = 60.0
    answer = client.get("/readyz")
    assert (answer.status_code, len(answer.json()["obstacles"])) == (503, 1)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_finds_nothing_wrong_with_the_metrics() -> None:
    context = fake_context(None)
    for one in some_readings():
        context.figures.add(one)
    text = client_of(context).get("/metrics").text
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    assert 'analyte_refusals_total{reason="focus"} 4' in text


def test_every_flag_and_reason_has_words() -> None:
    assert set(FLAG_WORDS) == set(Flag)
    assert set(REASON_WORDS) == set(Reason)


def test_no_script_in_the_page_but_its_own() -> None:
    answer = client_of(fake_context(None)).get("/")
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]
