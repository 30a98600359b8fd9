"""The table of scenarios says what the tests do."""

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
TABLE = TESTS.parent / "docs/scenarios.md"


def rows():
    found = re.findall(r"^\| (\d+) \| (.+?) \| (.+) \|$", TABLE.read_text(), re.MULTILINE)
    return {int(number): where for number, _, where in found}


def marked():
    tests: dict[int, set[str]] = {}
    for path in TESTS.rglob("test_*.py"):
        for number in re.findall(r"mark\.scenario\((\d+)\)", path.read_text()):
            tests.setdefault(int(number), set()).add(path.relative_to(TESTS).as_posix())
    return tests


def test_all_forty_are_there():
    assert sorted(rows()) == list(range(1, 41))


def test_each_names_tests_that_bear_its_number():
    tests = marked()
    for number, where in rows().items():
        named = set(re.findall(r"`([\w/]+\.py)`", where))
        assert named, number
        assert all((TESTS / name).exists() for name in named), number
        assert named & tests[number], number
