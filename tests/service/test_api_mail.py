"""The outbox of mail against a real SMTP server."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import psycopg
import pytest
from mail_world import Postbox, postbox
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from api.mail.outbox import enqueue
from api.mail.rendering import TEMPLATES, rendered
from api.mail.sender import MailSender
from api.mail.transport import FolderTransport, SmtpTransport, Transport, smtp_address
from models.domain.errors import BrokenError, InvalidError
from models.domain.mails import Mail, mail_id

__all__ = ["postbox"]

pytestmark = pytest.mark.service

SENDER = "FileOrganizer <no-reply@files.example>"
PUBLIC = "https://files.example/"

CONTEXT = {
    "username": "Zoë <b>",
    "token": "t0ken",
    "hours": 24,
    "minutes": 30,
    "new_email": "new@example.com",
    "is_enabled": True,
    "files": 3,
    "size": "1 MB",
    "days": 7,
    "export_id": "7",
    "date": "1 May",
    "title": "Organizing is done",
    "body": "12 files dealt with",
    "job_id": "7",
}


def put(url: str, *mails: Mail, and_fail: bool = False) -> list[bool]:
    async def work() -> list[bool]:
        engine = create_async_engine(make_url(url).set(drivername="postgresql+psycopg"))
        async with engine.connect() as connection:
            found = [await enqueue(connection, mail) for mail in mails]
            if not and_fail:
                await connection.commit()
        await engine.dispose()
        return found

    return asyncio.run(work())


@asynccontextmanager
async def sending(url: str, transport: Transport) -> AsyncGenerator[MailSender]:
    sender = MailSender(url, transport=transport, sender=SENDER, public_url=PUBLIC, poll_s=0.2)
    try:
        yield sender
    finally:
        await sender.close()


def drain(url: str, transport: Transport) -> int:
    async def work() -> int:
        async with sending(url, transport) as sender:
            return await sender.drain()

    return asyncio.run(work())


def rows(url: str) -> list[tuple]:
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        return connection.execute(
            "SELECT sent_at IS NOT NULL, failed_at IS NOT NULL, attempts, context, last_error"
            " FROM outgoing_mails ORDER BY created_at, id"
        ).fetchall()


def due_now(url: str, *, age_days: int = 0) -> None:
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(
            "UPDATE outgoing_mails SET next_attempt_at = now(),"
            f" created_at = created_at - interval '{age_days} days'"
        )


def smtp(port: int) -> SmtpTransport:
    return SmtpTransport(smtp_address(f"smtp://127.0.0.1:{port}"))


def verification(recipient: str = "anna@example.com", **given: str) -> Mail:
    return Mail(template="verify_email", recipient=recipient, context=CONTEXT, **given)


def test_a_mail_arrives_in_text_and_html_with_its_link_once(
    database_url: str, postbox: Postbox
) -> None:
    mail = verification(id=mail_id("verify", "anna"))
    assert put(database_url, mail) == [True]
    assert put(database_url, mail) == [False]  # told again
    assert drain(database_url, smtp(postbox.port)) == 1
    assert drain(database_url, smtp(postbox.port)) == 0
    [(recipients, raw)] = postbox.received
    message = message_from_bytes(raw, policy=policy.default)
    assert isinstance(message, EmailMessage)
    assert recipients == ["anna@example.com"]
    assert message["Subject"] == "Confirm your e-mail address"
    assert message["Message-ID"] == f"<{mail.id}@files.example>"
    text = message.get_body(("plain",)).get_content()
    html = message.get_body(("html",)).get_content()
    assert "https://files.example/verify-email?token=t0ken" in text
    assert "Hello Zoë <b>," in text
    assert 'href="https://files.example/verify-email?token=t0ken"' in html
    assert "Zoë &lt;b&gt;" in html
    assert rows(database_url) == [(True, False, 0, {}, None)]


def test_a_mail_exists_only_if_what_it_tells_of_was_committed(
    database_url: str, postbox: Postbox
) -> None:
    put(database_url, verification(), and_fail=True)
    assert drain(database_url, smtp(postbox.port)) == 0


def test_a_server_that_is_away_or_occupied_gets_the_mail_later(
    database_url: str, postbox: Postbox
) -> None:
    put(database_url, verification())
    assert drain(database_url, smtp(1)) == 1  # nothing listens there
    postbox.answers = ["451 come back later"]
    due_now(database_url)
    assert drain(database_url, smtp(postbox.port)) == 1
    [(sent, failed, attempts, context, error)] = rows(database_url)
    assert (sent, failed, attempts) == (False, False, 2)
    assert context == CONTEXT
    assert "451" in error
    due_now(database_url)
    assert drain(database_url, smtp(postbox.port)) == 1
    assert len(postbox.received) == 1
    assert rows(database_url)[0][:2] == (True, False)


def test_a_refused_mail_is_given_up_and_an_old_one_too(database_url: str, postbox: Postbox) -> None:
    postbox.answers = ["550 no such person anna@example.com"]
    put(database_url, verification())
    drain(database_url, smtp(postbox.port))
    [(_, failed, _, context, error)] = rows(database_url)
    assert failed
    assert context == {}  # its link works no more
    assert "anna" not in error
    put(database_url, verification("old@example.com"))
    due_now(database_url, age_days=4)
    drain(database_url, smtp(1))
    assert [row[1] for row in rows(database_url)] == [True, True]


def test_a_template_that_fails_stops_no_other_mail(database_url: str, postbox: Postbox) -> None:
    put(
        database_url,
        Mail(template="no_such_template", recipient="x@example.com"),
        Mail(template="verify_email", recipient="x@example.com"),  # nothing given
        verification(),
    )
    drain(database_url, smtp(postbox.port))
    assert [recipients for recipients, _ in postbox.received] == [["anna@example.com"]]


def test_many_senders_send_each_mail_once_and_hear_of_new_ones(
    database_url: str, postbox: Postbox
) -> None:
    async def work() -> None:
        stop = asyncio.Event()
        transport = smtp(postbox.port)
        senders = [
            MailSender(database_url, transport=transport, sender=SENDER, public_url=PUBLIC)
            for _ in range(3)
        ]
        running = [asyncio.create_task(sender.run(stop)) for sender in senders]
        mails = [verification(f"p{number}@example.com") for number in range(20)]
        await asyncio.to_thread(put, database_url, *mails)
        await eventually(lambda: len(postbox.received) >= 20)
        stop.set()
        await asyncio.gather(*running)

    async def eventually(is_so: Callable[[], bool]) -> None:
        deadline = asyncio.get_running_loop().time() + 60
        while not is_so():
            assert asyncio.get_running_loop().time() < deadline
            await asyncio.sleep(0.05)

    asyncio.run(work())
    recipients = [recipient for recipients, _ in postbox.received for recipient in recipients]
    assert len(recipients) == len(set(recipients)) == 20


def test_without_a_server_mail_lies_in_a_folder(database_url: str, tmp_path: Path) -> None:
    mail = verification()
    put(database_url, mail)
    drain(database_url, FolderTransport(tmp_path / "mail"))
    [path] = (tmp_path / "mail").iterdir()
    assert path.name == f"{mail.id}.eml"
    assert path.stat().st_mode & 0o777 == 0o600
    assert b"t0ken" in path.read_bytes()


@pytest.mark.parametrize("name", sorted(path.stem for path in TEMPLATES.glob("*.txt")))
def test_every_template_is_whole_in_both_forms(name: str) -> None:
    mail = Mail(template=name, recipient="anna@example.com", context=CONTEXT)
    message = rendered(mail, sender=SENDER, public_url=PUBLIC, now=datetime.now(UTC))
    text = message.get_body(("plain",)).get_content()
    html = message.get_body(("html",)).get_content()
    assert message["Subject"]
    assert '<html lang="en">' in html
    assert f"<title>{message['Subject']}</title>" in html.replace("&#39;", "'")
    for sentence in (line for line in text.splitlines() if line.endswith(".")):
        assert sentence in html.replace("&lt;", "<").replace("&gt;", ">").replace("&#39;", "'")
    assert html.count("<h1") == 1
    assert "<img" not in html  # nothing is fetched, nobody is followed


def test_a_subject_cannot_forge_headers() -> None:
    mail = Mail(
        template="email_changing",
        recipient="anna@example.com\nBcc: all@example.com",
        context=CONTEXT,
    )
    with pytest.raises((ValueError, BrokenError)):
        rendered(mail, sender=SENDER, public_url=PUBLIC, now=datetime.now(UTC))


@pytest.mark.parametrize(
    ("url", "port", "use_tls", "start_tls"),
    [
        ("smtp://mail.example", 25, False, None),
        ("smtp://ann:p%40ss@mail.example", 587, False, True),
        ("smtps://ann:pass@mail.example", 465, True, False),
        ("smtp://mail.example:2525?starttls=off", 2525, False, False),
    ],
)
def test_smtp_urls(url: str, port: int, use_tls: bool, start_tls: bool | None) -> None:
    found = smtp_address(url)
    assert (found.port, found.use_tls, found.start_tls) == (port, use_tls, start_tls)
    if "p%40ss" in url:
        assert (found.username, found.password) == ("ann", "p@ss")


@pytest.mark.parametrize(
    "url", ["http://x", "smtp:///path", "smtp://x:99999", "smtp://x?starttls=no"]
)
def test_urls_that_make_no_sense_are_refused_without_repeating_them(url: str) -> None:
    with pytest.raises(InvalidError) as refused:
        smtp_address(url)
    assert url not in str(refused.value)
