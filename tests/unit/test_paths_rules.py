"""What users may point at, what we may write, what counts as one name."""

import posixpath
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from models.domain.errors import UnsafePathError
from models.domain.organizing import RESERVED_PREFIX
from models.domain.paths import (
    confine,
    fold,
    join_key,
    parent_key,
    safe_component,
    split_name,
)

HOSTILE = [
    "..",
    "../",
    "../../etc/passwd",
    "a/../../b",
    "a/..",
    "/..",
    "/../etc/shadow",
    "./../x",
    "a/./../../x",
    "a/.. /b",
    "a/... /b",
    ".. ",
    " ..",
    "...",
    "a/. ./b",
    " ",
    "\\",
    "..\\..\\windows",
    "a\\b",
    "C:\\Windows\\win.ini",
    "\\\\server\\share",
    "a\0b",
    "a\0/../../x",
    "a\nb",
    "a\rb",
    "a\tb",
    "a\x1bb",
    "a\x7fb",
    "a\x85b",
    "a\u2028b",
    "a\u2029b",
    "\ud800",
    "file:///etc/passwd",
    "s3://bucket/key",
    "http://169.254.169.254/latest/meta-data",
    "memory://x",
    "a://b",
    "filecache::s3://bucket/x",
    "zip://x::file:///etc/passwd",
    "a::b",
    "simplecache::x",
    "%2e%2e/%2e%2e/etc/passwd",
    "%2e%2e%2f%2e%2e%2fetc",
    "..%2f..%2fetc",
    "%252e%252e%252fetc",
    "%25252e%25252e/x",
    "a/%2e%2e/%2E%2E/b",
    "..%5c..%5cx",
    "a%00b",
    "a%0ab",
    "%3a%3a",
    "s3%3a//bucket",
    "\uff0e\uff0e/x",
    "\uff0e\uff0e\uff0fx",
    "\u2025/x",
    "\u2024\u2024/x",
    "..\uff3cx",
    "x" * 1025,
    "é" * 513,
    "a/" * 513,
    RESERVED_PREFIX,
    f"{RESERVED_PREFIX}/trash/job/x",
    f"/{RESERVED_PREFIX.upper()}/x",
    f"a/{RESERVED_PREFIX}/x",
    f"{RESERVED_PREFIX}./x",
    "%2efileorganizer/trash",
]

LEGAL = {
    "": "",
    "/": "",
    ".": "",
    "./": "",
    "photos": "photos",
    "/photos/2024": "photos/2024",
    "photos//2024/": "photos/2024",
    "./photos/./x": "photos/x",
    "[2024]": "[2024]",
    "photos/[2024]/*.jpg": "photos/[2024]/*.jpg",
    "~": "~",
    "~root/x": "~root/x",
    "$HOME": "$HOME",
    "$(touch x)": "$(touch x)",
    "`id`": "`id`",
    "-rf": "-rf",
    ".hidden/..file": ".hidden/..file",
    "a..b": "a..b",
    "10:30.jpg": "10:30.jpg",
    "C:/x": "C:/x",
    "100%.txt": "100%.txt",
    "100%25.txt": "100%25.txt",
    "a%2fb": "a%2fb",
    "AC\uff0fDC": "AC\uff0fDC",
    "quote'\"": "quote'\"",
    "é": "é",
    "e\u0301": "e\u0301",
    "日本/写真": "日本/写真",
    "👩\u200d👧": "👩\u200d👧",
    "x" * 1024: "x" * 1024,
}


def is_confined(key: str) -> bool:
    """Return whether a key stays below a root, judged by other code than the one under test."""
    joined = posixpath.normpath(posixpath.join("/root", key))
    return (joined == "/root" or joined.startswith("/root/")) and "\0" not in key


@pytest.mark.parametrize("path", HOSTILE, ids=ascii)
def test_a_hostile_path_is_refused(path: str):
    with pytest.raises(UnsafePathError):
        confine(path)


@pytest.mark.parametrize(("path", "key"), LEGAL.items(), ids=ascii)
def test_a_legal_path_is_taken_as_it_stands(path: str, key: str):
    assert confine(path) == key


PIECES = st.sampled_from(
    [
        *(
            "..",
            ".",
            "",
            "/",
            "\\",
            "%2e",
            "%2E%2E",
            "%252e",
            "%2f",
            "%5c",
            "%00",
            "::",
            "://",
            " ",
        ),
        *("~", "[2024]", "a", "é", "\0", "\n", "\uff0e", "\u2025", "\uff0f", "\u202e", "*", "-"),
        *(RESERVED_PREFIX, RESERVED_PREFIX.upper(), "x" * 300, "file:", "C:", "\ud800", "%c0%ae"),
    ]
)
GENERATED = st.one_of(
    st.lists(PIECES, max_size=12).map("".join),
    st.lists(st.one_of(PIECES, st.text(max_size=6)), max_size=12).map("/".join),
)


@settings(max_examples=500, deadline=None, derandomize=True)
@given(GENERATED)
@example("%2e%2e/%2e%2e/x")
def test_nothing_generated_escapes(path: str):
    try:
        key = confine(path)
    except UnsafePathError:
        return
    assert is_confined(key)
    assert confine(key) == key
    parts = key.split("/") if key else []
    assert all(part.strip(" .") for part in parts)
    assert RESERVED_PREFIX not in {fold(part) for part in parts}
    assert len(key.encode()) <= 1024


NAMES = st.text(min_size=1, max_size=300)


@settings(max_examples=300, deadline=None)
@given(NAMES)
@example("CON")
@example("con.txt")
@example("..")
@example("a. . .")
@example("x" * 300 + ".tar.gz")
@example("\ud800")
@example("COM¹.log")
@example("." * 256)
@example(" " * 300)
@example(RESERVED_PREFIX)
@example("x." + "y" * 300)
@example("CON" + " " * 3 + ".x")
def test_a_safe_name_is_safe_and_stays_so(name: str):
    safe = safe_component(name)
    assert safe_component(safe) == safe
    assert 0 < len(safe.encode()) <= 255
    assert safe.strip() not in {"", ".", ".."}
    assert not safe.endswith((".", " "))
    assert not set(safe) & set("/\\\0\n")
    assert fold(safe) != RESERVED_PREFIX
    assert safe.split(".")[0].strip().lower() not in {"con", "nul", "aux", "prn", "com1", "lpt9"}


@pytest.mark.scenario(8)
def test_changed_names_show_how():
    assert safe_component("CON") == "CON_"
    assert safe_component("con.txt") == "con_.txt"
    assert safe_component("console.txt") == "console.txt"
    assert safe_component("end. ") == "end__"
    assert safe_component("a\nb") == "a_b"
    assert safe_component("a/b") == "a_b"
    assert safe_component("") == "_"
    assert safe_component(".bashrc") == ".bashrc"
    long = safe_component("é" * 200 + ".jpeg")
    assert long.endswith(".jpeg")
    assert "~" in long
    assert safe_component("x" * 300 + "a") != safe_component("x" * 300 + "b")
    assert safe_component("what? *really* <yes>.txt") == "what? *really* <yes>.txt"


@settings(max_examples=500, deadline=None)
@given(st.text(max_size=40))
@example("\u0345")
@example("ΐ")
@example("\u0390")
@example("ᾳ")
@example("ßẞ")
@example("\u1e9b\u0323")
def test_folding_is_stable_under_what_disks_do(name: str):
    key = fold(name)
    assert fold(key) == key
    for form in ("NFC", "NFD"):
        assert fold(unicodedata.normalize(form, name)) == key
    assert fold(name.casefold()) == key


def test_folding_joins_what_some_disk_joins():
    assert fold("Photo.JPG") == fold("photo.jpg")
    assert fold("caf\u00e9") == fold("cafe\u0301") == fold("CAF\u00c9")
    assert fold("a") != fold("b")


@pytest.mark.parametrize(
    ("key", "parts"),
    [
        ("a/b/c.txt", ("a/b", "c", ".txt")),
        ("c.txt", ("", "c", ".txt")),
        ("a/.bashrc", ("a", ".bashrc", "")),
        ("a/..x", ("a", "..x", "")),
        ("x.tar.gz", ("", "x", ".tar.gz")),
        (".tar.gz", ("", ".tar.gz", "")),
        ("Mr. Smith", ("", "Mr. Smith", "")),
        ("end.", ("", "end.", "")),
        ("v1.2.final version", ("", "v1.2.final version", "")),
        ("README", ("", "README", "")),
        ("a.thisisaverylongextension", ("", "a.thisisaverylongextension", "")),
    ],
)
def test_names_split(key: str, parts: tuple[str, str, str]):
    assert split_name(key) == parts


@given(st.text(min_size=1, max_size=60))
def test_a_split_name_joins_again(key: str):
    folder, stem, extension = split_name(key)
    assert (f"{folder}/" if "/" in key else "") + stem + extension == key


def test_keys_join_and_part():
    assert join_key("", "a", "", "b/c") == "a/b/c"
    assert parent_key("a/b/c") == "a/b"
    assert parent_key("c") == ""
    for part in ("..", "/a", "a/", "a//b", "a\0"):
        with pytest.raises(UnsafePathError):
            join_key("x", part)
