"""What a text classifier has never heard of goes to a person: with a small world, and with a bank's questions."""

import csv
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import yaml
from tests.conftest import with_identities
from tests.house.conftest import ROOT
from tests.train.test_embedding_graph import SHAPE, safetensors, tensors

from drivetrain.core.artifacts import Features, Model
from drivetrain.core.errors import InvalidInput
from drivetrain.core.project import ModelSpec
from drivetrain.core.task import Task
from drivetrain.ops.metrics import measure
from drivetrain.ops.packing import pack
from drivetrain.ops.saying import Saying
from drivetrain.ops.text import encoder_from, encoders_from
from drivetrain.ops.text_scope import OUT_OF_SCOPE
from drivetrain.store.cases import read_cases
from drivetrain.store.models import Scorer, read_model
from drivetrain.train.train import train

SUBJECTS = ("card", "rent", "tax", "loan", "fee", "bank", "coin", "rate", "bond", "gold")
STRANGE = ("moon", "frog", "jazz", "snow")
FILLER = ("my", "the", "is", "why")
WAY = {"embedding": "small", "embedding_weight": 1.0, "out_of_scope": True}


def said(chance, subject):
    return " ".join(chance.permutation([subject, subject, *chance.choice(FILLER, 2)]))


@pytest.fixture
def small(catalog):
    """The folder of an embedding that knows these words."""
    folder = catalog.home / "small"
    folder.mkdir(parents=True)
    pieces = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", *SUBJECTS, *STRANGE, *FILLER)
    drawn = np.random.default_rng(1).normal(size=(len(pieces), SHAPE.hidden_size)).astype(np.float32)
    (folder / "config.json").write_text(json.dumps({**vars(SHAPE), "vocab_size": len(pieces)}))
    (folder / "vocab.txt").write_text("\n".join(pieces) + "\n")
    arrays = tensors() | {"embeddings.word_embeddings.weight": drawn}
    (folder / "model.safetensors").write_bytes(safetensors(arrays))


def learned(make_features, catalog, kinds, chance, **way):
    unclear = np.where(chance.random(len(kinds)) < 0.08, chance.permutation(kinds), kinds)
    texts = pa.array([said(chance, kind) for kind in unclear])
    features = replace(make_features({"message": texts}, kinds, task=Task.CLASSES), texts=("message",))
    told = {"candidates": [{"learner": "text"}], "budget": {"trials": 1}, "tracking": "off", "texts": [WAY | way]}
    told["decision"] = {"kind": "rejection", "share": 0.05}
    model = train(ModelSpec.model_validate(told), "messages", features, catalog)
    return features, read_model(catalog.folder(model.ref))


def test_strangers_go_to_a_person_and_what_is_known_does_not(make_features, catalog, small):
    chance = np.random.default_rng(0)
    features, content = learned(make_features, catalog, chance.choice(SUBJECTS, 400), chance)
    encoders = encoders_from(content.signature.texts, content.texts)
    assert content.signature.names[-1] == f"message:{OUT_OF_SCOPE.replace(' ', '_')}"
    scorer, saying = Scorer(content.graph), Saying(content.signature, content.decision)
    cases = read_cases(catalog, features, "test")
    answer = scorer.score(pack(content.signature, cases.inputs, encoders))
    assert np.abs(answer - content.expected).max() <= 1e-9
    assert measure("accuracy", cases.label, answer) > 0.85
    strange = pa.table({"message": [said(chance, subject) for subject in STRANGE for _ in range(25)]})
    unknown = saying.say_alone(scorer.score(pack(content.signature, strange, encoders)))
    assert saying.say_alone(answer).decision.mean() > 0.85
    assert unknown.decision.mean() < 0.35


def test_a_damaged_scope_is_refused(make_features, catalog, small):
    chance = np.random.default_rng(0)
    _, content = learned(make_features, catalog, chance.choice(SUBJECTS, 300), chance)
    files = {name.removeprefix("texts/message/"): bytes_ for name, bytes_ in content.texts.items()}
    assert encoder_from(files).files() == files
    for name, wrong in (("scope.json", b"{}"), ("learned.npy", b""), ("learned.npy", files["idf.npy"])):
        with pytest.raises(InvalidInput):
            encoder_from(files | {name: wrong})


def test_few_classes_cannot_play_strangers(make_features, catalog, small):
    chance = np.random.default_rng(0)
    with pytest.raises(InvalidInput, match="too few to hold some of them back"):
        learned(make_features, catalog, chance.choice(SUBJECTS[:4], 200), chance)


BANKING = Path(os.environ.get("DRIVETRAIN_SHARED_DATA", ROOT.parent / "shared/data")) / "support-banking77"
needs_bank = pytest.mark.skipif(not BANKING.is_dir(), reason="Banking77 is not on this machine (../shared/data)")
PROJECT = """\
project: intents
sources:
  questions:
    kind: files
    path: data/*.csv
    contract:
      columns:
        number: {type: integer, nullable: false}
        text: {type: text}
        category: {type: text, nullable: false}
        later: {type: boolean, nullable: false}
features:
  spine: features/cases.sql
  entity: question
  label: intent
  task: classes
  texts: [message]
  tables:
    message: {sql: features/message.sql}
  split: {by: given, column: later}
  leaks: {max_duplicates: 1}
model:
  candidates: [{learner: text}]
  budget: {trials: 1}
  decision: {kind: rejection, share: 0.05}
  tracking: "off"
"""
LINEAR = {"words": {"shortest": 1, "longest": 2}, "characters": {"shortest": 2, "longest": 5}}
SECOND = {"learner": "logistic", "params": {"knots": 0, "C": 0.01}}
"""Over the margins; C was found on the training part."""
MEANING = {**LINEAR, "embedding": "minilm", "embedding_weight": 2.0, "strength": 0.5}


def questions(part):
    with (BANKING / f"{part}.csv").open(newline="", encoding="utf-8") as file:
        return [(row["text"], row["category"]) for row in csv.DictReader(file)]


def bank(folder, way, left_out=(), others=()):
    """The test part and what a project of Banking77 learned; nobody told it of the intents left out."""
    (folder / "features").mkdir(parents=True)
    (folder / "data").mkdir()
    told = yaml.safe_load(PROJECT)
    told["model"]["texts"] = [way]
    told["model"]["candidates"] += others
    (folder / "drivetrain.yaml").write_text(yaml.safe_dump(told))
    (folder / "features/cases.sql").write_text("SELECT number AS question, category AS intent, later FROM questions\n")
    (folder / "features/message.sql").write_text("SELECT number AS question, text AS message FROM questions\n")
    with (folder / "data/bank.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["number", "text", "category", "later"])
        parts = [(text, intent, part == "test") for part in ("train", "test") for text, intent in questions(part)]
        rows.writerows([at, *row] for at, row in enumerate(parts) if row[1] not in left_out)
    project = with_identities(folder)
    project.run("train")
    features, model = project.catalog.latest(Features, "intents"), project.catalog.latest(Model, "intents")
    content = read_model(project.catalog.folder(model.ref))
    return read_cases(project.catalog, features, "test"), content


@needs_bank
@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("way", "others", "least"), [(LINEAR, [SECOND], 0.915), (MEANING, [], 0.94)], ids=["linear", "meaning"]
)
def test_intents_of_a_bank_are_told(tmp_path, way, others, least):
    cases, content = bank(tmp_path / "bank", way, others=others)
    assert len(cases) == 3_080
    assert measure("accuracy", cases.label, content.expected) >= least


@needs_bank
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_questions_of_intents_never_seen_go_to_a_person(tmp_path):
    intents = sorted({intent for _, intent in questions("train")})
    left_out = [intents[at] for at in np.random.default_rng(0).choice(len(intents), 15, replace=False)]
    _, content = bank(tmp_path / "bank", MEANING | {"out_of_scope": True}, left_out)
    strange = [text for text, intent in questions("test") if intent in left_out]
    encoders = encoders_from(content.signature.texts, content.texts)
    packed = pack(content.signature, pa.table({"message": strange}), encoders)
    scores = Saying(content.signature, content.decision).say_alone(Scorer(content.graph).score(packed)).score
    known = content.expected.max(axis=1)
    assert np.mean(known < content.decision.threshold) <= 0.06
    assert np.mean(scores < np.quantile(known, 0.05)) >= 0.5
