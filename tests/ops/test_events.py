"""From what a caller sends to an event, and to the row that is scored."""

from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np

from drivetrain.core.model import UNKNOWN, InputField, Signature
from drivetrain.core.schema import Column, ColumnType
from drivetrain.core.windows import Event, OnlineFeature, Step, Window, WindowPlan
from drivetrain.ops.events import EventPacker, asked, value_of

PLAN = WindowPlan(
    "payments", "payment", "paid_at", (Column("card", ColumnType.TEXT, False), Column("channel", ColumnType.TEXT)),
    (Window("count", ("card",), "", "", 1, True),),
    (OnlineFeature("n", (Step("window"),), False), OnlineFeature("channel", (Step("column", "channel"),), False)), 0,
)  # fmt: skip
SIGNATURE = Signature(
    (
        InputField("age", ColumnType.INTEGER, False, typical=40.0),
        InputField("n", ColumnType.INTEGER, False, typical=1.0),
        InputField("channel", ColumnType.TEXT, True, categories=("web", "shop"), typical=1.0),
    ),
    "case", "fraud", windows=PLAN,
)  # fmt: skip


def test_a_caller_sends_the_event_and_what_no_window_computes():
    fields = asked(SIGNATURE).inputs
    assert [field.name for field in fields] == ["age", "paid_at", "card", "channel"]
    assert [field.nullable for field in fields] == [False, False, False, True]
    assert fields[3].categories == ("web", "shop")
    assert asked(replace(SIGNATURE, windows=None)) == replace(SIGNATURE, windows=None)


def test_the_row_is_made_of_what_was_sent_and_what_was_computed():
    packer = EventPacker(SIGNATURE)
    values = (31, datetime(2026, 1, 1, tzinfo=UTC), "c1", "shop")
    event = packer.event("p1", values)
    assert event == Event("p1", 1_767_225_600_000_000, ("c1", "shop"))
    assert np.frombuffer(packer.pack(values, (4.0, "shop"))).tolist() == [31.0, 4.0, 1.0]
    unknown = np.frombuffer(packer.pack(values, (None, "fax")))
    assert np.isnan(unknown[1])
    assert unknown[2] == UNKNOWN
    assert np.isnan(np.frombuffer(packer.pack((31, values[1], "c1", None), (4.0, None)))[2])


def test_values_as_windows_take_them():
    assert [value_of(value) for value in (None, "a", True, 3, 2.5)] == [None, "a", 1.0, 3.0, 2.5]
    assert value_of(date(1970, 1, 2)) == 86400.0
    assert value_of(datetime(1970, 1, 2)) == 86400.0
