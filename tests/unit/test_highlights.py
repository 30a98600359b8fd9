"""Places of words in names and passages."""

from hypothesis import given
from hypothesis import strategies as st

from models.domain.highlights import LONGEST, Highlight, in_name, in_text

MARKS = ("\x02", "\x03", "\x04")


def test_words_in_a_name_whatever_their_case_and_overlapping_ones_are_one():
    assert in_name("Invoice_INVOICE.pdf", ["invoice", "voice"]) == [
        Highlight(field="filename", fragment="Invoice_INVOICE.pdf", matches=((0, 7), (8, 15)))
    ]
    assert in_name("a.pdf", ["b"]) == []


def test_fragments_of_a_passage_lose_their_marks():
    found = in_text("the \x02amount\x03  due\x04nothing\x04\x02x\x03", MARKS)
    assert [(each.fragment, each.matches) for each in found] == [
        ("the amount due", ((4, 10),)),
        ("x", ((0, 1),)),
    ]
    assert in_text("", MARKS) == []


@given(st.text(alphabet="ab \x02\x03\x04\n", max_size=600))
def test_places_are_inside_of_fragments_without_marks(passage):
    for each in in_text(passage, MARKS):
        assert not set(each.fragment) & set(MARKS)
        assert len(each.fragment) <= LONGEST
        assert all(0 <= begin <= end <= len(each.fragment) for begin, end in each.matches)


@given(st.text(max_size=40), st.lists(st.text(min_size=1, max_size=4), max_size=4))
def test_places_in_a_name_are_in_order_and_apart(name, words):
    for each in in_name(name, words):
        flat = [place for match in each.matches for place in match]
        assert flat == sorted(flat)
        assert 0 <= flat[0] <= flat[-1] <= len(name)
