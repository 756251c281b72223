"""What is left of a parcel, and which rows go together."""

from hypothesis import given
from hypothesis import strategies as st
from tests.deliver.sending import words

from drivetrain.deliver.outlet import Receipt
from drivetrain.deliver.underway import Underway, groups


def test_a_parcel_that_is_tried_again_goes_on_and_any_other_begins_anew():
    underway, one, other = Underway(), words(1, 2, 3), words(1, 2)
    assert underway.left(one) == [0, 1, 2]
    underway.note(1, Receipt(True, "T-2"))
    assert underway.left(words(1, 2, 3)) == [0, 2]
    assert underway.left(other) == [0, 1]
    assert underway.left(one) == [0, 1, 2]


def test_the_same_keys_with_other_rows_are_another_parcel():
    underway, one = Underway(), words(1, 2)
    underway.left(one)
    underway.note(0, Receipt(True))
    changed = type(one)(one.rows.drop_columns(["score"]), one.keys)
    assert underway.left(changed) == [0, 1]


def test_a_parcel_that_is_done_goes_out_whole_when_it_is_sent_once_more():
    underway = Underway()
    underway.left(words(1, 2))
    underway.note(1, Receipt(True, "b"))
    underway.note(0, Receipt(False, "a"))
    assert underway.done() == (Receipt(False, "a"), Receipt(True, "b"))
    assert underway.left(words(1, 2)) == [0, 1]


@given(st.lists(st.integers(0, 4), max_size=30), st.integers(1, 5))
def test_groups_hold_all_in_order_and_no_key_twice(keys, most):
    found = groups(range(len(keys)), keys, most)
    assert [at for group in found for at in group] == list(range(len(keys)))
    assert all(0 < len(group) <= most and len({keys[at] for at in group}) == len(group) for group in found)
