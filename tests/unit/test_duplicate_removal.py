"""What may go of the duplicates that were named: never the last one, always with its proof."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from models.domain.duplicate_removal import FileCopy, Refusal, by_content, removal_of

START = datetime(2026, 1, 1, tzinfo=UTC)


def copy(number, content="a", *, root="m", managed=True, flagged=False):
    return FileCopy(
        file_id=f"f{number}",
        content=content,
        root_id=root,
        size_bytes=10,
        is_managed=managed,
        is_flagged=flagged,
        created_at=START + timedelta(minutes=number),
    )


def test_the_original_stays_and_the_others_go():
    removal = removal_of(["f1", "f2", "f3"], [copy(1), copy(2), copy(3)])
    assert [each.file_id for each in removal.going] == ["f2", "f3"]
    assert removal.refused == {"f1": Refusal.ORIGINAL}
    assert removal.proofs["a"].file_id == "f1"
    assert removal.size_bytes == 20


def test_the_one_that_a_run_keeps_is_the_original():
    copies = [copy(1, flagged=True), copy(2)]
    assert by_content(copies)["a"][0].file_id == "f2"


def test_a_single_file_and_a_strange_id_stay():
    removal = removal_of(["f1", "else"], [copy(1)])
    assert not removal.going
    assert removal.refused == {"f1": Refusal.LAST_COPY, "else": Refusal.NOT_FOUND}


def test_without_keep_original_a_whole_content_goes_but_only_a_duplicate():
    copies = [copy(1), copy(2), copy(3, "b"), copy(4, "c")]
    removal = removal_of(["f1", "f2", "f3", "f4"], copies, keep_original=False, alike={"f4"})
    assert [each.file_id for each in removal.going] == ["f1", "f2", "f4"]
    assert removal.refused == {"f3": Refusal.NOT_A_DUPLICATE}
    assert not removal.proofs


def test_a_connected_folder_proves_nothing_for_managed_storage():
    copies = [copy(1, root="c", managed=False), copy(2)]
    removal = removal_of(["f1", "f2"], copies)
    assert not removal.going
    assert removal.refused == {"f1": Refusal.UNPROVEN, "f2": Refusal.ORIGINAL}
    both = removal_of(["f2"], copies, keep_original=False)
    assert both.refused == {"f2": Refusal.UNPROVEN}


def test_in_a_connected_folder_the_last_copy_never_goes():
    copies = [copy(1, root="c", managed=False), copy(2, root="c", managed=False)]
    removal = removal_of(["f1", "f2"], copies, keep_original=False)
    assert not removal.going
    assert set(removal.refused.values()) == {Refusal.LAST_COPY}


COPIES = st.lists(
    st.builds(
        lambda content, root, flagged: (content, root, flagged),
        st.sampled_from("abc"),
        st.sampled_from(["m", "c", "d"]),
        st.booleans(),
    ),
    max_size=9,
).map(
    lambda rows: [
        copy(n, content, root=root, managed=root == "m", flagged=flagged)
        for n, (content, root, flagged) in enumerate(rows)
    ]
)
NAMED = st.lists(st.sampled_from([f"f{n}" for n in range(10)]), max_size=12)


@given(COPIES, NAMED, st.booleans())
def test_every_file_is_answered_for_and_its_proof_stays(copies, named, keep_original):
    removal = removal_of(named, copies, keep_original=keep_original)
    gone = {each.file_id for each in removal.going}
    assert gone | set(removal.refused) == set(named)
    assert not gone & set(removal.refused)
    for content, proof in removal.proofs.items():
        assert proof.content == content
        assert proof.file_id not in gone
    if keep_original:
        left = {each.content for each in copies if each.file_id not in gone}
        assert left == {each.content for each in copies}
        assert {each.content for each in removal.going} == set(removal.proofs)


@given(COPIES, NAMED, st.booleans(), st.randoms())
def test_the_order_of_copies_and_names_does_not_matter(copies, named, keep_original, random):
    shuffled, renamed = list(copies), list(named)
    random.shuffle(shuffled)
    random.shuffle(renamed)
    one = removal_of(named, copies, keep_original=keep_original)
    other = removal_of(renamed, shuffled, keep_original=keep_original)
    assert {each.file_id for each in one.going} == {each.file_id for each in other.going}
    assert one.refused == other.refused


class Removals(RuleBasedStateMachine):
    """Any sequence of uploads, removals, deletions by hand and restores."""

    @initialize()
    def begin(self):
        self.live, self.trash, self.made = {}, {}, 0
        self.dropped = set()

    @rule(content=st.sampled_from("abcd"), root=st.sampled_from(["m", "m", "c"]))
    def upload(self, content, root):
        made = copy(self.made, content, root=root, managed=root == "m", flagged=self.made % 3 == 0)
        self.live[made.file_id] = made
        self.made += 1
        self.dropped.discard(content)

    @rule(picks=st.lists(st.integers(0, 60), max_size=8))
    def remove(self, picks):
        before = {each.content for each in self.live.values()}
        removal = removal_of([f"f{n}" for n in picks], list(self.live.values()))
        for each in removal.going:
            self.trash[each.file_id] = self.live.pop(each.file_id)
        assert {each.content for each in self.live.values()} == before

    @rule(pick=st.integers(0, 60))
    def restore(self, pick):
        if f"f{pick}" in self.trash:
            back = self.trash.pop(f"f{pick}")
            self.live[back.file_id] = back
            self.dropped.discard(back.content)

    @rule(pick=st.integers(0, 60))
    def delete_by_hand(self, pick):
        if f"f{pick}" in self.live:
            gone = self.trash[f"f{pick}"] = self.live.pop(f"f{pick}")
            if gone.content not in {each.content for each in self.live.values()}:
                self.dropped.add(gone.content)

    @invariant()
    def every_content_not_dropped_by_hand_has_a_live_file(self):
        known = {each.content for each in (*self.live.values(), *self.trash.values())}
        assert known - self.dropped == {each.content for each in self.live.values()}


# 200 runs of 50 steps: the ten thousand steps that the requirement names.
Removals.TestCase.settings = settings(max_examples=200, stateful_step_count=50, deadline=None)
TestRemovals = Removals.TestCase
