"""What comes with an upload, and what is shown of a file."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from api.shell.problems import ProblemError
from api.shell.signed_links import LINK_LIFE_S, link_signer
from api.shell.tokens import TokenKeys
from models.domain.errors import InvalidError
from models.domain.files import shown_metadata
from models.domain.uploads import (
    FILENAME_CHARACTERS,
    UNNAMED,
    display_name,
    extension_of,
    tag_name,
    tags_from_fields,
)

ACCOUNT = "3fa85f64-5717-4562-b3fc-2c963f66afa6"
FILE = "11111111-2222-4333-8444-555555555555"


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("photo.jpg", "photo.jpg"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\photo.jpg", "photo.jpg"),
        ("a\0b\n.txt", "a\N{REPLACEMENT CHARACTER}b_.txt"),
        ("..", UNNAMED),
        ("", UNNAMED),
        ("folder/", UNNAMED),
        ("gpj.\u202eexe.txt", "gpj._exe.txt"),
        (" \u00e9t\u00e9.txt ", "\u00e9t\u00e9.txt"),
        ("x" * 600 + ".jpeg", "x" * 495 + ".jpeg"),
    ],
)
def test_a_name_is_shown_without_what_is_no_name(sent, shown):
    assert display_name(sent) == shown


@given(st.text())
def test_any_name_can_be_stored_and_shown(sent):
    name = display_name(sent)
    assert 1 <= len(name) <= FILENAME_CHARACTERS
    assert not set(name) & set("/\\\0\n\r")
    assert name not in {".", ".."}
    name.encode()
    assert display_name(name) == name


@pytest.mark.parametrize(
    ("name", "extension"),
    [("a.JPG", ".jpg"), (".hidden", None), ("a", None), ("a.tar.gz", ".gz"), ("a.", None)],
)
def test_extensions(name, extension):
    assert extension_of(name) == extension


@given(st.lists(st.text(st.characters(exclude_categories=["Cc", "Cs", "Z"]), min_size=1)))
def test_tags_come_as_fields_or_as_one_array(names):
    names = [name for name in names if 0 < len(tag_or_nothing(name)) <= 100][:50]
    plain = [name for name in names if not name.lstrip().startswith("[")]
    assert tags_from_fields(plain) == tuple(dict.fromkeys(map(tag_name, plain)))
    assert tags_from_fields([json.dumps(names)]) == tuple(dict.fromkeys(map(tag_name, names)))


def tag_or_nothing(name):
    try:
        return tag_name(name)
    except InvalidError:
        return ""


@pytest.mark.parametrize(
    "fields", [["[1]"], ["[broken"], [""], ["x" * 101], ["a\nb"], ["[" * 9999]]
)
def test_what_is_no_tag_is_refused(fields):
    with pytest.raises(InvalidError):
        tags_from_fields(fields)


def test_where_a_picture_was_taken_is_shown_only_when_asked_for():
    facts = {"width": 1920, "height": 1080, "camera_make": "Canon", "camera_model": "Canon EOS R5"}
    shown = {"width": 1920, "height": 1080, "camera": "Canon EOS R5"}
    here = {"latitude": 1.5, "longitude": 2.5}
    assert shown_metadata(facts | here) == shown
    assert shown_metadata(facts | here, with_gps=True) == shown | here
    assert shown_metadata({"camera_make": "NIKON CORPORATION", "camera_model": "NIKON D90"}) == {
        "width": None,
        "height": None,
        "camera": "NIKON D90",
    }
    assert shown_metadata({"camera_make": "Sony", "camera_model": "A7"})["camera"] == "Sony A7"


def test_a_link_opens_one_file_of_one_account_for_minutes():
    links = link_signer(TokenKeys(Ed25519PrivateKey.generate()))
    token = links.token(ACCOUNT, FILE, now=1000)
    assert links.account_of(token, FILE, now=1000 + LINK_LIFE_S) == ACCOUNT
    others = link_signer(TokenKeys(Ed25519PrivateKey.generate()))
    for signer, given_token, file_id, now in [
        (links, token, FILE, 1001 + LINK_LIFE_S),
        (links, token, ACCOUNT, 1000),
        (others, token, FILE, 1000),
        (links, token[:-2], FILE, 1000),
        (links, "?", FILE, 1000),
        (links, "B" + token[1:], FILE, 1000),
    ]:
        with pytest.raises(ProblemError) as refused:
            signer.account_of(given_token, file_id, now=now)
        assert refused.value.status == 401
