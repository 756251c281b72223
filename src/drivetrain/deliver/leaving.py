"""Which predictions leave through an outlet, and as what: its ``where`` and ``columns``, which DuckDB answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import duckdb
import pyarrow as pa

from drivetrain.core.alarms import AlarmWatch
from drivetrain.core.decoding import read_json
from drivetrain.core.entities import EntityPages
from drivetrain.core.errors import InvalidInput, examples
from drivetrain.core.outlets.outgoing import Outgoing
from drivetrain.deliver.alarms import LOOKED_AT, TOLD, seen_sql, told, whose_sql
from drivetrain.deliver.departing import Departing
from drivetrain.deliver.outlet import Parcel
from drivetrain.store.casting import quoted
from drivetrain.store.journal import NUMBER

_TOGETHER = 65_536
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "threads": 1, "autoinstall_known_extensions": False, "autoload_known_extensions": False,
    "python_enable_replacements": False,
}  # fmt: skip
_CLOSE = ("SET TimeZone = 'UTC'", "SET enable_external_access = false", "SET lock_configuration = true")
_OURS = ("drivetrain_number", "drivetrain_key")
_SEVERAL = {"WINDOW": "a window function looks at several predictions", "SUBQUERY": "a subquery reads other rows"}
_TIME = pa.timestamp("us", tz="UTC")


class Leaving:
    """The predictions of a service as they leave through one outlet; ``entity`` is what the project calls theirs.

    ``pages`` say whose alarms are told where the outlet does not.
    """

    def __init__(
        self, name: str, spec: Outgoing, entity: str, departing: Departing, pages: EntityPages | None = None
    ) -> None:
        """Raises InvalidInput when an expression is not one, or not one over a prediction."""
        self._section, self._size, self._departing = f"outlets.{name}", spec.parcel_rows, departing
        self._connection = duckdb.connect(":memory:", config=_CONFIG)
        self._look()
        names = ", ".join(departing.view(entity).values())
        self._connection.execute(f"CREATE TEMP VIEW prediction AS SELECT {names} FROM lake")
        for setting in _CLOSE:
            self._connection.execute(setting)
        self._watch, self._from = spec.alarm, "prediction"
        if spec.alarm:
            by = spec.alarm.by or whose_sql(pages, self._inputs())
            self._watch = spec.alarm.model_copy(update={"by": by})
            self._check(by, "alarm.by")
            self._tell(0, 0)
            self._from = f"prediction JOIN {TOLD} USING ({NUMBER})"
        said = ("alarm",) if spec.alarm else ()
        columns = spec.columns or {name: quoted(name) for name in (*departing.as_it_is(entity), *said)}
        self._where = f"({spec.where}\n)" if spec.where else "true"
        if spec.where:
            self._check(spec.where, "where")
        for column, expression in columns.items():
            self._check(expression, f"columns.{column}")
        chosen = ", ".join(f"({expression}\n) AS {quoted(column)}" for column, expression in columns.items())
        self._select = f"SELECT {NUMBER} AS {_OURS[0]}, prediction_id AS {_OURS[1]}, {chosen} FROM {self._from}"

    def parcels(self, after: int, until: int) -> Iterator[Parcel]:
        """Those with the numbers after ``after`` up to ``until``, in order. Raises InvalidInput as ``these``."""
        waiting: pa.Table | None = None
        for low in range(after, until, _TOGETHER):
            high = min(low + _TOGETHER, until)
            self._tell(low, high)
            rows = self._rows(f"{NUMBER} > {low} AND {NUMBER} <= {high} AND {self._where}")
            if waiting is not None and waiting.schema == rows.schema:
                rows = pa.concat_tables([waiting, rows])
            elif waiting is not None:  # an input has got another type meanwhile
                yield _parcel(waiting)
            whole = rows.num_rows - rows.num_rows % self._size
            yield from (_parcel(rows.slice(start, self._size)) for start in range(0, whole, self._size))
            waiting = rows.slice(whole) if whole < rows.num_rows else None
        if waiting is not None:
            yield _parcel(waiting)

    def these(self, numbers: Sequence[int]) -> Parcel:
        """Those with these numbers, whatever ``where`` says. Raises InvalidInput for a value that has no answer."""
        listed = ", ".join(map(str, numbers))
        self._tell(min(numbers) - 1, max(numbers))
        return _parcel(self._rows(f"{NUMBER} BETWEEN {min(numbers)} AND {max(numbers)} AND {NUMBER} IN ({listed})"))

    def newest(self) -> pa.Table:
        """The newest prediction as it would leave; no row when there is none that would."""
        if self._watch:
            (last,) = self._connection.execute(f"SELECT max({NUMBER}) FROM prediction").fetchone() or (0,)
            self._tell(max(0, (last or 0) - LOOKED_AT), last or 0)
        rows = self._rows(self._where, f"{NUMBER} DESC LIMIT 1")
        return rows.drop_columns(list(_OURS))

    def close(self) -> None:
        """Let go of the memory."""
        self._connection.close()

    def _tell(self, low: int, high: int) -> None:
        """Find the alarms among those with the numbers after ``low`` up to ``high``."""
        if self._watch is None:
            return
        self._look()
        start = max(0, low - LOOKED_AT)
        alarms = self._told(self._watch, start, low, high)
        if alarms is None:  # somebody was long silent, or is new
            alarms = self._told(self._watch, 0, low, high)
        self._connection.register(TOLD, alarms)

    def _told(self, watch: AlarmWatch, start: int, low: int, high: int) -> pa.Table | None:
        seen = self._ask(seen_sql(watch, start, low, high)).to_arrow_table()
        return told(seen, watch, low, whole=start == 0)

    def _look(self) -> None:
        """See what is in the lake now: merged files take the place of small ones, which are deleted a day later."""
        self._connection.register("lake", self._departing.rows())

    def _rows(self, condition: str, order: str = NUMBER) -> pa.Table:
        self._look()
        found = self._ask(f"{self._select} WHERE {condition} ORDER BY {order}")
        return self._typed(found.to_arrow_table())

    def _ask(self, sql: str) -> duckdb.DuckDBPyConnection:
        try:
            return self._connection.execute(sql)
        except duckdb.Error as error:
            raise InvalidInput(
                "outlet_sql_failed",
                str(error).splitlines()[0],
                where=self._section,
                hint="make the expression answer for every prediction: TRY_CAST instead of CAST, COALESCE for NULL; "
                "nothing of these rows was sent",
            ) from None

    def _typed(self, rows: pa.Table) -> pa.Table:
        """In few types: what a kind of outlet must know."""
        types = [pa.field(field.name, self._type(field)) for field in rows.schema]
        return rows.cast(pa.schema(types))

    def _type(self, field: pa.Field) -> pa.DataType:
        kind = field.type
        if pa.types.is_integer(kind):
            return pa.int64()
        if pa.types.is_floating(kind):
            return pa.float64()
        if pa.types.is_timestamp(kind):
            return _TIME
        if pa.types.is_dictionary(kind) or pa.types.is_null(kind):
            return pa.string()
        kept = (
            pa.types.is_boolean, pa.types.is_string, pa.types.is_date32, pa.types.is_decimal, pa.types.is_struct,
            pa.types.is_list,
        )  # fmt: skip
        if any(matches(kind) for matches in kept):
            return kind
        raise InvalidInput(
            "outlet_type_unusable",
            f"a value of type {kind} cannot leave",
            where=f"{self._section}.columns.{field.name}",
            hint="make it text: CAST(... AS VARCHAR)",
        )

    def _check(self, expression: str, place: str) -> None:
        """Raise InvalidInput unless it is one expression over one prediction."""
        try:
            said = self._objection(f"SELECT ({expression}\n)")
            if not said:
                self._connection.execute(f"SELECT {NUMBER}, ({expression}\n) FROM {self._from} LIMIT 0")
        except duckdb.Error as error:
            said = str(error).splitlines()[0].partition(": ")[2]
        if said:
            raise InvalidInput(
                "outlet_sql_invalid",
                f"{said}: {expression.strip()}",
                where=f"{self._section}.{place}",
                hint=f"write an expression of DuckDB SQL over {examples(self._names(), 20)}",
            )

    def _objection(self, select: str) -> str:
        """Why a SELECT of one expression is not one; empty when it is."""
        if len(self._connection.extract_statements(select)) != 1:
            return "this is more than one statement"
        (answer,) = self._connection.execute("SELECT json_serialize_sql(?)", [select]).fetchone() or ("",)
        nodes: list[object] = [read_json(answer, dict[str, object])]
        expressions = 0
        while nodes:
            node = nodes.pop()
            if isinstance(node, dict):
                if node.get("class") in _SEVERAL:
                    return _SEVERAL[node["class"]]
                if node.get("function_name") == "row":  # what stands between commas
                    return "this is more than one expression"
                expressions += len(node.get("select_list", ()))
                nodes.extend(node.values())
            elif isinstance(node, list):
                nodes.extend(node)
        return "" if expressions == 1 else "this is more than one expression"

    def _names(self) -> list[str]:
        described = self._connection.execute(f"DESCRIBE SELECT * FROM {self._from}").fetchall()
        return [name for name, *_ in described if name not in (NUMBER, "inputs")] + [
            f"inputs.{name}" for name in self._inputs()
        ]

    def _inputs(self) -> list[str]:
        schema = self._departing.rows().schema
        return [field.name for field in schema.field("inputs").type] if "inputs" in schema.names else []


def _parcel(rows: pa.Table) -> Parcel:
    numbers, keys = (tuple(rows.column(name).to_pylist()) for name in _OURS)
    return Parcel(rows.drop_columns(list(_OURS)), keys, numbers)
