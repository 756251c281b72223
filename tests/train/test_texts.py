"""Free texts are learned from: in every task, beside other columns, and served as they were learned."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from drivetrain.core.errors import InvalidInput
from drivetrain.core.project import ModelSpec
from drivetrain.core.task import Task
from drivetrain.ops.metrics import measure
from drivetrain.ops.packing import pack
from drivetrain.ops.text import encoders_from
from drivetrain.store.cases import read_cases
from drivetrain.store.models import Scorer, read_model
from drivetrain.train.train import train
from drivetrain.validate.served import ServedPath, json_array, json_rows

ROWS = 400
WORDS = {
    "card": ["card", "lost", "stolen", "block", "PIN"],
    "transfer": ["transfer", "überweisung", "pending", "sent", "IBAN"],
    "rate": ["exchange", "rate", "currency", "euro", "fee"],
}
FILLER = ["please", "my", "the", "help", "why", "yesterday", "again", "since", "hello", "thanks"]


def texts(chance, kinds):
    made = [" ".join(chance.permutation([*chance.choice(FILLER, 5), *chance.choice(WORDS[kind], 2)])) for kind in kinds]
    return pa.array([None if chance.random() < 0.02 else text for text in made])


def encoders_of(content):
    return encoders_from(content.signature.texts, content.texts)


def trained(features, catalog, **changes):
    told = {"candidates": [{"learner": "text"}], "budget": {"trials": 2}, "tracking": "off", **changes}
    model = train(ModelSpec.model_validate(told), "messages", replace(features, texts=("message",)), catalog)
    content = read_model(catalog.folder(model.ref))
    cases = read_cases(catalog, features, "test")
    answer = Scorer(content.graph).score(pack(content.signature, cases.inputs, encoders_of(content)))
    return model, content, cases, answer


@pytest.fixture
def chance():
    return np.random.default_rng(0)


@pytest.mark.parametrize("loss", ["support_vectors", "least_squares"])
def test_classes_of_texts(make_features, catalog, chance, loss):
    kinds = chance.choice(list(WORDS), ROWS, p=[0.6, 0.3, 0.1])
    features = make_features({"message": texts(chance, kinds)}, kinds, task=Task.CLASSES)
    _, content, cases, answer = trained(features, catalog, texts=[{"loss": loss}])
    assert measure("accuracy", cases.label, answer) > 0.9
    assert np.abs(answer - content.expected).max() <= 1e-9
    assert [field.name for field in content.signature.asked] == ["message"]
    assert content.signature.names == tuple(f"message:{name}" for name in content.signature.classes)


def test_what_callers_send_is_served_as_it_was_learned(make_features, catalog, chance):
    kinds = chance.choice(list(WORDS), ROWS)
    columns = {"message": texts(chance, kinds), "age": pa.array(chance.integers(18, 80, ROWS))}
    features = make_features(columns, kinds, task=Task.CLASSES)
    _, content, cases, _ = trained(features, catalog)
    path = ServedPath(content.signature, Scorer(content.graph), encoders_of(content))
    sent = json_array(json_rows(cases.inputs))
    assert np.abs(path.score(sent) - content.expected).max() <= 1e-9
    packed = pack(content.signature, cases.inputs, encoders_of(content))
    assert path.pack(sent).tobytes() == packed.tobytes()
    recorded = pa.table({name: packed[:, at] for at, name in enumerate(content.signature.names)})
    assert pack(content.signature, recorded).tobytes() == packed.tobytes()


def test_rare_classes_two_classes_and_none_of_their_words(make_features, catalog, chance):
    kinds = np.where(np.arange(ROWS) % 23 == 1, "rate", "card")
    features = make_features({"message": texts(chance, kinds)}, kinds, task=Task.CLASSES)
    _, content, _, answer = trained(features, catalog)
    assert answer.shape[1] == 2
    nothing = pack(content.signature, pa.table({"message": ["", None, "qwrtz"]}), encoders_of(content))
    assert np.isfinite(Scorer(content.graph).score(nothing)).all()


def test_a_text_beside_numbers_in_yes_or_no(make_features, catalog, chance):
    kinds = chance.choice(["card", "transfer"], ROWS)
    amount = chance.normal(0, 1, ROWS)
    label = (kinds == "card") & (amount > 0)
    features = make_features({"amount": pa.array(amount), "message": texts(chance, kinds)}, label)
    both = [{"learner": "text"}, {"learner": "hist_gradient_boosting", "params": {"max_iter": 20}}]
    _, content, cases, answer = trained(features, catalog, candidates=both)
    assert content.training.blend[0].candidate == "hist_gradient_boosting"
    assert measure("roc_auc", cases.label, answer) > 0.9
    assert np.abs(answer - content.expected).max() <= 1e-6


def test_a_number_of_texts(make_features, catalog, chance):
    kinds = chance.choice(list(WORDS), ROWS)
    worth = {"card": 10.0, "transfer": 500.0, "rate": 90.0}
    label = np.array([worth[kind] for kind in kinds]) + chance.normal(0, 5, ROWS)
    features = make_features({"message": texts(chance, kinds)}, label, task=Task.NUMBER)
    _, content, cases, answer = trained(features, catalog, texts=[{"strength": 10}])
    assert measure("r2", cases.label, answer) > 0.8
    assert content.interval is not None


def test_the_best_way_is_taken_and_the_same_bytes_come_again(make_features, catalog, chance):
    kinds = chance.choice(list(WORDS), ROWS)
    features = make_features({"message": texts(chance, kinds)}, kinds, task=Task.CLASSES)
    bad = {"words": None, "characters": {"shortest": 1, "longest": 1}}
    ways = [bad, {"characters": None}]
    model, content, _, _ = trained(features, catalog, texts=ways)
    assert [block.terms.unit for block in encoders_of(content)["message"].blocks] == ["word"]
    again, _, _, _ = trained(features, catalog, texts=ways)
    assert again.digest == model.digest


def test_rare_terms_count_as_much_as_is_asked(make_features, catalog, chance):
    kinds = chance.choice(list(WORDS), ROWS)
    features = make_features({"message": texts(chance, kinds)}, kinds, task=Task.CLASSES)
    blocks = []
    for rarity in (1.0, 2.0):
        _, content, _, _ = trained(features, catalog, texts=[{"characters": None, "rarity": rarity}])
        blocks.append(encoders_of(content)["message"].blocks[0])
    plain, steep = blocks
    assert plain.known == steep.known == tuple(sorted(plain.known))
    assert np.allclose(steep.idf, plain.idf**2)


def test_the_learner_text_needs_a_text(make_features, catalog, chance):
    features = make_features({"age": pa.array(chance.integers(18, 80, ROWS))}, chance.random(ROWS) < 0.5)
    with pytest.raises(InvalidInput, match=r"features\.texts"):
        train(
            ModelSpec.model_validate({"candidates": [{"learner": "text"}], "tracking": "off"}), "x", features, catalog
        )
