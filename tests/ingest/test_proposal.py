"""A contract proposed from the first rows: types, ways of writing, keys, sets; those rows keep it."""

from __future__ import annotations

import pytest
import yaml

from drivetrain.cli.sources import contract_lines
from drivetrain.core.contract import Contract
from drivetrain.core.credentials import NoSecrets
from drivetrain.core.errors import InvalidInput
from drivetrain.core.schema import ColumnType
from drivetrain.ingest.proposal import propose

COLUMNS = {
    "nr": [f"{number}" for number in range(40)],
    "plz": [f"0{number:04}" for number in range(40)],
    "tag": [f"{1 + number % 28:02}.{1 + number % 12:02}.2024" for number in range(40)],
    "us": [f"{1 + number % 12:02}/{1 + number % 28:02}/2024" for number in range(40)],
    "packed": [f"2024{1 + number % 12:02}{1 + number % 28:02}" for number in range(40)],
    "kurz": [f"{1 + number % 28:02}.{1 + number % 12:02}.24" for number in range(40)],
    "wann": [f"{1 + number % 28:02}.{1 + number % 12:02}.2024 10:{number % 60:02}" for number in range(40)],
    "iso": [f"2024-{1 + number % 12:02}-{1 + number % 28:02}" for number in range(40)],
    "betrag": [f"{number}.{number:03},5" if number else "0,5" for number in range(40)],
    "dollar": [f"{number + 1},000.25" for number in range(40)],
    "aktiv": ["J" if number % 3 else "N" for number in range(40)],
    "farbe": [["rot", "grün", ""][number % 3] for number in range(40)],
    "leer": [""] * 40,
}


@pytest.fixture
def file(project):
    lines = [";".join(COLUMNS)] + [";".join(row) for row in zip(*COLUMNS.values(), strict=True)]
    project.write("a.csv", "\n".join(lines) + "\n")
    return "a.csv"


def proposed(project, source, path, rows=10_000):
    found = propose(source(path), "people", project.catalog, NoSecrets(), rows)
    return found, {column.name: column for column in found.columns}


def test_types_and_ways_of_writing(project, source, file):
    found, columns = proposed(project, source, file)
    assert {name: (str(column.type), column.format) for name, column in columns.items()} == {
        "nr": ("integer", None),
        "plz": ("text", None),
        "tag": ("date", "%d.%m.%Y"),
        "us": ("date", "%m/%d/%Y"),
        "packed": ("date", "%Y%m%d"),
        "kurz": ("date", "%d.%m.%y"),
        "wann": ("timestamp", "%d.%m.%Y %H:%M"),
        "iso": ("date", None),
        "betrag": ("number", "1.234,5"),
        "dollar": ("number", "1,234.5"),
        "aktiv": ("boolean", "j/n"),
        "farbe": ("text", None),
        "leer": ("text", None),
    }
    assert found.key == ("nr",)
    assert columns["farbe"].one_of == ("grün", "rot")
    assert (columns["farbe"].nullable, columns["nr"].nullable) == (True, False)
    assert "zero" in columns["plz"].doubts[0]
    assert "no value" in columns["leer"].doubts[0]


def test_a_date_that_could_be_two_is_doubted(project, source):
    project.write("a.csv", "day\n03/04/2024\n05/06/2024\n")
    _, columns = proposed(project, source, "a.csv")
    assert columns["day"].format == "%d/%m/%Y"
    assert columns["day"].doubts == ("these rows could be %m/%d/%Y as well",)


def test_no_rows_no_proposal(project, source):
    project.write("a.csv", "day\n")
    with pytest.raises(InvalidInput, match="not one row"):
        proposed(project, source, "a.csv")


def test_what_is_printed_is_a_contract_that_the_rows_keep(project, source, file):
    found, _ = proposed(project, source, file)
    contract = Contract.model_validate(yaml.safe_load("\n".join(contract_lines(found)))["contract"])
    assert contract.columns["tag"].type is ColumnType.DATE
    dataset = project.ingest(source(file, **contract.model_dump(exclude_defaults=True)))
    assert (dataset.rows, dataset.quarantined) == (40, 0)
    row = project.rows()[12]
    assert (row["betrag"], row["dollar"], row["aktiv"], row["plz"]) == (12012.5, 13000.25, False, "00012")
    assert str(row["tag"]) == str(row["kurz"]) == "2024-01-13"
    assert row["wann"].isoformat() == "2024-01-13T10:12:00+00:00"


@pytest.mark.parametrize(
    ("rule", "good", "bad", "reason"),
    [
        ({"type": "date", "format": "%d.%m.%Y"}, "05.03.2024", "31.02.2024", "is not a date written like %d.%m.%Y"),
        ({"type": "number", "format": "1.234,5"}, "1.234,50", "1.23,5", "is not a finite number written like 1.234,5"),
        ({"type": "integer", "format": "1'234.5"}, "1'234", "1'234.5", "is not an integer written like 1'234.5"),
        ({"type": "boolean", "format": "Ja/Nein"}, " JA", "yes", "is not true or false written like Ja/Nein"),
    ],
)
def test_a_value_that_is_written_otherwise_is_bad(project, source, rule, good, bad, reason):
    project.write("a.csv", f"id;x\n1;{good}\n2;{bad}\n3;\n")
    dataset = project.ingest(source("a.csv", columns={"x": rule}, options={"delimiter": ";"}))
    assert (dataset.rows, dataset.quarantined) == (2, 1)
    assert project.reasons() == [[f"x: '{bad}' {reason}"]]


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"type": "text", "format": "%d"}, "text has no `format`"),
        ({"type": "date", "format": "dd.mm.yyyy"}, "strptime codes"),
        ({"type": "number", "format": "1,5"}, "one of"),
        ({"type": "boolean", "format": "ja"}, "yes/no"),
    ],
)
def test_a_format_that_is_none(rule, said):
    with pytest.raises(ValueError, match=said):
        Contract.model_validate({"columns": {"x": rule}})
