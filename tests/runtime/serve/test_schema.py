"""Every route against its own OpenAPI description, with inputs that nobody thought of."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from analyte.runtime.serve.app import create_app
from analyte.runtime.serve.events import Client
from runtime.serve.fake import fake_context

schemathesis = pytest.importorskip("schemathesis")
from schemathesis.checks import load_all_checks, not_a_server_error  # noqa: E402
from schemathesis.specs.openapi.checks import (  # noqa: E402
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

load_all_checks()
CONTEXT = fake_context(None)
LOCAL = CONTEXT.keeper.local()
CONTEXT.keeper.requests.full = lambda key: False  # type: ignore[method-assign]
JOIN = CONTEXT.broker.join


def ended() -> Client | None:
    """Join the events as somebody who leaves after the first line."""
    client = JOIN()
    if client is not None:
        client.end()
    return client


CONTEXT.broker.join = ended  # type: ignore[method-assign]
APP = create_app(CONTEXT)
HEALTH = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
SCHEMA = schemathesis.openapi.from_asgi("/api/v1/openapi.json", APP, headers={"host": "localhost"})
CHECKS = (
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
)


@SCHEMA.parametrize()
@settings(max_examples=40, deadline=None, suppress_health_check=HEALTH)
def test_every_answer_is_one_that_the_description_tells_of(case: Any) -> None:
    assert LOCAL is not None
    answer = case.call(headers={"x-csrf-token": LOCAL.csrf, "host": "localhost"})
    # Not ready is an answer, not a failure.
    ready = () if (case.path, answer.status_code) == ("/readyz", 503) else (not_a_server_error,)
    # A list that is drawn as too long is now and then short enough, and rightly taken.
    drawn = CHECKS[:-1] if case.path == "/api/v1/recalibrations" else CHECKS
    case.validate_response(answer, checks=(*drawn, *ready))
