"""Bars are labelled in the words of their column."""

from drivetrain.core.model import Distribution, InputField
from drivetrain.core.schema import ColumnType
from drivetrain.monitor.bins import bin_labels


def labels(kind, cuts, categories=()):
    spread = Distribution("x", cuts, (1,) * (len(cuts) + 1), 0)
    return bin_labels(InputField("x", kind, True, categories), spread)


def test_numbers_are_ranges():
    assert labels(ColumnType.NUMBER, (0.5, 2.25)) == ("below 0.5", "0.5 to 2.25", "2.25 and more", "missing")
    assert bin_labels(None, Distribution("score", (0.5,), (1, 1), 0)) == ("below 0.5", "0.5 and more", "missing")


def test_whole_numbers_are_named_when_a_bin_holds_one():
    assert labels(ColumnType.INTEGER, (0.5, 1.5, 3.5)) == ("up to 0", "1", "2 to 3", "4 and more", "missing")


def test_codes_are_their_texts():
    assert labels(ColumnType.TEXT, (-0.5, 0.5), ("a", "b")) == ("(unknown)", "a", "b", "missing")


def test_booleans_dates_and_times():
    assert labels(ColumnType.BOOLEAN, (0.5,)) == ("false", "true", "missing")
    assert labels(ColumnType.DATE, (86400.0,)) == ("below 1970-01-02", "1970-01-02 and more", "missing")
    assert labels(ColumnType.TIMESTAMP, (3600.0,))[0] == "below 1970-01-01 01:00"


def test_a_column_of_one_value_has_one_bin():
    assert labels(ColumnType.NUMBER, ()) == ("any value", "missing")
