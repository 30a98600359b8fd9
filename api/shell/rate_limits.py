"""How many requests in a minute: by plan with a token, by address without one."""

import math
import time
from collections import OrderedDict

import structlog
from fastapi import Request
from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage, RedisStorage, Storage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.shell.database import system_transaction
from api.shell.identification import claims_of, network_of
from api.shell.principal import entitlement_of
from api.shell.problems import ProblemError, problem_response
from api.shell.repository import account_state
from api.shell.tokens import Claims
from models.settings import Settings

PLAN_S = 30.0
"""How long the limit of an account is remembered: a new plan counts that soon."""

PLANS_MOST = 10_000
"""Accounts remembered; the one that was asked for least recently goes first."""

SIGNING_IN = "/v1/auth/"
"""Where passwords and codes can be guessed."""

FREE = ("/healthz", "/readyz", "/version", "/metrics")
"""Ends of paths that probes ask for."""

_log = structlog.get_logger("api.limits")


def rate_storage(settings: Settings) -> Storage:
    """Return where requests are counted: in this process, or in Redis for all of them."""
    if settings.redis_url is None:
        return MemoryStorage()
    url = settings.redis_url.get_secret_value()
    return RedisStorage(url, implementation="redispy", wrap_exceptions=True)


class PlanLimits:
    """Requests a minute of each account, remembered for a little while."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._known: OrderedDict[tuple[str, str], tuple[float, int | None]] = OrderedDict()

    async def of(self, claims: Claims) -> int | None:
        """Return the limit; None is no limit, 0 is no such account or session.

        Raises:
            FileOrganizerError: the database does not answer.
        """
        now = time.monotonic()
        asked = (claims.account_id, claims.session_id)
        known = self._known.get(asked)
        if known is not None and known[0] > now:
            self._known.move_to_end(asked)
            return known[1]
        async with system_transaction(self._engine) as connection:
            account = await account_state(connection, *asked)
        limit = 0 if account is None else entitlement_of(account).limits["rate_limit_per_min"]
        self._known[asked] = (now + PLAN_S, limit)
        if len(self._known) > PLANS_MOST:
            self._known.popitem(last=False)
        return limit


class RateLimits:
    """Answers 429 beyond the limit, and says in every answer how much is left.

    Where requests cannot be counted, because Redis or Postgres is away, they pass: an outage of
    the counter must not become one of the product.
    """

    def __init__(self, app: ASGIApp, *, settings: Settings, engine: AsyncEngine) -> None:
        self._app = app
        self._settings = settings
        self._plans = PlanLimits(engine)
        self._limiter = SlidingWindowCounterRateLimiter(rate_storage(settings))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] == "OPTIONS" or scope["path"].endswith(FREE):
            await self._app(scope, receive, send)
            return
        try:
            key, per_minute = await self._limit(scope)
            if per_minute is None:
                await self._app(scope, receive, send)
                return
            item = RateLimitItemPerMinute(per_minute)
            is_allowed = await self._limiter.hit(item, key)
            window = await self._limiter.get_window_stats(item, key)
        except Exception:  # noqa: BLE001 -- whatever the counter's trouble is
            _log.warning("limits.uncounted", exc_info=True)
            await self._app(scope, receive, send)
            return
        wait_s = max(1, math.ceil(window.reset_time - time.time()))
        told = {
            # draft-ietf-httpapi-ratelimit-headers-10
            "RateLimit-Policy": f'"minute";q={per_minute};w=60',
            "RateLimit": f'"minute";r={window.remaining};t={wait_s}',
        }

        async def send_with_rate(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(told)
            await send(message)

        if is_allowed:
            await self._app(scope, receive, send_with_rate)
            return
        problem = ProblemError(
            429,
            f"more than {per_minute} requests in a minute; wait {wait_s} s",
            headers={"Retry-After": str(wait_s)},
        )
        await problem_response(Request(scope), problem)(scope, receive, send_with_rate)

    async def _limit(self, scope: Scope) -> tuple[str, int | None]:
        """By whom a request is counted, and how many of them there may be in a minute."""
        claims = claims_of(scope)
        if claims is not None:
            limit = await self._plans.of(claims)
            if limit != 0:
                return f"account:{claims.account_id}", limit
        network = network_of(scope)
        if scope["path"].startswith(SIGNING_IN) and scope["method"] == "POST":
            return f"sign-in:{network}", self._settings.sign_in_per_min
        return f"address:{network}", self._settings.anonymous_per_min
