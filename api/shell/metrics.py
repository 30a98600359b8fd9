"""Figures for Prometheus, behind a token: times and sizes by route, nothing of people."""

import secrets

from fastapi import FastAPI, Request
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_fastapi_instrumentator import Instrumentator

from api.shell.problems import unauthenticated
from models.settings import Settings

PATH = "/metrics"


def add_metrics(app: FastAPI, settings: Settings) -> None:
    """Measure every request, and serve the figures at /metrics to who knows the token.

    Without a token in the settings there is no such path.
    """
    if settings.metrics_token is None:
        return
    expected = settings.metrics_token.get_secret_value()
    registry = CollectorRegistry()
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=registry)
    Instrumentator(
        should_ignore_untemplated=True, excluded_handlers=[PATH], registry=registry
    ).instrument(app)

    async def metrics(request: Request) -> Response:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not secrets.compare_digest(given.encode(), expected.encode()):
            raise unauthenticated("metrics need the token of FILEORGANIZER_METRICS_TOKEN")
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    app.add_api_route(PATH, metrics, include_in_schema=False)
