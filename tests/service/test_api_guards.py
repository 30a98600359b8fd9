"""The rings around the API: limits of rate and size, headers, origins, metrics, the access log."""

import json
from collections.abc import Iterator

import pytest
import structlog
from api_world import api, api_settings, app_of, newcomer, sql
from starlette.testclient import TestClient

from api.app import create_app

__all__ = ["api"]
pytestmark = pytest.mark.service


@pytest.fixture
def serve(tmp_path, database_url) -> Iterator:
    """Clients of apps with the given settings."""
    opened = []

    def serving(**given) -> TestClient:
        app = create_app(api_settings(tmp_path / "home", database_url, **given))
        client = TestClient(app, raise_server_exceptions=False)
        client.__enter__()
        opened.append(client)
        return client

    yield serving
    for client in opened:
        client.__exit__(None, None, None)


def test_addresses_and_accounts_are_counted_apart(serve) -> None:
    api = serve(rate_limits=True, anonymous_per_min=3, sign_in_per_min=2)
    pages = [api.get("/v1/nothing") for _ in range(4)]
    assert [page.status_code for page in pages] == [404, 404, 404, 429]
    refused = pages[-1]
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert refused.headers["RateLimit-Policy"] == '"minute";q=3;w=60'
    assert refused.headers["RateLimit"].startswith('"minute";r=0;t=')
    signing = [api.post("/v1/auth/nothing").status_code for _ in range(3)]
    assert signing == [404, 404, 429]
    assert api.get("/v1/healthz").status_code == 200  # probes are not counted
    for plan, limit in (("free", 60), ("enterprise", 5000)):
        person = newcomer(api, plan=plan)
        answer = api.get("/v1/nothing", headers=person.headers)
        assert answer.headers["RateLimit-Policy"] == f'"minute";q={limit};w=60'
        assert answer.headers["RateLimit"].startswith(f'"minute";r={limit - 1};t=')


def test_a_counter_that_is_away_stops_nobody(serve) -> None:
    api = serve(rate_limits=True, redis_url="redis://127.0.0.1:1/0")
    assert api.get("/v1/nothing").status_code == 404


def test_a_body_that_is_too_large_is_refused_told_or_not(serve) -> None:
    api = serve(body_bytes=1000)

    @app_of(api).post("/v1/probe")
    async def probe(body: dict[str, str]) -> int:
        return len(body)

    def chunks() -> Iterator[bytes]:
        yield b'{"a": "'
        yield b"x" * 2000
        yield b'"}'

    fits = json.dumps({"a": "x"})
    kind = {"Content-Type": "application/json"}
    assert api.post("/v1/probe", content=fits, headers=kind).json() == 1
    for body in (b"x" * 1001, chunks()):
        answer = api.post("/v1/probe", content=body, headers=kind)
        assert (answer.status_code, answer.json()["status"]) == (413, 413)


def test_every_answer_carries_the_headers_that_browsers_need(serve) -> None:
    api = serve(api_origins="https://app.example.com, https://other.example.com")
    for path in ("/v1/version", "/v1/nothing", "/v2"):
        headers = api.get(path, headers={"Origin": "https://app.example.com"}).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert headers["Access-Control-Allow-Origin"] == "https://app.example.com"
        assert "Strict-Transport-Security" not in headers
        assert len(headers["X-Request-Id"]) == 32
    strange = api.get("/v1/version", headers={"Origin": "https://evil.example.com"})
    assert "Access-Control-Allow-Origin" not in strange.headers
    asking = {"Origin": "https://app.example.com", "Access-Control-Request-Method": "POST"}
    allowed = {**asking, "Access-Control-Request-Headers": "authorization,idempotency-key"}
    assert api.options("/v1/version", headers=allowed).status_code == 200
    assert "Strict-Transport-Security" in api.get("https://testserver/v1/version").headers


def test_metrics_are_by_route_and_behind_a_token(serve, api: TestClient) -> None:
    assert api.get("/metrics").status_code == 404
    open_to = serve(metrics_token="m" * 20)
    assert open_to.get("/metrics").status_code == 401
    open_to.get("/v1/version")
    text = open_to.get("/metrics", headers={"Authorization": f"Bearer {'m' * 20}"}).text
    assert 'handler="/v1/version"' in text
    assert "process_resident_memory_bytes" in text


def test_the_log_tells_of_requests_and_not_of_people(api: TestClient) -> None:
    person = newcomer(api)

    @app_of(api).get("/v1/probe/{name}")
    async def probe(name: str) -> str:
        return name

    with structlog.testing.capture_logs() as lines:
        path = "/v1/probe/holiday-at-the-sea?q=secret"
        api.get(path, headers={**person.headers, "User-Agent": "agent-of-mine"})
    [line] = [line for line in lines if line["event"] == "request.served"]
    assert (line["route"], line["status"]) == ("/v1/probe/{name}", 200)
    told = json.dumps(lines, default=str)
    for private in ("holiday", "secret", "agent-of-mine", person.id, person.email, "testclient"):
        assert private not in told
    assert sql(api, "SELECT count(*) FROM users WHERE id = %s", person.id) == [(1,)]


def test_readiness_names_the_part_that_is_away(serve) -> None:
    away = serve(prefect_api_url="http://127.0.0.1:1/api", redis_url="redis://127.0.0.1:1/0")
    answer = away.get("/v1/readyz")
    assert answer.status_code == 503
    assert answer.json() == {
        "status": "not_ready",
        "parts": {"postgres": True, "prefect": False, "storage": True, "redis": False},
    }
