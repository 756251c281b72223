"""A model that nobody trains: a person's own code, which scores the rows as it will when it serves."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from contextlib import closing
from importlib.metadata import packages_distributions

from drivetrain.core.artifacts import Estimate, Features
from drivetrain.core.digest import canonical_json, digest_of
from drivetrain.core.events import Progress
from drivetrain.core.model import BlendPart, CandidateScore, TrainingSummary
from drivetrain.core.project import ModelSpec
from drivetrain.core.task import metric_of
from drivetrain.ops.saying import Saying
from drivetrain.store.catalog import Catalog
from drivetrain.store.code_models import CodeEntry, CodeScorer, ModelCode
from drivetrain.store.folders import digests
from drivetrain.store.models import ModelContent
from drivetrain.store.tracking import Experiment, open_tracker
from drivetrain.train.code_files import read_code
from drivetrain.train.decision import decision_of
from drivetrain.train.environment import environment
from drivetrain.train.estimates import estimate
from drivetrain.train.finish import EXPECTED_ROWS, Finished, interval_of, reference_of
from drivetrain.train.material import Material, read_material

NAME = "code"


def finish_code(spec: ModelSpec, name: str, features: Features, catalog: Catalog, progress: Progress) -> Finished:
    """The model of ``spec.code``: nothing is searched or calibrated, the code scores the training part as it is.

    Raises NotFound or InvalidInput when the code cannot be used, Transient when it crashes or hangs.
    """
    code = _code_of(spec, catalog)
    material = read_material(features, catalog, spec)
    key = digest_of(features.digest, spec.model_dump(mode="json"), digests(code.files))
    run = Experiment(experiment=name, run=str(features.ref), key=key, params={"code": code.entry.function})
    with open_tracker(spec.tracking, catalog.state, run) as tracker:
        progress(0, 1, f"{code.entry.function} scores {len(material.sample):,} rows")
        with closing(CodeScorer(code, material.signature, processes=1)) as scorer:
            scores = scorer.score(material.sample.x)[None, :]
            expected = scorer.score(material.test[:EXPECTED_ROWS])
        found = estimate(metric_of(spec.metric, features.task), material.sample.y, scores, spec.seed)
        tracking = tracker.close({found.name: found.value})
        progress(1, 1, f"{found.name} {found.value:.4f}")
    rule = decision_of(spec.decision, material.sample, scores, material.signature.names)
    interval = interval_of(material.sample, scores, None, spec.coverage)
    saying = Saying(material.signature, rule, interval, material.rules)
    content = ModelContent(
        graph=b"",
        expected=expected,
        signature=material.signature,
        reference=reference_of(material, saying.say(scores[0], material.sample.x)),
        decision=rule,
        training=_summary(spec, code, material, found),
        environment=environment(_libraries(code.files)),
        code=code,
        interval=interval,
        rules=material.rules,
    )
    return Finished(content, found).tracked(tracking)


def _code_of(spec: ModelSpec, catalog: Catalog) -> ModelCode:
    assert spec.code is not None
    limits = spec.limits
    entry = CodeEntry(spec.code, limits.processes, limits.seconds, limits.memory_mb)
    return ModelCode(entry, read_code(spec, catalog.home))


def _summary(spec: ModelSpec, code: ModelCode, material: Material, found: Estimate) -> TrainingSummary:
    size = sum(len(content) for content in code.files.values())
    return TrainingSummary(
        metric=metric_of(spec.metric, material.sample.task),
        seed=spec.seed,
        protocol=f"the code's answers for {len(material.sample):,} training rows; nothing was fitted to them here",
        candidates=(CandidateScore(NAME, found, canonical_json({"code": code.entry.function}).decode(), 1, False),),
        blend=(BlendPart(NAME, 1.0),),
        why=f"{code.entry.function} was taken as it is ({len(code.files)} files, {size / 1024:,.1f} KiB). "
        "It is Python code, so it runs in processes of its own",
        calibration="none: the code's answers are taken as they are",
    )


def _libraries(files: Mapping[str, bytes]) -> set[str]:
    """What has to be installed for the modules that the code imports; its own and Python's need nothing."""
    known = packages_distributions()
    modules = {module for name, text in files.items() if name.endswith(".py") for module in _imported(text)}
    return {distribution for module in modules for distribution in known.get(module, ())}


def _imported(text: bytes) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]
