"""Rules of sessions, audit chains, names and passwords."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.domain.accounts import check_password, normalized_password, normalized_username
from models.domain.audit import GENESIS, chained, first_break
from models.domain.errors import InvalidError
from models.domain.sessions import (
    REFRESH_GRACE,
    SESSION_LIFE,
    SESSION_MOST,
    RefreshToken,
    Replay,
    SessionKeys,
    hashed,
    parsed_refresh_token,
    replay_of,
    session_expiry,
    successor,
)

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
secret = st.binary(min_size=32, max_size=32)
tokens = st.builds(RefreshToken, st.uuids().map(str), secret, secret)


@given(tokens)
def test_a_token_reads_as_it_was_written(token):
    assert parsed_refresh_token(token.text) == token


@given(st.text(max_size=200))
def test_any_text_is_a_token_or_refused(text):
    try:
        found = parsed_refresh_token(text)
    except InvalidError:
        return
    assert parsed_refresh_token(found.text) == found


def rotated(token, salt, at):
    fresh = successor(token, salt)
    keys = SessionKeys(
        family_hash=hashed(token.family),
        current_hash=hashed(fresh.secret),
        previous_hash=hashed(token.secret),
        salt=salt,
        rotated_at=at,
    )
    return fresh, keys


@given(tokens, secret, secret, st.integers(0, 10**6))
def test_of_all_tokens_of_a_session_one_is_live(token, first_salt, second_salt, late_ms):
    start = SessionKeys(family_hash=hashed(token.family), current_hash=hashed(token.secret))
    assert replay_of(token, start, now=NOW) is Replay.CURRENT
    second, keys = rotated(token, first_salt, NOW)
    now = NOW + timedelta(milliseconds=late_ms)
    assert replay_of(second, keys, now=now) is Replay.CURRENT
    expected = Replay.GRACE if now - NOW <= REFRESH_GRACE else Replay.REUSED
    assert replay_of(token, keys, now=now) is expected
    third, keys = rotated(second, second_salt, now)
    assert replay_of(third, keys, now=now) is Replay.CURRENT
    assert replay_of(token, keys, now=now) is Replay.REUSED
    assert third.session_id == token.session_id


@given(tokens, tokens, secret)
def test_a_token_of_another_family_is_unknown_whatever_its_secret(token, other, salt):
    _, keys = rotated(token, salt, NOW)
    forged = replace(other, session_id=token.session_id, secret=token.secret)
    expected = Replay.UNKNOWN if other.family != token.family else Replay.GRACE
    assert replay_of(forged, keys, now=NOW) is expected


@given(tokens, secret, secret)
def test_the_successor_needs_both_token_and_salt(token, salt, other):
    assert successor(token, salt) == successor(token, salt)
    assert (successor(token, salt) == successor(token, other)) == (salt == other)
    assert token.secret.hex() not in successor(token, salt).secret.hex()


def test_a_session_ends_when_unused_and_in_the_end_anyway():
    assert session_expiry(NOW, NOW) == NOW + SESSION_LIFE
    late = NOW + SESSION_MOST - timedelta(days=1)
    assert session_expiry(NOW, late) == NOW + SESSION_MOST


said = st.one_of(st.none(), st.text(max_size=20))
entry_facts = st.lists(st.tuples(st.text(max_size=20), said, said, said), max_size=6)


def chain_of(account_id, facts):
    entries, last = [], GENESIS
    for number, (action, actor, target, ip) in enumerate(facts):
        entries.append(
            chained(
                account_id,
                action,
                actor=actor,
                target=target,
                ip=ip,
                last_seq=number,
                last_hash=last,
                at=NOW + timedelta(seconds=number),
                salt=number.to_bytes(16),
            )
        )
        last = entries[-1].hash
    return entries


@given(entry_facts, st.data())
def test_a_chain_holds_until_anything_in_it_changes(facts, data):
    account_id = str(uuid.uuid4())
    entries = chain_of(account_id, facts)
    assert first_break(account_id, entries) is None
    erased = [
        replace(entry, actor=None, target=None, ip=None, personal_salt=None) for entry in entries
    ]
    assert first_break(account_id, erased) is None
    if not entries:
        return
    number = data.draw(st.integers(0, len(entries) - 1))
    name, other = data.draw(
        st.sampled_from(
            [
                ("action", "changed action that is long"),
                ("at", NOW + timedelta(days=1)),
                ("actor", "changed actor that is long"),
                ("target", "changed target that is long"),
                ("ip", "changed address that is long"),
                ("hash", "0" * 64),
                ("personal_digest", "0" * 64),
            ]
        )
    )
    changed = list(entries)
    changed[number] = replace(entries[number], **{name: other})
    assert first_break(account_id, changed) is not None
    without = entries[:number] + entries[number + 1 :]
    assert (first_break(account_id, without) is None) == (number == len(entries) - 1)
    assert first_break("another account", entries) == 1


@pytest.mark.parametrize("name", ["ab", "zoë", "a.b-c_d", "日本"])
def test_names_that_may_be_used(name):
    assert normalized_username(name) == name


@pytest.mark.parametrize("name", ["", "a", "a b", "x@y", ".a", "-a", "a\n", "a/b", "x" * 101])
def test_names_that_may_not(name):
    with pytest.raises(InvalidError):
        normalized_username(name + "")


def test_one_name_and_one_password_in_two_unicode_forms_are_one():
    assert normalized_username("zoe\u0308") == "zoë"
    assert normalized_password("zoe\u0308") == normalized_password("zoë")


@pytest.mark.parametrize(
    "password", ["x" * 7, "y" * 1025, "aaaaaaaa", "breached", "Breached", "johndoe1!", "JOHNDOE"]
)
def test_a_refused_password_is_never_repeated(password):
    with pytest.raises(InvalidError) as refused:
        check_password(password, common={"breached"}, about=["johndoe"])
    assert password not in str(refused.value).replace("those that were breached", "")


def test_nothing_but_length_and_guesses_counts_against_a_password():
    for password in ("x1y2z3w4", "lower case only", "12 04 98 77", "k" * 31 + "j" * 993):
        check_password(password, common={"breached"}, about=["johndoe", None or ""])
