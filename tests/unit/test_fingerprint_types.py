"""Types: content is believed before the name, and the name refines what content leaves open."""

import fingerprint_samples as samples
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.domain.fingerprint import Media
from tasks.fingerprint.content_types import (
    content_types,
    decide,
    media_of,
    mime_of,
    named_types,
    with_model,
)
from tasks.fingerprint.parsing import parser_kind
from tasks.fingerprint.signatures import HEAD_BYTES, decode_text, sniff


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("a.jpg", "jpeg"), ("b.png", "png"), ("c.gif", "gif"), ("d.webp", "webp"),
        ("e.tif", "tiff"), ("f.bmp", "bmp"), ("g.pdf", "pdf"), ("h.docx", "docx"),
        ("i.xlsx", "xlsx"), ("k.wav", "wav"), ("l.mp4", "mp4"), ("m.eml", "eml"),
        ("n.tar.gz", "gzip"), ("o.zip", "zip"), ("p.txt", "txt"), ("q.avif", "avif"),
    ],
)  # fmt: skip
def test_sound_files_are_settled_without_the_model(name: str, label: str):
    decision = decide(name, sniff(samples.samples()[name][:HEAD_BYTES]))
    assert (decision.label, decision.is_settled, decision.extension_matches) == (label, True, True)


def test_a_wrong_extension_loses_against_the_content():
    decision = decide("holiday.txt", sniff(samples.jpeg()))
    assert (decision.label, decision.extension_matches) == ("jpeg", False)


def test_text_under_a_picture_s_name_asks_the_model_and_takes_its_answer():
    decision = decide("a.jpg", sniff(b"def f():\n    return 1\n"))
    assert not decision.is_settled
    answered = with_model(decision, "a.jpg", "python")
    assert (answered.label, answered.extension_matches) == ("python", False)


def test_noise_under_a_picture_s_name_is_unknown_and_told():
    decision = decide("a.jpg", sniff(b"\x03\x00\x91\xfe\x80" * 40))
    answered = with_model(decision, "a.jpg", "unknown")
    assert (answered.label, answered.missing, answered.is_settled) == ("unknown", "jpeg", True)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_text_is_recognized_in_its_encodings(encoding: str):
    assert sniff("Grüße an alle, die dies lesen\n".encode(encoding)) == "text"


def test_a_character_cut_at_the_end_of_the_head_is_still_text():
    assert decode_text("ü".encode()[:1].join([b"a" * 9, b""])) == "a" * 9


@pytest.mark.parametrize(
    ("head", "label"),
    [
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00", "heif"),
        (b"\x00\x00\x00\x18ftypM4A \x00\x00\x00\x00", "m4a"),
        (b"\x00\x00\x00\x18ftypqt  \x00\x00\x00\x00", "qt"),
        (b"OggS\x00\x02" + bytes(22) + b"\x01\x13OpusHead", "opus"),
        (b"RIFF\x24\x00\x00\x00AVI LIST", "avi"),
        (b"FORM\x00\x00\x00\x24AIFFCOMM", "aiff"),
        (b"\xff\xfb\x90\x64\x00", "mp3"),
        (b"\x00\x00\x02\x00\x06\x04\x06\x00", "lotus123"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "ole"),
        (b'<?xml version="1.0"?>\n<svg xmlns="x">', "svg"),
        (b"\n<!DOCTYPE HTML>\n<html>", "html"),
        (b"{\\rtf1\\ansi", "rtf"),
        (b"MAC addresses of our machines\n", "text"),
        (b"BMW is a car maker\n", "text"),
        (b"", None),
    ],
)
def test_signatures(head: bytes, label: str | None):
    assert sniff(head) == label


@settings(deadline=None)  # the machine is shared
@given(st.binary(max_size=600))
def test_no_bytes_break_it(head: bytes):
    label = sniff(head)
    assert label is None or label == "text" or label in content_types()


def test_every_extension_and_signature_is_known_and_every_type_has_a_mime():
    types = content_types()
    for found in types.values():
        assert "/" in found.mime
        assert found.signatures <= types.keys() | {"text"}
        for extension in found.extensions:
            assert found in named_types(f"x.{extension.upper()}")


def test_kinds_of_what_only_the_model_knows():
    assert media_of("cobol", "code") is Media.CODE
    assert media_of("something", "inode") is Media.OTHER
    assert mime_of("cobol", "text/x-cobol") == "text/x-cobol"


def test_packages_are_read_by_what_they_are():
    assert parser_kind("xlsx", "ole") == "ole"
    assert parser_kind("docx", "zip") == "zip"
    assert parser_kind("quattro", "quattro") is None
