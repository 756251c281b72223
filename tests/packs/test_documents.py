"""The pack documents, with files of one's own in place of the newsgroups; its floor is measured in the slow set."""

import random

import pytest
import yaml

from drivetrain.core.artifacts import Report
from drivetrain.core.settings import Settings
from drivetrain.engine.create import create_project
from drivetrain.engine.packs import score_pack
from drivetrain.engine.project import Project
from drivetrain.ops.text import encoders_from
from drivetrain.store.models import read_model

SUBJECTS = {
    "invoice": ["invoice", "amount", "payable", "vat", "due"],
    "contract": ["agreement", "parties", "clause", "herein", "term"],
    "letter": ["dear", "sincerely", "regards", "visit", "kind"],
}
FILLER = "we the of to and for you your our is this please company office number page with from by on".split()  # noqa: SIM905 - a list would be longer


def documents(path, count, seed):
    """A file as Orange writes it: three lines of header, a subject and a text in a line."""
    lines = ["Category\tText", "d\tstring", "class\t"]
    for number in range(count):
        chance = random.Random(seed + number)
        subject = chance.choice(list(SUBJECTS))
        words = chance.sample(FILLER, 12) + chance.sample(SUBJECTS[subject], 3) + [f"no{seed + number}"]
        chance.shuffle(words)
        lines.append(f"{subject}\t{' '.join(words)}")
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def changed(folder, **sources):
    """The project file with other sources."""
    file = folder / "drivetrain.yaml"
    told = yaml.safe_load(file.read_text())
    for name, source in sources.items():
        contract = told["sources"][name]["contract"] | {"rows": {"min": 10}}
        told["sources"][name] = source | {"format": "csv", "delimiter": "\t", "contract": contract}
    return file, told


def test_own_documents_run_through_the_gates(tmp_path):
    project = create_project(tmp_path / "mail", "documents", Settings())
    folder = project.catalog.home
    documents(folder / "data/earlier.tab", 600, seed=0)
    documents(folder / "data/later.tab", 200, seed=10_000)
    parts = {name: {"kind": "files", "path": f"data/{name}.tab"} for name in ("earlier", "later")}
    file, told = changed(folder, **parts)
    told["service"]["port"] = 0
    file.write_text(yaml.safe_dump(told, sort_keys=False))
    project.catalog.close()
    project = Project(folder, Settings())
    run = project.run()
    report = project.get(Report, next(step.ref for step in run.steps if step.stage == "validate"))
    assert report.verdict == "pass", report.failed
    accuracy = next(metric for metric in report.metrics if metric.name == "accuracy")
    assert (accuracy.value > 0.95, accuracy.rows) == (True, 200)
    model = next(step.ref for step in run.steps if step.stage == "train")
    content = read_model(project.catalog.folder(model))
    assert content.decision.kind == "rejection"
    assert encoders_from(content.signature.texts, content.texts)["text"].width == 3
    engineer = project.as_actor("ai-engineer")
    engineer.approve(comment="read the card")
    assert engineer.deploy().releases
    project.catalog.close()


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", ["documents", "documents/r8", "documents/r52"])
def test_newsgroups_and_messages_reach_their_floors(name, tmp_path):
    assert score_pack(name, tmp_path / "run", Settings()).is_reached
