"""Rules on their way into a model: read by DuckDB, held against what the model knows, refused by name."""

import numpy as np
import pyarrow as pa
import pytest

from drivetrain.core.errors import InvalidInput
from drivetrain.core.model import InputField, Signature
from drivetrain.core.project import ModelSpec
from drivetrain.core.rules import RulesSpec
from drivetrain.core.schema import ColumnType
from drivetrain.core.task import Task
from drivetrain.store.models import read_model
from drivetrain.train.rules import rules_of
from drivetrain.train.train import train

INPUTS = (
    InputField("amount", ColumnType.NUMBER, nullable=True),
    InputField("visits", ColumnType.INTEGER, nullable=False),
    InputField("shop", ColumnType.TEXT, nullable=True, categories=("bakery", "bank")),
    InputField("Home", ColumnType.TEXT, nullable=True, categories=("bakery",)),
    InputField("since", ColumnType.TIMESTAMP, nullable=True),
    InputField("born", ColumnType.DATE, nullable=True),
    InputField("abroad", ColumnType.BOOLEAN, nullable=True),
    InputField("letter.0", ColumnType.NUMBER, nullable=True, of="letter"),
)
SIGNATURE = Signature(INPUTS, "id", "y")
QUICK = {"candidates": [{"learner": "logistic"}], "budget": {"trials": 1}, "tracking": "off"}


def spec(when, decide=True, side="before"):
    return RulesSpec.model_validate({side: [{"name": "one", "when": when, "decide": decide, "because": "So be it."}]})


@pytest.mark.parametrize(
    "when",
    ["amount > 100 AND shop = 'bank'", "home IS NULL OR \"Home\" <> 'bakery'", "hour(since) < 6", "visits / 2 >= 1.5",
     "shop IN ('bank', 'bakery') AND NOT abroad", "epoch(since) - epoch(born) BETWEEN 0 AND 3600", "since > born",
     "abroad", "abroad = true AND amount IS NOT NULL"],
)  # fmt: skip
def test_what_can_be_asked_online_is_taken(when):
    (rule,) = rules_of(spec(when), SIGNATURE)
    assert (rule.name, rule.when, rule.decide, rule.because) == ("one", when, True, "So be it.")
    assert {step.name for step in rule.steps if step.do == "column"} <= set(SIGNATURE.names)


@pytest.mark.parametrize(
    ("when", "code", "says"),
    [
        ("amont > 100", "rule_unknown", "did you mean 'amount'?"),
        ("score > 0.5", "rule_unknown", "knows no column 'score'"),
        ("letter = 'x'", "rule_unknown", "knows no column 'letter'"),
        ("shop = 'bak'", "rule_unknown", "did you mean 'bank'?"),
        ("shop = 'cinema'", "rule_unknown", "knows no text 'cinema'"),
        ("shop = home", "rule_sql", "texts are compared by = and <>"),
        ("shop > 'bank'", "rule_sql", "texts are compared by = and <>"),
        ("amount = 'much'", "rule_sql", "does not go with a number and a written"),
        ("since > 100", "rule_sql", "does not go with a moment and a number"),
        ("born + 1 > since", "rule_sql", "does not go with a moment and a number"),
        ("abs(shop) = 1", "rule_sql", "abs does not go with a text"),
        ("amount", "rule_sql", "not true or false"),
        ("amount > 1 AND", "rule_sql", "syntax error"),
        ("upper(shop) = 'BANK'", "rule_sql", "the condition uses upper"),
        ("hour(amount) = 3", "rule_sql", "hour"),
        ("abs(" * 380 + "amount" + ")" * 380 + " > 1", "rule_sql", "nested too deeply"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_the_name_of_the_rule(when, code, says):
    with pytest.raises(InvalidInput) as caught:
        rules_of(spec(when), SIGNATURE)
    assert (caught.value.code, caught.value.where) == (code, "model.rules.before.one")
    assert says in f"{caught.value.message} {caught.value.hint}"


def test_after_the_model_a_rule_reads_what_it_says():
    numbers = Signature(INPUTS, "id", "y", Task.NUMBER)
    classes = Signature(INPUTS, "id", "y", Task.CLASSES, ("refund", "complaint"))
    for signature, when in (
        (SIGNATURE, "score > 0.5 AND NOT decision"), (numbers, "high - low > 3"), (classes, "class = 'refund'"),
    ):  # fmt: skip
        assert rules_of(spec(when, side="after"), signature)[0].when == when
    with pytest.raises(InvalidInput, match="knows no text 'thanks'"):
        rules_of(spec("class = 'thanks'", side="after"), classes)
    with pytest.raises(InvalidInput, match="knows no column 'low'"):
        rules_of(spec("low > 3", side="after"), SIGNATURE)


def test_a_class_is_one_of_the_model():
    classes = Signature(INPUTS, "id", "y", Task.CLASSES, ("refund", "complaint"))
    assert rules_of(spec("abroad", "refund"), classes)[0].decide == "refund"
    with pytest.raises(InvalidInput, match="knows no class 'refunds'") as caught:
        rules_of(spec("abroad", "refunds"), classes)
    assert (caught.value.code, caught.value.hint) == ("rule_unknown", "did you mean 'refund'?")


def test_a_name_with_two_meanings_is_refused_only_where_it_has_both():
    inputs = (*INPUTS, InputField("Score", ColumnType.NUMBER, nullable=True))
    assert rules_of(spec("score > 3"), Signature(inputs, "id", "y"))
    with pytest.raises(InvalidInput, match="'score' is an input and also what the model says"):
        rules_of(spec("score > 3", side="after"), Signature(inputs, "id", "y"))


def test_rules_travel_inside_the_model(loans, catalog):
    rules = {
        "before": [{"name": "renter", "when": "home = 'rent' AND late > 2", "decide": True, "because": "Too often."}],
        "after": [{"name": "owner", "when": "owns AND score < 0.9", "decide": False, "because": "There is a house."}],
    }
    model = train(ModelSpec.model_validate({**QUICK, "rules": rules}), "loans", loans, catalog)
    content = read_model(catalog.folder(model.ref))
    assert (content.signature.rules, [rule.decide for rule in content.rules]) == (("renter", "owner"), [True, False])
    assert "rules.json" in content.files()
    (spoke,) = content.reference.outputs
    assert (spoke.name, sum(spoke.counts)) == ("rule", content.reference.rows)
    assert min(spoke.counts[1:]) > 0, "of the training part each of them speaks now and then"
    plain = train(ModelSpec.model_validate(QUICK), "loans", loans, catalog)
    without = read_model(catalog.folder(plain.ref))
    assert (without.rules, without.signature.outputs, "rules.json" in without.files()) == ((), (), False)
    assert without.graph == content.graph, "the model is the same"


def test_a_rule_that_cannot_be_asked_stops_before_the_search(make_features, catalog):
    features = make_features({"x": pa.array(np.arange(60.0))}, np.arange(60) % 2 == 0)
    told = {**QUICK, "rules": {"before": [{"name": "r", "when": "z > 1", "decide": True, "because": "It is."}]}}
    with pytest.raises(InvalidInput, match="knows no column 'z'"):
        train(ModelSpec.model_validate(told), "x", features, catalog)
