"""Corrections in Postgres: one for each content and account; files may be renamed at will."""

import uuid

import psycopg
import pytest

from models.domain.errors import ConflictError
from models.domain.taxonomy import Correction
from tasks.ledger.database import close_pools
from tasks.ledger.ledger import Ledger

pytestmark = pytest.mark.service

A, B = "a" * 64, "b" * 64


@pytest.fixture
def ledger(database_url):
    with Ledger(database_url) as ledger:
        yield ledger
    close_pools()


def said(sha256, category, subcategory=None):
    return Correction(sha256=sha256, category=category, subcategory=subcategory)


def test_the_newest_word_on_a_content_counts_and_the_same_again_changes_nothing(ledger):
    account = ledger.local_account()
    assert ledger.label(account, []) == 0
    assert ledger.label(account, [said(B, "Work"), said(A, "Work"), said(A, "Finance", "Tax")]) == 2
    assert ledger.labels(account) == [said(A, "Finance", "Tax"), said(B, "Work")]
    assert ledger.label(account, [said(A, "Finance", "Tax")], source="csv") == 0
    assert ledger.label(account, [said(A, "Finance")]) == 1
    assert ledger.labels(account)[0] == said(A, "Finance")
    assert ledger.unlabel(account, [A, "c" * 64]) == 1
    assert ledger.labels(account) == [said(B, "Work")]


def test_nobody_sees_or_changes_the_corrections_of_another_account(ledger, database_url):
    account = ledger.local_account()
    with psycopg.connect(database_url.replace("+psycopg", ""), autocommit=True) as connection:
        row = connection.execute(
            "INSERT INTO users (email, username, password_hash)"
            " VALUES ('b@example.org', 'b', '!') RETURNING id"
        ).fetchone()
    other = str(row[0])
    ledger.label(account, [said(A, "Work")])
    assert ledger.labels(other) == ledger.labels(None) == []
    assert ledger.unlabel(other, [A]) == 0
    ledger.label(other, [said(A, "Health")])
    assert ledger.labels(account) == [said(A, "Work")]
    with pytest.raises(ConflictError):
        ledger.label(str(uuid.uuid4()), [said(A, "Work")])
    with pytest.raises(ConflictError):
        ledger.label(account, [said(B, "Work")], source="guess")
