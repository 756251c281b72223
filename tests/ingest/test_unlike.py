"""A source whose values change: new categories, other units, a column under a new name. Real files, the real stage."""

import functools
import random

import pytest

from drivetrain.core.errors import Refused

COLUMNS = "id,height,pay,colour,day"
COLOURS = ("red", "green", "blue")


def rows(first, count, factor=1.0, colours=COLOURS):
    chance = random.Random(first)
    return [
        f"{number},{chance.gauss(170, 9) * factor:.3f},{chance.lognormvariate(8, 0.6) * factor:.2f},"
        f"{chance.choice(colours)},2026-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}"
        for number in range(first, first + count)
    ]


def put(project, name, lines, columns=COLUMNS):
    project.write(f"in/{name}.csv", "\n".join([columns, *lines]) + "\n")


@pytest.fixture
def source(source):
    return functools.partial(source, "in")


@pytest.fixture
def loaded(project, source):
    put(project, "a", rows(0, 400))
    project.ingest(source())
    return project


def alarms(dataset):
    return [(alarm.kind, alarm.text) for alarm in dataset.load.alarms]


def refused(project, spec):
    with pytest.raises(Refused) as caught:
        project.ingest(spec)
    assert caught.value.code == "values_changed"
    return caught.value.message


# --- categories -------------------------------------------------------------------------------------------------


def test_a_new_category_is_told_once(loaded, source):
    put(loaded, "b", [*rows(400, 30), "900,170,3000,pink,2026-01-01", "901,170,3000,grey,2026-01-01"])
    assert alarms(loaded.ingest(source())) == [
        ("category", "colour: new 'grey', 'pink' (in 2 rows; so far blue, green, red)")
    ]
    put(loaded, "c", [*rows(500, 30), "902,170,3000,pink,2026-01-01"])
    assert alarms(loaded.ingest(source())) == []


def test_a_new_category_may_be_refused_and_agreed_to(loaded, source):
    put(loaded, "b", [*rows(400, 30), "900,170,3000,pink,2026-01-01"])
    spec = source(changes={"category": "refuse"})
    assert "* colour: new 'pink'" in refused(loaded, spec)
    assert loaded.ingest(spec, accept_schema=True).rows == 431
    assert alarms(loaded.ingest(source(changes={"category": "ignore"}))) == []


def test_texts_that_are_many_or_listed_have_no_categories(project, source):
    names = [f"{line},name {number}" for number, line in enumerate(rows(0, 400))]
    put(project, "a", names, f"{COLUMNS},name")
    spec = source(columns={"colour": {"type": "text", "one_of": [*COLOURS, "pink"]}})
    project.ingest(spec)
    put(project, "b", ["900,170,3000,pink,2026-01-01,nobody"], f"{COLUMNS},name")
    assert alarms(project.ingest(spec)) == []


def test_a_column_of_categories_that_becomes_free_text(loaded, source):
    put(loaded, "b", rows(400, 300, colours=[f"colour {number}" for number in range(200)]))
    ((kind, text),) = alarms(loaded.ingest(source()))
    assert (kind, text) == ("category", "colour: new more than 50 values (so far blue, green, red)")


def test_values_of_bad_rows_are_no_categories(loaded, source):
    put(loaded, "b", [*rows(400, 30), "x,170,3000,pink,2026-01-01"])
    assert alarms(loaded.ingest(source(columns={"id": {"type": "integer"}}))) == []


# --- units ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("factor", "words"), [(1 / 2.54, "/ 2.54 (centimetres to inches)"), (100, "x 100"), (1 / 1000, "/ 1000")]
)
def test_a_unit_that_changed_is_told(loaded, source, factor, words):
    put(loaded, "b", rows(400, 400, factor))
    told = alarms(loaded.ingest(source()))
    assert [kind for kind, _ in told] == ["unit", "unit"]
    assert told[0][1].startswith(f"height: in another unit? {words} (median ")


def test_a_unit_that_changed_may_be_refused(loaded, source):
    put(loaded, "b", rows(400, 400, 0.01))
    spec = source(changes={"unit": "refuse"})
    message = refused(loaded, spec)
    assert "^ height: in another unit? / 100 (median 1" in message
    put(loaded, "b", rows(400, 400))
    assert alarms(loaded.ingest(spec)) == []


def test_ids_keys_and_small_loads_have_no_unit(project, source):
    spec = source(columns={"pay": {"type": "number", "unique": True}})
    put(project, "a", rows(1, 400))
    project.ingest(spec)
    put(project, "b", rows(401, 3600))
    assert alarms(project.ingest(spec)) == []
    put(project, "c", rows(5000, 50, 100))
    assert alarms(project.ingest(spec)) == []


def test_loads_that_go_on_as_before_tell_nothing(loaded, source):
    for number in range(1, 6):
        put(loaded, f"more-{number}", rows(1000 * number, 150))
        assert alarms(loaded.ingest(source())) == []


# --- new names --------------------------------------------------------------------------------------------------


def test_a_column_under_a_new_name_keeps_its_old_one_in_the_table(loaded, source):
    put(loaded, "b", rows(400, 300), "id,body_height,salary,colour,day")
    with pytest.raises(Refused) as caught:
        loaded.ingest(source())
    lines = [line.strip() for line in caught.value.message.splitlines()[1:]]
    assert lines == ["> height number: now called body_height?", "> pay number: now called salary?"]
    dataset = loaded.ingest(source(), accept_schema=True)
    assert dataset.schema.names == ("id", "height", "pay", "colour", "day")
    assert (dataset.rows, None in loaded.column("height")) == (700, False)
    put(loaded, "c", rows(700, 10), "id,body_height,salary,colour,day")
    assert loaded.ingest(source()).rows == 710
    put(loaded, "d", rows(800, 10))  # the old names are known as well
    assert loaded.ingest(source()).rows == 720


def test_rules_of_the_contract_go_on_for_the_column_under_its_new_name(project, source):
    spec = source(columns={"colour": {"type": "text", "nullable": False}}, max_bad_share=0.1)
    put(project, "a", rows(0, 400))
    project.ingest(spec)
    put(project, "b", [*rows(400, 99), "900,170,3000,,2026-01-01"], "id,height,pay,hue,day")
    with pytest.raises(Refused, match=r"> colour text: now called hue\?"):
        project.ingest(spec)
    assert project.ingest(spec, accept_schema=True).quarantined == 1
    assert project.reasons() == [["colour: is missing"]]


def test_a_name_that_comes_back_as_a_column_of_its_own_stands_for_no_other(loaded, source):
    put(loaded, "b", rows(400, 300), "id,height,pay,hue,day")
    loaded.ingest(source(), accept_schema=True)
    put(loaded, "c", [f"{line},bright" for line in rows(700, 300)], f"{COLUMNS},hue")
    with pytest.raises(Refused, match=r"\+ hue text"):
        loaded.ingest(source())
    loaded.ingest(source(), accept_schema=True)
    put(loaded, "d", [f"{line},bright" for line in rows(1000, 30)], f"{COLUMNS},hue")
    assert loaded.ingest(source()).schema.names[-1] == "hue"
    assert loaded.column("colour").count("bright") == 0


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"renamed": "ignore"}, id="the contract does not want it"),
        pytest.param({}, id="other values"),
    ],
)
def test_what_is_no_new_name_is_one_gone_and_one_new(loaded, source, changes):
    lines = rows(400, 300) if changes else [line.replace(",2026-", ",1926-") for line in rows(400, 300)]
    columns = "id,height,pay,hue,day" if changes else "id,height,pay,colour,born"
    put(loaded, "b", lines, columns)
    with pytest.raises(Refused) as caught:
        loaded.ingest(source(changes=changes))
    assert [line.strip()[0] for line in caught.value.message.splitlines()[1:]] == ["-", "+"]


def test_a_new_name_may_be_let_in_by_the_contract(loaded, source):
    put(loaded, "b", rows(400, 300), "id,height,pay,hue,day")
    dataset = loaded.ingest(source(changes={"renamed": "alarm"}))
    assert alarms(dataset) == [("schema", "the source changed: > colour text: now called hue?")]
    assert dataset.schema.names[3] == "colour"


@pytest.mark.parametrize(
    ("old", "new", "marks"),
    [("customer_name", "CustomerName", ">"), ("score_1", "score_2", "-+"), ("customer_name", "city", "-+")],
)
def test_where_only_the_name_tells_it_must_be_nearly_the_same(project, source, old, new, marks):
    put(project, "a", ["1,x", "2,y"], f"id,{old}")
    project.ingest(source())
    put(project, "b", ["3,z"], f"id,{new}")
    with pytest.raises(Refused) as caught:
        project.ingest(source())
    assert "".join(line.strip()[0] for line in caught.value.message.splitlines()[1:]) == marks


def test_two_that_could_be_it_are_left_to_a_person(loaded, source):
    lines = [f"{line.rpartition(',')[0]},{line.split(',')[3]},{line.rpartition(',')[2]}" for line in rows(400, 300)]
    put(loaded, "b", lines, "id,height,pay,hue_one,hue_two,day")
    with pytest.raises(Refused) as caught:
        loaded.ingest(source())
    assert [line.strip()[0] for line in caught.value.message.splitlines()[1:]] == ["-", "+", "+"]
