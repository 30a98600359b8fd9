"""Every mode over one golden tree: dict in, dict out."""

import pytest
from plan_trees import OUT, Item, outcome, plan, rows, writing

from models.domain.errors import InvalidError, UnsafePathError
from models.domain.jobs import OrganizeOptions
from models.domain.organizing import TEMPLATES
from models.domain.placing import COUNTERS
from models.domain.templates import parse_template, template_of

PHOTO = Item(
    "photo",
    captured_at="2021-07-04T18:30:00",
    category="Photos",
    subcategory="Events",
    facts={
        "mime": "image/jpeg",
        "media": "image",
        "camera_make": "Canon",
        "camera_model": "Canon EOS 5D",
        "latitude": 52.52,
        "longitude": -13.4,
    },
)
SONG = Item(
    "song",
    title="Clair de lune",
    category="Audio",
    facts={
        "mime": "audio/flac", "media": "audio", "artist": "AC/DC", "album": "Suite", "track": 3,
    },
)  # fmt: skip
MAIL = Item("mail", category="Mail and chat", facts={"sender": "Ann@Example.org"})
PLAIN = Item("plain text", category="Work", facts={"mime": "text/plain"})
TREE = {
    "DCIM/Wedding/IMG_1.JPG": PHOTO,
    "dl/t.flac": SONG,
    "mails/re.eml": MAIL,
    "README": PLAIN,
    "src/app/package.json": Item("{}", category="Code", modified_ns=1_500_000_000 * 10**9),
    "src/app/lib/a.js": Item("let a", category="Code"),
}

GOLDEN = {
    "category": {
        "Photos/IMG_1.JPG": "photo",
        "Audio/t.flac": "song",
        "Mail and chat/re.eml": "mail",
        "Work/README": "plain text",
        "Code/app/package.json": "{}",
        "Code/app/lib/a.js": "let a",
    },
    "category_year": {
        "Photos/2021/IMG_1.JPG": "photo",
        "Audio/2020/t.flac": "song",
        "Mail and chat/2020/re.eml": "mail",
        "Work/2020/README": "plain text",
        "Code/2017/app/package.json": "{}",
        "Code/2017/app/lib/a.js": "let a",
    },
    "category_year_month": {
        "Photos/2021/07/IMG_1.JPG": "photo",
        "Audio/2020/09/t.flac": "song",
        "Mail and chat/2020/09/re.eml": "mail",
        "Work/2020/09/README": "plain text",
        "Code/2017/07/app/package.json": "{}",
        "Code/2017/07/app/lib/a.js": "let a",
    },
    "category_subcategory": {
        "Photos/Events/IMG_1.JPG": "photo",
        "Audio/Other/t.flac": "song",
        "Mail and chat/Other/re.eml": "mail",
        "Work/Other/README": "plain text",
        "Code/Repositories/app/package.json": "{}",
        "Code/Repositories/app/lib/a.js": "let a",
    },
    "extension": {
        "jpg/IMG_1.JPG": "photo",
        "flac/t.flac": "song",
        "eml/re.eml": "mail",
        "no extension/README": "plain text",
        "project/app/package.json": "{}",
        "project/app/lib/a.js": "let a",
    },
    "mime": {
        "image-jpeg/IMG_1.JPG": "photo",
        "audio-flac/t.flac": "song",
        "application-octet-stream/re.eml": "mail",
        "text-plain/README": "plain text",
        "project/app/package.json": "{}",
        "project/app/lib/a.js": "let a",
    },
    "date_taken": {
        "2021/2021-07-04/IMG_1.JPG": "photo",
        "2020/2020-09-13/t.flac": "song",
        "2020/2020-09-13/re.eml": "mail",
        "2020/2020-09-13/README": "plain text",
        "2017/2017-07-14/app/package.json": "{}",
        "2017/2017-07-14/app/lib/a.js": "let a",
    },
    "camera": {
        "Canon EOS 5D/2021/IMG_1.JPG": "photo",
        "Unknown camera/2020/t.flac": "song",
        "Unknown camera/2020/re.eml": "mail",
        "Unknown camera/2020/README": "plain text",
        "Unknown camera/2017/app/package.json": "{}",
        "Unknown camera/2017/app/lib/a.js": "let a",
    },
    "place": {
        "Unknown/Unknown/IMG_1.JPG": "photo",
        "Unknown/Unknown/t.flac": "song",
        "Unknown/Unknown/re.eml": "mail",
        "Unknown/Unknown/README": "plain text",
        "Unknown/Unknown/app/package.json": "{}",
        "Unknown/Unknown/app/lib/a.js": "let a",
    },
    "event": {
        "2021/Wedding/IMG_1.JPG": "photo",
        "2020/dl/t.flac": "song",
        "2020/mails/re.eml": "mail",
        "2020/Unsorted/README": "plain text",
        "2017/Unsorted/app/package.json": "{}",
        "2017/Unsorted/app/lib/a.js": "let a",
    },
    "project": {
        "No project/IMG_1.JPG": "photo",
        "No project/t.flac": "song",
        "No project/re.eml": "mail",
        "No project/README": "plain text",
        "app/package.json": "{}",
        "app/lib/a.js": "let a",
    },
    "tag": {
        "Untagged/IMG_1.JPG": "photo",
        "Untagged/t.flac": "song",
        "Untagged/re.eml": "mail",
        "Untagged/README": "plain text",
        "Untagged/app/package.json": "{}",
        "Untagged/app/lib/a.js": "let a",
    },
    "sender_year": {
        "Unknown sender/2021/IMG_1.JPG": "photo",
        "Unknown sender/2020/t.flac": "song",
        "ann@example.org/2020/re.eml": "mail",
        "Unknown sender/2020/README": "plain text",
        "Unknown sender/2017/app/package.json": "{}",
        "Unknown sender/2017/app/lib/a.js": "let a",
    },
    "music": {
        "Unknown artist/Unknown album/00 Untitled.JPG": "photo",
        "AC-DC/Suite/03 Clair de lune.flac": "song",
        "Unknown artist/Unknown album/00 Untitled.eml": "mail",
        "Unknown artist/Unknown album/00 Untitled": "plain text",
        "Unknown artist/Unknown album/app/package.json": "{}",
        "Unknown artist/Unknown album/app/lib/a.js": "let a",
    },
    "size_band": {
        "Under 1 MB/IMG_1.JPG": "photo",
        "Under 1 MB/t.flac": "song",
        "Under 1 MB/re.eml": "mail",
        "Under 1 MB/README": "plain text",
        "project/app/package.json": "{}",
        "project/app/lib/a.js": "let a",
    },
    "mirror": {
        "DCIM/Wedding/IMG_1.JPG": "photo",
        "dl/t.flac": "song",
        "mails/re.eml": "mail",
        "README": "plain text",
        "src/app/package.json": "{}",
        "src/app/lib/a.js": "let a",
    },
    "flatten": {
        "IMG_1.JPG": "photo",
        "t.flac": "song",
        "re.eml": "mail",
        "README": "plain text",
        "app/package.json": "{}",
        "app/lib/a.js": "let a",
    },
}
GOLDEN["ai_category"] = GOLDEN["category_subcategory"]


def test_every_mode_has_its_golden_tree():
    assert set(GOLDEN) | {"virtual"} == set(TEMPLATES)


@pytest.mark.parametrize("mode", sorted(GOLDEN))
def test_mode_gives_its_golden_tree_elsewhere(mode):
    tree, trash, left = outcome(TREE, mode=mode, destination=OUT)
    assert tree == GOLDEN[mode]
    assert trash == []
    assert left == {}


@pytest.mark.parametrize("mode", sorted(GOLDEN))
def test_mode_gives_its_golden_tree_in_place_and_again(mode):
    tree, _, _ = outcome(TREE, mode=mode)
    assert tree == GOLDEN[mode]


@pytest.mark.parametrize("mode", sorted(GOLDEN))
def test_copy_leaves_the_source_as_it_was(mode):
    tree, _, left = outcome(TREE, mode=mode, destination=OUT, operation="copy")
    assert tree == GOLDEN[mode]
    assert left == {key: item.content for key, item in TREE.items()}


def test_virtual_mode_assigns_paths_and_moves_no_byte():
    moves = rows(plan(TREE, mode="virtual", on_duplicate="trash"))
    assert {row.action for row in moves.values()} == {"assign"}
    assert moves["DCIM/Wedding/IMG_1.JPG"].destination_key == "Photos/2021/IMG_1.JPG"
    assert writing(plan(TREE, mode="virtual")) == []


@pytest.mark.parametrize(
    ("template", "key"),
    [
        ("{year}/{hash8}{ext}", "2021/55f04f53.JPG"),
        ("{coarse_category}/{stem}.{extension}", "Others/IMG_1.jpg"),
        ("{media}/{date}/{stem}{ext}", "image/2021-07-04/IMG_1.JPG"),
        ("{place|Nowhere}/{stem}{ext}", "52.5N 13.4W/IMG_1.JPG"),
        ("{city|Nowhere}/{stem}{ext}", "Nowhere/IMG_1.JPG"),
        ("by day/{month}-{day}/{stem}{ext}", "by day/07-04/IMG_1.JPG"),
        ("{year}/{counter}{ext}", "2021/0001.JPG"),
        ("{folder}/{year} {stem}{ext}", "DCIM/Wedding/2021 IMG_1.JPG"),
    ],
)
def test_custom_template(template, key):
    tree = {"DCIM/Wedding/IMG_1.JPG": PHOTO}
    moved, _, _ = outcome(tree, mode="custom", template=template)
    expected = key.replace("55f04f53", PHOTO.sha256[:8])
    assert moved == {expected: "photo"}
    # read back: what the template made is in its place
    again = plan({expected: PHOTO}, mode="custom", template=template)
    assert writing(again) == []


@pytest.mark.parametrize(
    ("template", "error", "words"),
    [
        ("{yaer}/{stem}{ext}", InvalidError, "did you mean {year}?"),
        ("{nonsense}/{stem}{ext}", InvalidError, "fields: album"),
        ("{year/{stem}{ext}", InvalidError, "brace"),
        ("{year}}/{stem}{ext}", InvalidError, "brace"),
        ("{year}/{stem}", InvalidError, "ends in {ext}"),
        ("{year}/", InvalidError, "empty folder"),
        ("{year}//{stem}{ext}", InvalidError, "empty folder"),
        ("", InvalidError, "empty template"),
        ("{year|}/{stem}{ext}", InvalidError, "must name something"),
        ("{year|..}/{stem}{ext}", InvalidError, "must name something"),
        ("{year|a/b}/{stem}{ext}", InvalidError, "one folder"),
        ("x{folder}/{stem}{ext}", InvalidError, "stands alone"),
        ("{folder}{ext}", InvalidError, "{folder}"),
        (".fileorganizer/{stem}{ext}", InvalidError, "own folder"),
        (".FileOrganizer/{stem}{ext}", InvalidError, "own folder"),
        ("a\\b/{stem}{ext}", InvalidError, "backslashes"),
        ("/abs/{stem}{ext}", UnsafePathError, "absolute"),
        ("C:/abs/{stem}{ext}", UnsafePathError, "absolute"),
        ("~/x/{stem}{ext}", UnsafePathError, "absolute"),
        ("../{stem}{ext}", UnsafePathError, "climbs"),
        ("a/ .. /{stem}{ext}", UnsafePathError, "climbs"),
        ("a/./{stem}{ext}", UnsafePathError, "climbs"),
    ],
)
def test_template_that_cannot_be_used_says_why(template, error, words):
    with pytest.raises(error) as caught:
        parse_template(template)
    assert words in str(caught.value)


def test_modes_are_named():
    with pytest.raises(InvalidError, match="did you mean category_year"):
        template_of(OrganizeOptions(mode="category_yeer"))
    with pytest.raises(InvalidError, match="needs a template"):
        template_of(OrganizeOptions(mode="custom"))
    with pytest.raises(InvalidError, match="template of its own"):
        template_of(OrganizeOptions(mode="category", template="{stem}{ext}"))


def test_counters_follow_each_other_and_stay():
    tree = {f"in/{name}.txt": name for name in "abc"}
    options = {"mode": "custom", "template": "{counter}{ext}"}
    moved, _, _ = outcome(tree, **options)
    assert moved == {"0001.txt": "a", "0002.txt": "b", "0003.txt": "c"}
    more, _, _ = outcome({**moved, "in/z.txt": "z"}, **options)
    assert more == {**moved, "0004.txt": "z"}
    assert COUNTERS.findall("0001") == ["0001"]


def test_mode_mirror_in_place_has_nothing_to_do():
    assert writing(plan(TREE, mode="mirror")) == []
