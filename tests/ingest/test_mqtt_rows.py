"""MQTT messages as rows."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivetrain.core.sources.things import MqttSource
from drivetrain.ingest.mqtt_inbox import Kept
from drivetrain.ingest.mqtt_rows import MessageRows, moment

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
PLAIN = {"metadata": False}


def batch(*payloads, **options):
    spec = MqttSource(kind="mqtt", broker="somewhere", topics=("#",), client_id="me", **options)
    at = round(NOON.timestamp() * 1e6)
    kept = {number: Kept(at, "a/b", payload, False, 1, number) for number, payload in enumerate(payloads, 7)}
    return MessageRows(spec).batch(kept, len(kept))


@pytest.mark.parametrize(
    ("payload", "row"),
    [
        (b'{"id": 1, "of": {"a": {"b": {"c": 2}}}}', {"id": "1", "of.a.b": '{"c":2}'}),
        (b'{"on": true, "list": [1, 2], "none": null}', {"on": "true", "list": "[1,2]", "none": None}),
        (b"21.50", {"value": "21.5"}),
        (b'"warm"', {"value": "warm"}),
        (b"[1, 2]", {"value": "[1,2]"}),
        (b"null", {"value": None}),
    ],
)
def test_json(payload, row):
    assert batch(payload, **PLAIN).rows.to_pylist() == [row]


def test_text():
    assert batch(b"21.50", "größer".encode(), b"", format="text", **PLAIN).rows.to_pylist() == [
        {"value": "21.50"}, {"value": "größer"}, {"value": ""},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("payload", "options", "reason"),
    [
        (b"{", {}, "is not JSON"),
        (b"[" * 100_000, {}, "is not JSON"),
        (b"\xff", {}, "is not JSON"),
        (b"\xff", {"format": "text"}, "not UTF-8: invalid start byte at byte 0"),
        (b"", {}, "is empty"),
        (b"{}", {}, "has no fields"),
        (b'{"": 1}', {}, "cannot be called ''"),
        (b'{"Drivetrain_row": 1}', {}, "cannot be called 'Drivetrain_row'"),
        (b'{"ID": 1}', {}, "'ID' is called 'id' in other messages"),
        (b'{"topic": "x"}', {}, "`metadata: false` keeps it"),
    ],
)
def test_what_cannot_be_a_row_is_broken_and_stops_nobody(payload, options, reason):
    found = batch(b'{"id": 1}', payload, b'{"id": 2}', **options)
    assert found.numbers.to_pylist() == [7, 9]
    (broken,) = found.broken
    assert broken.number == 8
    assert reason in broken.reason
    assert "topic a/b" in broken.reason


def test_where_and_when_a_message_arrived():
    found = batch(b'{"id": 1}')
    assert found.rows.to_pylist() == [{"id": "1", "topic": "a/b", "received_at": NOON.isoformat(), "retained": "false"}]
    assert [str(column) for column in found.declared.columns] == [
        "topic text", "received_at timestamp", "retained boolean",
    ]  # fmt: skip


def test_how_late_it_is_and_a_clock_that_is_ahead():
    sent = (b'{"at": "2026-11-23T11:59:00Z"}', b'{"at": "2026-11-23T13:00:30+01:00"}', b'{"at": "soon"}', b'{"no": 1}')
    found = batch(*sent, device_time="at", **PLAIN)
    assert found.rows["late_seconds"].to_pylist() == ["60.0", "-30.0", None, None]


@given(st.datetimes(datetime(1974, 1, 1), datetime(2100, 1, 1)), st.sampled_from(["s", "ms", "us", "ns", "iso"]))
def test_every_way_to_write_a_devices_time(at, written):
    at = at.replace(tzinfo=UTC, microsecond=0)
    seconds = int(at.timestamp())
    text = (
        at.isoformat()
        if written == "iso"
        else f"{seconds}{ {'s': '', 'ms': '000', 'us': '0' * 6, 'ns': '0' * 9}[written] }"
    )
    assert abs(moment(text) - at) < timedelta(milliseconds=1)


@given(st.text("0123456789+-:.eETZnaif ", max_size=24) | st.floats().map(repr))
def test_no_text_is_too_odd_for_a_time(text):
    found = moment(text)
    assert found is None or found.tzinfo is not None
