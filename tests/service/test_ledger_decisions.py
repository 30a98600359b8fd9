"""Decisions in Postgres: one for each content or pair and account, and taken back."""

import uuid

import psycopg
import pytest

from models.domain.decisions import Decisions, keep, not_duplicate
from models.domain.errors import ConflictError, MissingError
from tasks.ledger.database import close_pools
from tasks.ledger.ledger import Ledger

pytestmark = pytest.mark.service

A, B = "a" * 64, "b" * 64


@pytest.fixture
def ledger(database_url):
    with Ledger(database_url) as ledger:
        yield ledger
    close_pools()


def test_decided_twice_is_decided_once_with_the_newest_words(ledger):
    account = ledger.local_account()
    for note in ("first", "second"):
        ledger.decide(account, not_duplicate(B, A, note=note))
    ledger.decide(account, keep(A, "album/x.jpg"))
    found = ledger.decisions(account)
    assert [(each.kind, each.note) for each in found] == [("keep", ""), ("not_duplicate", "second")]
    assert all(each.decided_at is not None for each in found)
    held = ledger.decisions_of(account)
    assert held.is_apart(A, B)
    assert held.kept_keys == {A: "album/x.jpg"}


def test_a_decision_is_taken_back_once(ledger):
    account = ledger.local_account()
    ledger.decide(account, keep(A, "x"))
    ledger.take_back(account, ledger.decisions(account)[0])
    assert ledger.decisions(account) == []
    with pytest.raises(MissingError, match="no decision"):
        ledger.take_back(account, keep(A, "x"))


def test_nobody_sees_the_decisions_of_another_account(ledger, database_url):
    account = ledger.local_account()
    with psycopg.connect(database_url.replace("+psycopg", ""), autocommit=True) as connection:
        row = connection.execute(
            "INSERT INTO users (email, username, password_hash)"
            " VALUES ('b@example.org', 'b', '!') RETURNING id"
        ).fetchone()
    other = str(row[0])
    ledger.decide(account, keep(A, "x"))
    assert ledger.decisions(other) == []
    with pytest.raises(MissingError):
        ledger.take_back(other, keep(A, "x"))
    assert ledger.decisions_of(None) == Decisions()
    with pytest.raises(ConflictError):
        ledger.decide(str(uuid.uuid4()), keep(A, "x"))
