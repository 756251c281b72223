"""Arrow IPC streams: real servers, real sockets, good batches and bad ones, and bytes that are no Arrow at all."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import httpx
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivetrain.core.errors import InvalidInput
from drivetrain.serve.arrow_messages import BATCH, DICTIONARY, SCHEMA, Messages
from drivetrain.serve.arrow_rows import Decoder
from drivetrain.serve.rows import RowForm
from drivetrain.testing.graphs import NO_SCORE, ROW, SIGNATURE, as_json, draw, expected_score

from .conftest import Running, Start, Template, lake, until
from .duplex import ARROW, Duplex, resident

ROWS = draw(5000, seed=7)
SCORES = np.array([expected_score(row) for row in ROWS])
HEADERS = {"content-type": ARROW}
LONG = 200_000
MOST = 4 * 1024 * 1024


def native(row: dict[str, object]) -> dict[str, object]:
    """A row of JSON with dates and times as Python has them."""
    born, seen = row["born"], row["seen"]
    return {
        **row,
        "born": born and date.fromisoformat(str(born)),
        "seen": seen and datetime.fromisoformat(str(seen)),
    }


TABLE = pa.Table.from_pylist([native(row) for row in as_json(ROWS)])


def written(table: pa.Table, rows: int = 1000, **options: object) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as stream:
        stream.write_table(table, max_chunksize=rows)
    return sink.getvalue()


def stream(server: Running, content: bytes) -> httpx.Response:
    return server.client.post("/v1/predict", content=content, headers=HEADERS)


def scores(answer: httpx.Response) -> np.ndarray:
    assert answer.status_code == 200, answer.text
    return pa.ipc.open_stream(answer.content).read_all()["score"].to_numpy()


def error(answer: httpx.Response) -> dict[str, str]:
    return dict(answer.json()["error"])


def test_arrow_is_loaded_by_the_first_who_speaks_it(start: Start) -> None:
    server = start()
    (worker,) = server.workers()
    maps = Path(f"/proc/{worker}/maps")
    server.predict(ROW)
    assert "libarrow" not in maps.read_text()
    assert len(scores(stream(server, written(TABLE[:3])))) == 3
    assert "libarrow" in maps.read_text()
    assert "pandas" not in maps.read_text()


def test_batches_in_batches_out(server: Running, template: Template) -> None:
    answer = stream(server, written(TABLE))
    assert answer.headers["content-type"] == ARROW
    assert answer.headers["x-drivetrain-release"] == str(template.good.ref)
    table = pa.ipc.open_stream(answer.content).read_all()
    assert table.schema.types == [pa.string(), pa.float64(), pa.bool_()]
    assert table.schema.names == ["id", "score", "decision"]
    assert table.schema.metadata == {b"release": str(template.good.ref).encode()}
    assert np.allclose(table["score"].to_numpy(), SCORES, rtol=0, atol=1e-12)
    assert table["decision"].to_pylist() == (SCORES >= 0.5).tolist()
    ids = table["id"].to_pylist()
    assert ids == sorted(set(ids))


def test_over_http2(server: Running) -> None:
    headers = {**HEADERS, "authorization": f"Bearer {server.key}"}
    with httpx.Client(base_url=server.url, http1=False, http2=True, timeout=30) as client:
        answer = client.post("/v1/predict", content=written(TABLE[:900]), headers=headers)
    assert answer.http_version == "HTTP/2"
    assert np.allclose(scores(answer), SCORES[:900])


# --- types ---------------------------------------------------------------------------------------------------------

ONE = pa.Table.from_pylist([native(ROW)] * 3)


def column(name: str, values: list[object], kind: pa.DataType) -> pa.Table:
    """Three good rows, but for one column."""
    at = ONE.schema.names.index(name)
    return ONE.set_column(at, name, pa.array(values, kind))


SEEN = datetime(2026, 1, 31, 12, tzinfo=UTC)
GOOD = [
    column("age", [25.0, 25.0, 25.0], pa.float64()), column("age", [25, 25, 25], pa.uint8()),
    column("income-per-month", [Decimal("1200.5")] * 3, pa.decimal128(12, 2)),
    column("income-per-month", [1200.5] * 3, pa.float32()),
    column("city", ["Chur"] * 3, pa.large_string()), column("city", ["Chur"] * 3, pa.string_view()),
    column("city", ["Chur"] * 3, pa.dictionary(pa.int8(), pa.string())),
    column("born", [date(1999, 12, 31)] * 3, pa.date64()), column("seen", [SEEN] * 3, pa.timestamp("s")),
    column("seen", [SEEN] * 3, pa.timestamp("ms", "Europe/Zurich")), column("seen", [SEEN] * 3, pa.timestamp("ns")),
]  # fmt: skip


@pytest.mark.parametrize("table", GOOD, ids=lambda table: str(table.schema.types))
def test_columns_may_come_in_any_type_that_holds_the_same(server: Running, table: pa.Table) -> None:
    expected = server.predict(ROW).json()["predictions"][0]["score"]
    assert scores(stream(server, written(table))) == pytest.approx([expected] * 3, abs=1e-12)


@pytest.mark.parametrize("missing", ["left out", "null", "of no type", "NaN"])
def test_a_missing_value_is_null_nan_or_left_out(server: Running, missing: str) -> None:
    table = {
        "left out": ONE.drop_columns(["income-per-month"]),
        "null": column("income-per-month", [None] * 3, pa.float64()),
        "of no type": column("income-per-month", [None] * 3, pa.null()),
        "NaN": column("income-per-month", [float("nan")] * 3, pa.float64()),
    }[missing]
    expected = server.predict({**ROW, "income-per-month": None}).json()["predictions"][0]["score"]
    assert scores(stream(server, written(table))) == pytest.approx([expected] * 3)


def test_the_entity_is_recorded(start: Start) -> None:
    server = start()
    table = ONE.append_column("case", pa.array(["a", None, "c"]))
    ids = pa.ipc.open_stream(stream(server, written(table)).content).read_all()["id"].to_pylist()
    assert server.stop() == 0
    recorded = {row["prediction_id"]: row["entity"] for row in lake(server.home, "predictions")}
    assert [recorded[each] or None for each in ids] == ["a", None, "c"]


BAD = [
    (column("age", ["25"] * 3, pa.string()), "field_type", "schema.age"),
    (column("born", ["1999-12-31"] * 3, pa.string()), "field_type", "schema.born"),
    (column("member", [1] * 3, pa.int8()), "field_type", "schema.member"),
    (column("city", [["Chur"]] * 3, pa.list_(pa.string())), "field_type", "schema.city"),
    (ONE.append_column("case", pa.array([1.5] * 3)), "field_type", "schema.case"),
    (ONE.drop_columns(["age"]), "field_missing", "schema.age"),
    (ONE.rename_columns(["agee", *ONE.schema.names[1:]]), "field_unknown", "schema.agee"),
    (ONE.append_column("age", ONE["age"]), "column_twice", "schema"),
    (column("age", [None] * 3, pa.int64()), "field_missing", "rows[0].age"),
    (column("age", [25.5] * 3, pa.float64()), "field_range", "rows[0].age"),
    (column("age", [2**60] * 3, pa.int64()), "field_range", "rows[0].age"),
    (column("income-per-month", [float("inf")] * 3, pa.float64()), "field_range", "rows[0].income-per-month"),
    (column("income-per-month", [NO_SCORE] * 3, pa.float64()), "row_unscorable", "rows[0]"),
    (ONE.append_column("case", pa.array(["x" * 65] * 3)), "entity_invalid", "rows[0].case"),
    (ONE[:0], "rows_missing", "rows"),
]


@pytest.mark.parametrize(("table", "code", "where"), BAD, ids=[f"{code} {where}" for _, code, where in BAD])
def test_what_is_wrong_is_told(server: Running, table: pa.Table, code: str, where: str) -> None:
    answer = stream(server, written(table))
    assert (answer.status_code, error(answer)["code"], error(answer)["where"]) == (400, code, where)


def test_a_misspelt_column_is_told_the_right_name(server: Running) -> None:
    answer = stream(server, written(ONE.rename_columns(["agee", *ONE.schema.names[1:]])))
    assert error(answer)["hint"] == "did you mean age?"


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("age", None, "field_missing"),
        ("age", 2**60, "field_range"),
        ("income-per-month", float("-inf"), "field_range"),
        ("income-per-month", NO_SCORE, "row_unscorable"),
    ],
)
def test_a_wrong_row_breaks_the_answer_off_and_those_before_it_are_answered(
    server: Running, name: str, value: object, code: str
) -> None:
    place = 517
    rows = TABLE.to_pylist()
    rows[place] = {**rows[place], name: value}
    with Duplex(server, ARROW) as caller:
        content = caller.send(written(pa.Table.from_pylist(rows, TABLE.schema))).finish().answer()
        assert caller.status == 200
        assert not caller.whole
    reader, answered, told = pa.ipc.open_stream(content), 0, {}
    for _ in range(len(rows)):
        batch, metadata = reader.read_next_batch_with_custom_metadata()
        answered += batch.num_rows
        if metadata:
            told = json.loads(metadata[b"error"])
            break
    assert answered == place
    assert (told["code"], told["status"]) == (code, 400)
    assert told["where"].startswith(f"rows[{place}]")


# --- what is no stream, or too large -------------------------------------------------------------------------------

CONTENT = written(TABLE[:40], rows=20)
ONLY = written(TABLE[:40])
NOT_TAKEN = {
    "nothing": (b"", 400, "rows_missing"),
    "garbage": (b"PAR1" * 100, 400, "arrow_invalid"),
    "cut off": (ONLY[:-100], 400, "arrow_invalid"),
    "cut in the first message": (CONTENT[:100], 400, "arrow_invalid"),
    "no schema": (CONTENT[len(TABLE.schema.serialize()) :], 400, "arrow_invalid"),
    "two schemas": (bytes(TABLE.schema.serialize()) + CONTENT, 400, "arrow_invalid"),
    "a long head": (b"\xff\xff\xff\xff\xf8\xff\xff\x7f" + bytes(100), 413, "body_too_large"),
    "a long batch": (written(pa.concat_tables([TABLE] * 30).combine_chunks(), rows=150_000), 413, "body_too_large"),
    "zstd": (written(TABLE, compression="zstd"), 400, "arrow_compressed"),
    "lz4 in dictionaries": (
        written(
            pa.table({"city": pa.array(["x" * 10_000] * 9, pa.dictionary(pa.int8(), pa.string()))}), compression="lz4"
        ),
        400,
        "arrow_compressed",
    ),
}


@pytest.mark.parametrize("what", NOT_TAKEN)
def test_what_is_not_taken(server: Running, what: str) -> None:
    content, status, code = NOT_TAKEN[what]
    answer = stream(server, content)
    assert (answer.status_code, error(answer)["code"]) == (status, code)
    assert server.predict(ROW).status_code == 200


def test_a_stream_may_end_without_its_mark_but_not_go_on_behind_it(server: Running) -> None:
    assert len(scores(stream(server, CONTENT[:-8]))) == 40
    with Duplex(server, ARROW) as caller:
        caller.send(CONTENT, b"more").finish().answer()
        assert not caller.whole


def read(content: bytes) -> int:
    """How many rows the server would find in it."""
    messages, decoder, rows = Messages(MOST), Decoder(MOST), 0
    for message in messages.feed(content):
        for batch in decoder.batches(message):
            rows += len(batch.read(RowForm(SIGNATURE)).entities)
            if rows > LONG:  # a batch of nothing but nulls may say that it has any number of rows
                return rows
    messages.end()
    return rows


@given(st.lists(st.integers(0, len(CONTENT)), max_size=6).map(sorted))
def test_messages_are_the_same_wherever_the_parts_are_cut(cuts: list[int]) -> None:
    messages, found = Messages(MOST), []
    for start, end in zip([0, *cuts], [*cuts, len(CONTENT)], strict=True):
        found += list(messages.feed(CONTENT[start:end]))
    messages.end()
    assert [message.kind for message in found] == [SCHEMA, BATCH, BATCH]
    assert b"".join(message.content for message in found) == CONTENT[:-8]


DICTIONARIES = written(
    TABLE[:40].set_column(3, "city", TABLE[:40]["city"].cast(pa.dictionary(pa.int8(), pa.string()))), rows=20
)
SIZES = st.sampled_from([0, 1, 8, 2**31, 2**40, 2**62, 2**63, 2**64 - 1, 2**64 - 8])
change = st.one_of(
    st.tuples(st.integers(0, 5000), st.binary(min_size=1, max_size=4)),
    st.tuples(st.integers(0, 5000), SIZES.map(lambda number: number.to_bytes(8, "little"))),
)


@settings(max_examples=150)
@given(st.sampled_from([CONTENT, DICTIONARIES]), st.lists(change, min_size=1, max_size=4))
def test_changed_bytes_are_rows_or_an_error(content: bytes, changes: list[tuple[int, bytes]]) -> None:
    changed = bytearray(content)
    for at, new in changes:
        changed[at % len(content) : at % len(content) + len(new)] = new
    with suppress(InvalidInput):
        assert read(bytes(changed)) >= 0


def test_dictionaries_are_kept_but_only_so_many() -> None:
    schema, dictionary, *_ = Messages(MOST).feed(DICTIONARIES)
    assert (schema.kind, dictionary.kind) == (SCHEMA, DICTIONARY)
    assert read(DICTIONARIES) == 40
    decoder = Decoder(3 * len(dictionary.content))
    for message in (schema, dictionary, dictionary, dictionary):
        assert list(decoder.batches(message)) == []
    with pytest.raises(InvalidInput, match="dictionaries"):
        list(decoder.batches(dictionary))


# --- any length ----------------------------------------------------------------------------------------------------


def long_stream() -> Iterator[bytes]:
    """The same rows again and again: one schema, many batches."""
    content = written(TABLE)
    schema = len(TABLE.schema.serialize())
    yield content[:schema]
    for _ in range(LONG // len(TABLE)):
        yield content[schema:-8]


def test_a_long_stream_in_flat_memory_while_others_are_answered(server: Running) -> None:
    (worker,) = server.workers()
    stream(server, written(TABLE))
    before, most, answered = resident(worker), 0, 0
    with Duplex(server, ARROW) as caller, ThreadPoolExecutor(1) as pool:
        reading = pool.submit(lambda: caller.send_meanwhile(long_stream()).answer())
        while not reading.done():
            assert server.predict(ROW).status_code == 200
            answered += 1
            most = max(most, resident(worker))
        table = pa.ipc.open_stream(reading.result()).read_all()
        assert caller.whole
    assert table.num_rows == LONG
    assert table["score"][-len(TABLE) :].to_numpy() == pytest.approx(SCORES)
    assert most - before < 64 * 1024 * 1024
    assert answered > 10


def test_each_batch_is_answered_before_the_next_is_sent(server: Running) -> None:
    with Duplex(server, ARROW) as caller:
        messages = [message.content for message in Messages(MOST).feed(written(TABLE[:40], rows=20))]
        answers, got = caller.send(messages[0]).parts(), b""
        for batch in messages[1:]:
            caller.send(batch[:30], batch[30:])
            got += next(answers)
        assert pa.ipc.open_stream(got).read_all().num_rows == 40
        got += b"".join(caller.finish().parts())
        assert caller.whole
    assert pa.ipc.open_stream(got).read_all()["score"].to_numpy() == pytest.approx(SCORES[:40])


def test_who_hangs_up_in_the_middle_leaves_nothing_behind(server: Running) -> None:
    def connections() -> float:
        return server.metrics()[("drivetrain_connections", "(server)")]

    before = connections()
    with Duplex(server, ARROW) as caller:
        next(caller.send_meanwhile(long_stream()).parts())
    until(lambda: connections() <= before)


def test_a_time_before_1970_is_the_time_that_json_means(server: Running) -> None:
    moment = datetime(1969, 7, 20, 20, 17, 40, 500_000, tzinfo=UTC)
    expected = server.predict({**ROW, "seen": moment.isoformat()}).json()["predictions"][0]["score"]
    table = column("seen", [moment, moment, moment + timedelta(days=1)], pa.timestamp("us"))
    assert scores(stream(server, written(table)))[0] == pytest.approx(expected, abs=1e-15)
