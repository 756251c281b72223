"""From an SQL expression, as the tree that DuckDB's parser makes of it, to steps on a stack (see ``expressions``)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import cast

from drivetrain.core.errors import DrivetrainError
from drivetrain.core.windows import Operation, Step

Node = Mapping[str, object]

_FUNCTIONS: Mapping[str, tuple[Operation, int]] = {
    "epoch": ("epoch", 1), "hour": ("hour", 1), "isodow": ("isodow", 1), "abs": ("abs", 1),
    "+": ("+", 2), "-": ("-", 2), "*": ("*", 2), "/": ("/", 2),
}  # fmt: skip
_COMPARISONS: Mapping[str, Operation] = {
    "COMPARE_EQUAL": "=", "COMPARE_NOTEQUAL": "<>", "COMPARE_LESSTHAN": "<", "COMPARE_LESSTHANOREQUALTO": "<=",
    "COMPARE_GREATERTHAN": ">", "COMPARE_GREATERTHANOREQUALTO": ">=",
}  # fmt: skip
_BETWEEN_OPERANDS: Mapping[str, Operation] = {"CONJUNCTION_AND": "and", "CONJUNCTION_OR": "or"}
_BEHIND_ONE: Mapping[str, tuple[Operation, ...]] = {
    "OPERATOR_NOT": ("not",), "OPERATOR_IS_NULL": ("is_null",), "OPERATOR_IS_NOT_NULL": ("is_null", "not"),
}  # fmt: skip


class StepReader(ABC):
    """Reads expressions over columns. What has no steps is refused."""

    @abstractmethod
    def column(self, node: Node) -> str:
        """The column that a node is; raises what ``refused`` gives when it is none."""

    @abstractmethod
    def refused(self, node: Node, why: str) -> DrivetrainError:
        """The error that says why a node cannot be read, and where it stands."""

    def window(self, node: Node) -> int:
        """The number of a window over other rows; refused where there are no others."""
        raise self.refused(node, "looks at other rows")

    def steps(self, node: Node) -> list[Step]:
        """The steps that leave the value of an expression."""
        kind, name = node.get("class"), str(node.get("type"))
        if kind == "COLUMN_REF":
            return [Step("column", self.column(node))]
        if kind == "CONSTANT":
            return [self._constant(node)]
        if kind == "WINDOW":
            return [Step("window", number=float(self.window(node)))]
        if kind == "CAST" and type_of(node["cast_type"]) in ("DOUBLE", "BOOLEAN"):
            return self._cast(node)
        if name in _COMPARISONS:
            return [*self.steps(as_node(node["left"])), *self.steps(as_node(node["right"])), Step(_COMPARISONS[name])]
        if kind == "BETWEEN":
            given = self.steps(as_node(node["input"]))
            low, high = (self.steps(as_node(node[end])) for end in ("lower", "upper"))
            return [*given, *low, Step(">="), *given, *high, Step("<="), Step("and")]
        return self._called(node, name)

    def _called(self, node: Node, name: str) -> list[Step]:
        """The steps of an operator or a function over the children of a node."""
        operands = [self.steps(child) for child in as_nodes(node.get("children", ()))]
        if name in ("COMPARE_IN", "COMPARE_NOT_IN"):
            among = _chained([[*operands[0], *each, Step("=")] for each in operands[1:]], "or")
            return among if name == "COMPARE_IN" else [*among, Step("not")]
        if name in _BETWEEN_OPERANDS:
            return _chained(operands, _BETWEEN_OPERANDS[name])
        if name in _BEHIND_ONE:
            return [*operands[0], *(Step(do) for do in _BEHIND_ONE[name])]
        if name == "OPERATOR_COALESCE" and len(operands) == 2:
            return [*operands[0], *operands[1], Step("coalesce")]
        function = str(node.get("function_name") or name).lower()
        called = _FUNCTIONS.get(function)
        if node.get("class") != "FUNCTION" or called is None or called[1] != len(operands):
            raise self.refused(node, f"uses {function}, which a server does not know")
        return [*(step for operand in operands for step in operand), Step(called[0])]

    def _cast(self, node: Node) -> list[Step]:
        """A number stays what it is; ``true`` is a text that is cast."""
        child = as_node(node["child"])
        if type_of(node["cast_type"]) == "DOUBLE":
            return self.steps(child)
        said = as_node(child.get("value") or {}).get("value")
        if said not in ("t", "f"):
            raise self.refused(node, "casts to a boolean")
        return [Step("number", number=float(said == "t"))]

    def _constant(self, node: Node) -> Step:
        value = as_node(node["value"])
        given, kind = value.get("value"), type_of(value["type"])
        if kind == "VARCHAR":
            return Step("text", str(given))
        if kind == "DECIMAL":
            assert isinstance(given, int)
            return Step("number", number=given / 10 ** int(str(as_node(as_node(value["type"])["type_info"])["scale"])))
        if value["is_null"] or not isinstance(given, bool | int | float):
            raise self.refused(node, "uses a constant that is neither number nor text")
        return Step("number", number=float(given))


def _chained(operands: Sequence[Sequence[Step]], do: Operation) -> list[Step]:
    """The operands with an operation behind each but the first."""
    first, *others = operands
    return [*first, *(step for operand in others for step in (*operand, Step(do)))]


def as_node(value: object) -> Node:
    """A part of the tree that is a node."""
    assert isinstance(value, dict)
    return value


def as_nodes(value: object) -> Sequence[Node]:
    """A part of the tree that is a list of nodes."""
    return cast("Sequence[Node]", value)


def type_of(value: object) -> str:
    """The name of a type in the tree."""
    return str(as_node(value)["id"])


def last_name(node: Node) -> str:
    """The name of a column, without that of its table."""
    names = node["column_names"]
    assert isinstance(names, list)
    return str(names[-1])
