"""Stage 3: from Features to a Model. What a candidate is, see ``learner``; how they race, ``race`` and ``search``."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace

from drivetrain.core.artifacts import Features, Model
from drivetrain.core.chat import ChatSpec
from drivetrain.core.digest import digest_of
from drivetrain.core.events import Progress, silent
from drivetrain.core.knowledge import KnowledgeSpec
from drivetrain.core.project import ModelSpec
from drivetrain.core.task import metric_of
from drivetrain.ops.links import plain_link
from drivetrain.store.catalog import Catalog
from drivetrain.store.folders import digests, write_folder
from drivetrain.store.knowledge import read_passages
from drivetrain.store.retrievers import retriever_files
from drivetrain.store.tracking import Experiment, open_tracker
from drivetrain.train.blind import finish_blind
from drivetrain.train.candidates import Entrant, entrants
from drivetrain.train.chat import plan_of
from drivetrain.train.environment import environment
from drivetrain.train.finish import Finished, finish
from drivetrain.train.fitting import fit
from drivetrain.train.folds import hold_back
from drivetrain.train.knowledge import make_knowledge
from drivetrain.train.lanes import open_lanes
from drivetrain.train.learners.hook import Hook
from drivetrain.train.material import Material, read_material
from drivetrain.train.memo import Memo
from drivetrain.train.own_code import finish_code
from drivetrain.train.race import Course, Race
from drivetrain.train.search import Search
from drivetrain.train.teller import Teller
from drivetrain.train.trained import Trained

_REHEARSED = 2_000


def train(
    spec: ModelSpec,
    name: str,
    features: Features,
    catalog: Catalog,
    progress: Progress = silent,
    *,
    knowledge: KnowledgeSpec | None = None,
    chat: ChatSpec | None = None,
) -> Model:
    """The best model that the budget finds, or the code that the spec names, as a folder in the store.

    With ``knowledge`` what the service searches goes along, with ``chat`` how it talks.

    Raises InvalidInput (labels, values, parameters, hooks or code that cannot be used), Refused (an estimator that
    cannot be exported, or whose export differs), Transient (code that crashes or hangs), MissingExtra (tracking asked
    for, MLflow not installed).
    """
    make = finish_blind if features.blind else _searched if spec.code is None else finish_code
    finished = make(spec, name, features, catalog, progress)
    if knowledge is not None:
        known = make_knowledge(knowledge, read_passages(catalog, features), catalog)
        finished = replace(finished, content=replace(finished.content, knowledge=known.files()))
    found = replace(finished, content=replace(finished.content, items=retriever_files(catalog, features)))
    if chat is not None:
        found = replace(found, content=replace(found.content, chat=plan_of(chat, features.classes)))
    return _written(name, features, found, catalog)


def _searched(spec: ModelSpec, name: str, features: Features, catalog: Catalog, progress: Progress) -> Finished:
    racers = entrants(spec.candidates, features.task, catalog.home, texts=bool(features.texts))
    metric = metric_of(spec.metric, features.task)
    material = read_material(features, catalog, spec)
    key = digest_of(features.name, features.digest, spec.seed, environment())
    work = catalog.work_path("train", key)
    told = {"metric": metric, "seed": str(spec.seed), "protocol": material.plan.protocol}
    run = Experiment(
        experiment=name, run=str(features.ref), key=digest_of(key, spec.model_dump(mode="json")), params=told
    )
    with open_tracker(spec.tracking, catalog.state, run) as tracker, open_lanes() as lanes:
        _rehearse(racers, material, spec.seed)
        race = Race(Course(material, metric, spec.seed, Memo(work)), lanes, spec.budget.seconds)
        teller = Teller(spec, race, tracker, progress)
        trials = Search(racers, race, spec.budget, spec.seed).run(teller)
        finished = finish(spec, material, trials, lanes.pool)
        tracking = tracker.close({metric: finished.estimate.value})
    shutil.rmtree(work, ignore_errors=True)
    return finished.tracked(tracking)


def _rehearse(racers: Sequence[Entrant], material: Material, seed: int) -> None:
    """Fit and export a person's own estimators on a few rows: what cannot be served is refused before the search."""
    for racer in racers:
        if isinstance(racer.learner, Hook):
            sample = replace(material.sample, blocks=None)
            while len(sample) > 2 * _REHEARSED:
                sample = sample.take(hold_back(sample, seed)[1])
            fitted = fit(racer.learner, sample, material.signature.inputs, racer.fixed, seed=seed)
            Trained(((fitted, 1.0),), plain_link(sample.task)).to_onnx(len(material.signature.inputs), sample.classes)


def _written(name: str, features: Features, finished: Finished, catalog: Catalog) -> Model:
    files = finished.content.files()
    model = Model(
        name=name,
        digest=digest_of(digests(files)),
        learner=" + ".join(part.candidate for part in finished.content.training.blend),
        estimate=finished.estimate,
        files=digests(files),
        parents=(features.ref,),
    )
    write_folder(catalog.folder(model.ref), files)
    return model
