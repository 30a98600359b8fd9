"""The guard of the dashboards lets nobody in without the cookie, on either protocol."""

import asyncio

import pytest

from dashboards.analytics.guard import Guard

HOST = (b"host", b"127.0.0.1:8000")
SERVER = ("127.0.0.1", 8000)


class Inner:
    """An app that says what reached it."""

    def __init__(self):
        self.reached = []

    async def __call__(self, scope, receive, send):
        self.reached.append(scope["type"])
        if scope["type"] == "http":
            headers = [(b"X-Frame", b"x"), (b"referrer-policy", b"unsafe-url")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b"in"})
        elif scope["type"] == "websocket":
            await send({"type": "websocket.accept"})


@pytest.fixture
def inner():
    return Inner()


@pytest.fixture
def guard(inner):
    return Guard(inner, host="127.0.0.1")


def call(app, kind="http", *headers, query=""):
    """Return the messages an app answers to one request."""
    sent = []

    async def receive():
        return {"type": f"{kind}.connect" if kind == "websocket" else "http.request"}

    async def send(message):
        sent.append(message)

    scope = {
        "type": kind,
        "path": "/",
        "query_string": query.encode(),
        "headers": list(headers or (HOST,)),
        "server": SERVER,
    }
    asyncio.run(app(scope, receive, send))
    return sent


def status(sent):
    return sent[0].get("status")


def cookie_of(sent):
    return next(value for name, value in sent[0]["headers"] if name == b"set-cookie")


def enter(guard):
    """Use the token and return the cookie as a browser sends it back."""
    sent = call(guard, query=f"token={guard.token}")
    assert status(sent) == 303
    cookie = cookie_of(sent)
    assert cookie.endswith(b"; HttpOnly; SameSite=Strict; Path=/")
    assert (b"location", b"/") in sent[0]["headers"]
    return (b"cookie", cookie.partition(b";")[0])


def test_without_a_cookie_no_page_and_no_socket_reaches_the_app(guard, inner):
    assert status(call(guard)) == 401
    (closed,) = call(guard, "websocket")
    assert (closed["type"], closed["code"]) == ("websocket.close", 1008)
    for query in ("token=", "token=wrong", f"x={guard.token}"):
        assert status(call(guard, query=query)) == 401
        assert call(guard, "websocket", query=query)[0]["type"] == "websocket.close"
    assert inner.reached == []


def test_the_token_opens_no_socket(guard, inner):
    sent = call(guard, "websocket", query=f"token={guard.token}")
    assert sent[0]["type"] == "websocket.close"
    assert status(call(guard, query=f"token={guard.token}")) == 303


def test_the_token_works_once_and_the_cookie_from_then_on(guard, inner):
    token = guard.token
    cookie = enter(guard)
    assert status(call(guard, query=f"token={token}")) == 401
    for _ in range(2):
        assert status(call(guard, "http", HOST, cookie)) == 200
    assert call(guard, "websocket", HOST, cookie) == [{"type": "websocket.accept"}]
    assert inner.reached == ["http", "http", "websocket"]


@pytest.mark.parametrize(
    "cookie",
    [b"", b"fileorganizer_dashboards_8000=", b"fileorganizer_dashboards_8000=x", b'a="', b"\xff=1"],
)
def test_another_cookie_is_none(guard, inner, cookie):
    assert status(call(guard, "http", HOST, (b"cookie", cookie))) == 401
    assert inner.reached == []


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize(
    "headers",
    [
        [(b"host", b"evil.example:8000")],
        [(b"host", b"")],
        [],
        [HOST, (b"origin", b"http://evil.example")],
        [HOST, (b"origin", b"http://127.0.0.1:9000")],
        [HOST, (b"origin", b"null")],
    ],
)
def test_a_foreign_name_or_page_is_refused_even_with_the_cookie(guard, inner, kind, headers):
    cookie = enter(guard)
    sent = call(guard, kind, *headers, cookie)
    assert status(sent) == 403 if kind == "http" else sent[0]["type"] == "websocket.close"
    assert inner.reached == []


@pytest.mark.parametrize("host", [b"localhost:8000", b"[::1]:8000", b"127.0.0.1"])
def test_own_names_are_let_in(guard, host):
    cookie = enter(guard)
    own = (b"origin", b"http://" + host)
    assert status(call(guard, "http", (b"host", host), own, cookie)) == 200


def test_every_answer_says_that_no_other_host_is_to_be_asked(guard):
    cookie = enter(guard)
    for sent in (call(guard), call(guard, "http", HOST, cookie)):
        headers = dict(sent[0]["headers"])
        assert b"connect-src 'self'" in headers[b"content-security-policy"]
        assert headers[b"referrer-policy"] == b"no-referrer"


def test_the_lifespan_passes(guard, inner):
    call(guard, "lifespan")
    assert inner.reached == ["lifespan"]
