"""What Schemathesis has to know besides the document: how rows are written as lines and as record batches.

Its command loads this file (SCHEMATHESIS_HOOKS).
"""

from __future__ import annotations

import io
import json
from typing import Any

import pyarrow as pa
import schemathesis
from hypothesis import strategies as st

NDJSON, ARROW, BINARY = "application/x-ndjson", "application/vnd.apache.arrow.stream", "application/octet-stream"
TENSORS = json.dumps({"inputs": [{"name": "age", "shape": [1], "datatype": "INT64", "data": [40]}]}).encode()


def _arrow(ages: list[int]) -> bytes:
    table = pa.table({"age": pa.array(ages, pa.int64())})
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return sink.getvalue()


@schemathesis.serializer(NDJSON)
def lines(_: object, value: object) -> bytes:
    return value if isinstance(value, bytes) else json.dumps(value).encode() + b"\n"


@schemathesis.deserializer(NDJSON)
def first_line(_: object, response: Any) -> object:
    return json.loads(response.content.splitlines()[0])


@schemathesis.deserializer(ARROW)
def batches(_: object, response: Any) -> object:
    pa.ipc.open_stream(response.content).read_all()
    return ""


@schemathesis.hook
def before_call(_: object, case: schemathesis.Case, __: object) -> None:
    """What is refused as it should be, though no parameter alone can say so, is let out.

    A deadline so near that nothing can be answered by then is a 503; a stream that asks for reasons is a 400.
    """
    said = str(case.headers.get("X-Deadline-Ms", "")) if case.headers else ""
    if said.isdigit() and int(said) < 10_000:
        case.headers["X-Deadline-Ms"] = "10000"
    if case.media_type in (NDJSON, ARROW) and (case.query or {}).get("explain") == "true":
        case.query["explain"] = "false"


schemathesis.openapi.media_type(ARROW, st.lists(st.integers(18, 99), min_size=1, max_size=5).map(_arrow))
schemathesis.openapi.media_type(BINARY, st.just(TENSORS))
