"""What a contract asks of rows, and of a load as a whole."""

import datetime

import pytest

from drivetrain.core.errors import InvalidInput, Refused


@pytest.mark.parametrize(
    ("rule", "value", "reason"),
    [
        ({"type": "integer"}, "abc", "x: 'abc' is not an integer"),
        ({"type": "number"}, "1e999", "x: '1e999' is not a finite number"),
        ({"type": "boolean"}, "maybe", "x: 'maybe' is not true or false"),
        ({"type": "date"}, "30.1.2024", "x: '30.1.2024' is not a date (YYYY-MM-DD)"),
        ({"type": "timestamp"}, "noon", "x: 'noon' is not a timestamp (YYYY-MM-DD HH:MM:SS, in UTC or with its zone)"),
        ({"type": "integer", "nullable": False}, "NA", "x: is missing"),
        ({"type": "integer", "min": 18}, "17", "x: '17' is below 18"),
        ({"type": "number", "max": 0.5}, "0.51", "x: '0.51' is above 0.5"),
        ({"type": "text", "one_of": ["a", "it's"]}, "b", "x: 'b' is not one of a, it's"),
        ({"type": "integer", "one_of": ["1", "2"]}, "3", "x: '3' is not one of 1, 2"),
        ({"type": "text", "one_of": []}, "b", "x: 'b' is not one of "),
        ({"type": "text", "pattern": "[A-Z]{2}"}, "ABC", "x: 'ABC' does not match [A-Z]{2}"),
        ({"type": "text", "pattern": "it's"}, "z" * 99, f"x: '{'z' * 60}' does not match it's"),
    ],
)  # fmt: skip
def test_a_bad_value_is_a_bad_row_with_its_reason(project, source, rule, value, reason):
    project.write("a.csv", f"id,x\n1,\n2,{value}\n" if rule.get("nullable", True) else f"id,x\n1,1\n2,{value}\n")
    dataset = project.ingest(source("a.csv", columns={"x": rule}))
    assert (dataset.rows, dataset.quarantined) == (1, 1)
    assert project.reasons() == [[reason]]
    assert project.quarantined()[0]["portion"] == "a.csv"
    assert project.quarantined()[0]["row"] == 2
    assert project.quarantined()[0]["load"] == dataset.digest


def test_all_reasons_of_a_row_are_told(project, source):
    project.write("a.csv", "id,age,sex\n1,abc,x\n")
    columns = {"age": {"type": "integer"}, "sex": {"type": "text", "one_of": ["f", "m"]}}
    project.ingest(source("a.csv", columns=columns, checks=[{"name": "adult", "sql": "age >= 18"}]))
    assert project.reasons() == [
        [
            "age: 'abc' is not an integer",
            "sex: 'x' is not one of f, m",
            "check adult: has no answer, a value is missing",
        ]
    ]
    assert project.quarantined()[0]["raw"] == '{"id":"1","age":"abc","sex":"x"}'


@pytest.mark.parametrize(
    ("contract", "reason"),
    [
        ({"columns": {"id": {"type": "integer", "unique": True}}}, "id: '1' stands in an earlier row"),
        ({"key": ["id", "day"]}, "key (id, day): '1', 'mon' stands in an earlier row"),
    ],
)
def test_unique_columns_and_keys_also_against_rows_loaded_before(project, source, contract, reason):
    spec = source("in", **contract)
    project.write("in/a.csv", "id,day\n1,mon\n2,mon\n1,mon\n")
    project.ingest(spec)
    project.write("in/b.csv", "id,day\n3,mon\n1,mon\n")
    dataset = project.ingest(spec)
    assert project.column("id") == [1, 2, 3]
    assert [(row["portion"], row["row"], row["reasons"]) for row in project.quarantined()] == [
        ("in/a.csv", 3, [reason]),
        ("in/b.csv", 2, [reason]),
    ]
    assert dataset.quarantined == 2


def test_a_bad_row_takes_no_key_from_a_good_one(project, source):
    project.write("a.csv", "id,age\n1,old\n1,30\n,40\n,50\n")
    spec = source("a.csv", columns={"id": {"type": "integer", "unique": True}, "age": {"type": "integer"}})
    project.ingest(spec)
    assert sorted(project.column("age")) == [30, 40, 50]  # a missing value repeats nothing


def test_a_key_may_not_be_missing(project, source):
    project.write("a.csv", "id\n1\nNA\n2\n")
    dataset = project.ingest(source("a.csv", columns={"id": {"type": "integer"}}, key=["id"]))
    assert project.reasons() == [["id: is missing"]]
    assert not dataset.schema.column("id").nullable


def test_custom_checks_see_typed_columns(project, source):
    project.write("a.csv", "id,opened,closed\n1,2024-01-01,2024-01-02\n2,2024-01-03,2024-01-02\n3,2024-01-01,NA\n")
    checks = [{"name": "order", "sql": "closed IS NULL OR opened <= closed -- dates"}]
    project.ingest(source("a.csv", checks=checks))
    assert project.column("id") == [1, 3]
    assert project.reasons() == [["check order: is not true"]]


@pytest.mark.parametrize(
    ("check", "said"),
    [
        ("agee >= 18", "agee"),
        ("age >=", "syntax error"),
        ("age + 1", "BIGINT"),
        ("sum(age) > 3", "GROUP BY"),
        ("no_such_function(age)", "no_such_function"),
        ("CAST(name AS INTEGER) > 0", "Could not convert string 'bob'"),
        ("age IN (SELECT age FROM read_csv('/etc/passwd'))", "disabled"),
    ],
)
def test_a_check_that_cannot_be_evaluated_is_a_failure(project, source, check, said):
    project.write("a.csv", "name,age\nbob,30\n")
    with pytest.raises(Refused, match="check odd") as caught:
        project.ingest(source("a.csv", checks=[{"name": "odd", "sql": check}]))
    assert caught.value.code == "check_not_evaluable"
    assert said in caught.value.message
    assert caught.value.where == "source people"
    assert caught.value.hint
    assert not (project.home / ".drivetrain/lake").exists()


@pytest.mark.parametrize(
    ("rule", "error"),
    [
        ({"type": "text", "pattern": "[a-"}, Refused),
        ({"type": "integer", "one_of": ["one"]}, Refused),
        ({"type": "date", "min": 3}, InvalidInput),
    ],
)
def test_a_rule_that_makes_no_sense_is_named(project, source, rule, error):
    project.write("a.csv", "id,x\n1,\n2,3\n")
    with pytest.raises(error, match=r"column x|`min` and `max` need numbers"):
        project.ingest(source("a.csv", columns={"x": rule}))


@pytest.mark.parametrize(
    "contract",
    [
        {"columns": {"agee": {"type": "integer"}}},
        {"key": ["agee"]},
        {"freshness": {"column": "agee", "max_age_hours": 1}},
    ],
)
def test_a_column_that_is_not_there_is_a_failure_with_the_nearest_name(project, source, contract):
    project.write("a.csv", "id,age\n1,30\n")
    with pytest.raises(Refused, match="agee") as caught:
        project.ingest(source("a.csv", **contract))
    assert caught.value.code == "contract_column_missing"
    assert "did you mean 'age'?" in caught.value.hint


def test_too_many_bad_rows_fail_the_load_and_say_which(project, source):
    project.write("a.csv", "id,age\n" + "".join(f"{n},{n if n % 10 else 'x'}\n" for n in range(100)) + "1\n")
    spec = source("a.csv", columns={"age": {"type": "integer", "max": 98}}, max_bad_share=0.11)
    with pytest.raises(Refused) as caught:
        project.ingest(spec)
    assert caught.value.code == "too_many_bad_rows"
    assert "12 of 101 rows of the load are bad (11.88%, at most 11.00%)" in caught.value.message
    assert "age: 'x' is not an integer (10 x)\n" in caught.value.message
    assert "the row has 1 values for 2 columns (1 x)" in caught.value.message
    assert not (project.home / ".drivetrain/lake").exists()
    assert (
        project.ingest(source("a.csv", columns={"age": {"type": "integer", "max": 98}}, max_bad_share=0.12)).rows == 89
    )


@pytest.mark.parametrize(("bounds", "said"), [({"min": 3}, "at least 3"), ({"max": 1}, "at most 1")])
def test_volume(project, source, bounds, said):
    project.write("a.csv", "id\n1\n2\n")
    with pytest.raises(Refused, match=said) as caught:
        project.ingest(source("a.csv", rows=bounds))
    assert caught.value.code == "volume"
    spec = source("a.csv", rows={"min": 2, "max": 2})
    assert project.ingest(spec) == project.ingest(spec)  # nothing new is no load


def moment(hours):
    return (datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=hours)).isoformat()


def test_freshness_counts_rows_of_the_load_and_those_before(project, source):
    spec = source("in", freshness={"column": "at", "max_age_hours": 24})
    project.write("in/a.csv", f"id,at\n1,{moment(30)}\n")
    with pytest.raises(Refused, match="newest value") as caught:
        project.ingest(spec)
    assert caught.value.code == "stale"
    project.write("in/b.csv", f"id,at\n2,{moment(20)}\n")
    project.ingest(spec)
    project.write("in/c.csv", f"id,at\n3,{moment(50)}\n")
    project.ingest(spec)
    assert project.column("id") == [1, 2, 3]


def test_freshness_is_asked_when_nothing_is_new_too(project, source):
    project.write("a.csv", f"id,at\n1,{moment(30)}\n")
    project.ingest(source("a.csv", freshness={"column": "at", "max_age_hours": 48}))
    with pytest.raises(Refused, match="newest value"):
        project.ingest(source("a.csv", freshness={"column": "at", "max_age_hours": 24}))


@pytest.mark.parametrize("rows", ["1,soon\n", "1,\n"])
def test_freshness_of_what_is_no_time_is_a_failure(project, source, rows):
    project.write("a.csv", f"id,at\n{rows}")
    columns = {"at": {"type": "timestamp"}} if rows == "1,\n" else {}
    with pytest.raises(Refused, match=r"age cannot be told|there is no value"):
        project.ingest(source("a.csv", columns=columns, freshness={"column": "at", "max_age_hours": 24}))


def test_a_stricter_contract_judges_the_stored_rows_again(project, source):
    project.write("a.csv", "id,age\n1,17\n2,30\n")
    loose, strict = ({"age": {"type": "integer", "min": low}} for low in (0, 18))
    first = project.ingest(source("a.csv", columns=loose))
    second = project.ingest(source("a.csv", columns=strict))
    assert (second.rows, second.quarantined) == (1, 1)
    assert project.quarantined()[0]["portion"] == "dataset/people@0"
    assert project.ingest(source("a.csv", columns=strict)) == second
    assert project.replay(source("a.csv", columns=loose)).rows == 2
    assert first.version == 0


def test_a_stricter_contract_that_most_stored_rows_break_is_refused(project, source):
    project.write("a.csv", "id,age\n1,17\n2,30\n")
    first = project.ingest(source("a.csv"))
    with pytest.raises(Refused, match="1 of 2 rows in the table, judged again"):
        project.ingest(source("a.csv", columns={"age": {"type": "integer", "min": 18}}, max_bad_share=0.1))
    assert project.ingest(source("a.csv")) == first


def test_a_changed_contract_that_all_rows_keep_changes_nothing(project, source):
    project.write("a.csv", "id,age\n1,17\n")
    first = project.ingest(source("a.csv"))
    again = project.ingest(source("a.csv", columns={"age": {"type": "integer", "nullable": False}}))
    assert (again.version, again.digest) == (first.version, first.digest)
    assert not again.schema.column("age").nullable
