"""Every route against its own OpenAPI description, with inputs that nobody thought of."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from analyte.runtime.serve.app import create_app
from runtime.serve.fake import fake_context

schemathesis = pytest.importorskip("schemathesis")
CONTEXT = fake_context(None)
LOCAL = CONTEXT.keeper.local()
CONTEXT.keeper.requests.full = lambda key: False  # type: ignore[method-assign]
CHECKS = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
SCHEMA = schemathesis.openapi.from_asgi(
    "/api/v1/openapi.json", create_app(CONTEXT), headers={"host": "localhost"}
).exclude(path="/api/v1/events")


@SCHEMA.parametrize()
@settings(max_examples=15, deadline=None, suppress_health_check=CHECKS)
def test_no_input_makes_the_server_fail(case: Any) -> None:
    assert LOCAL is not None
    answer = case.call(headers={"x-csrf-token": LOCAL.csrf, "host": "localhost"})
    assert answer.status_code < 500 or (case.path, answer.status_code) == ("/readyz", 503)
