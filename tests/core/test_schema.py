import pytest

from drivetrain.core.errors import NotFound
from drivetrain.core.schema import Column, ColumnType, Schema

OLD = Schema((Column("id", ColumnType.INTEGER, nullable=False), Column("age", ColumnType.INTEGER)))


def test_changes_name_new_gone_and_retyped_columns():
    new = Schema((Column("id", ColumnType.TEXT), Column("income", ColumnType.NUMBER)))
    assert [str(change) for change in OLD.changes_to(new)] == [
        "~ id: integer -> text",
        "- age integer",
        "+ income number",
    ]


def test_order_is_no_change():
    assert OLD.changes_to(Schema(tuple(reversed(OLD.columns)))) == ()


def test_unknown_column_names_the_others():
    with pytest.raises(NotFound, match=r"column 'agee'(?s:.*)id, age"):
        OLD.column("agee")
