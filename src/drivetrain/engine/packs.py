"""What the packs promise, and whether they still hold it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from drivetrain.core.artifacts import Estimate, Report
from drivetrain.core.errors import NotFound, examples
from drivetrain.core.events import Subscriber
from drivetrain.core.pack import Benchmark, PackSpec
from drivetrain.core.settings import Settings
from drivetrain.core.task import Metric
from drivetrain.engine.create import create_project
from drivetrain.engine.project import FILE, Project
from drivetrain.ops.metrics import higher_is_better
from drivetrain.packs.templates import packs, read_pack


@dataclass(frozen=True)
class Pack:
    """A pack by its name."""

    name: str
    says: PackSpec


@dataclass(frozen=True)
class Promise:
    """What one project of a pack must reach, and on which data; ``variant`` is empty for ``drivetrain.yaml``."""

    pack: str
    variant: str
    data: str
    benchmark: Benchmark

    @property
    def name(self) -> str:
        """``PACK``, or ``PACK/VARIANT``."""
        return f"{self.pack}/{self.variant}" if self.variant else self.pack


@dataclass(frozen=True)
class PackScore:
    """What a pack, or a variant of one, reached when it was run, beside its floor; ``seconds`` says how long it ran."""

    pack: str
    estimate: Estimate
    floor: float
    seconds: float

    @property
    def is_reached(self) -> bool:
        """Whether it is at least as good as its floor."""
        value, higher = self.estimate.value, higher_is_better(cast(Metric, self.estimate.name))
        return value >= self.floor if higher else value <= self.floor


def list_packs() -> tuple[Pack, ...]:
    """Every pack that is installed. Raises InvalidInput for one that is not whole."""
    return tuple(Pack(name, read_pack(name)) for name in packs())


def promises(pack: Pack) -> tuple[Promise, ...]:
    """Those of a pack: its own first, then those of its variants."""
    says = pack.says
    others = (Promise(pack.name, variant.name, variant.data, variant.benchmark) for variant in says.variants)
    return Promise(pack.name, "", says.data, says.benchmark), *others


def find_promises(name: str) -> tuple[Promise, ...]:
    """All of a pack, or that of ``PACK/VARIANT``. Raises NotFound for a name that there is not."""
    pack, _, variant = name.partition("/")
    found = promises(Pack(pack, read_pack(pack)))
    chosen = tuple(promise for promise in found if promise.name == name) if variant else found
    if not chosen:
        names = examples(promise.name for promise in found)
        raise NotFound("pack_unknown", f"there is no {name!r}", hint=f"of this pack: {names}")
    return chosen


def score_pack(name: str, folder: Path, settings: Settings, subscribers: Sequence[Subscriber] = ()) -> PackScore:
    """Run the project of a pack, or ``PACK/VARIANT``, in a folder up to its report; one that is there already goes on.

    Raises NotFound for an unknown pack, and whatever a stage raises.
    """
    promise = find_promises(name)[0]
    there = (folder / FILE).exists()
    project = Project(folder, settings) if there else _created(promise, folder, settings)
    began = time.monotonic()
    run = project.run("validate", subscribers=subscribers)
    ref = run.steps[-1].ref
    assert ref is not None, "a stage that was brought up to date has a result"
    report = project.get(Report, ref)
    return PackScore(name, _reached(promise.benchmark, report), promise.benchmark.floor, time.monotonic() - began)


def _created(promise: Promise, folder: Path, settings: Settings) -> Project:
    project = create_project(folder, promise.pack, settings, name=f"{promise.name.replace('/', '-')}-score")
    if not promise.variant:
        return project
    project.catalog.close()
    (folder / FILE).write_bytes((folder / f"{promise.variant}.yaml").read_bytes())
    return Project(folder, settings)


def _reached(benchmark: Benchmark, report: Report) -> Estimate:
    """What the report says of the benchmark. Raises NotFound when it does not speak of it."""
    named = {metric.name: metric for metric in report.metrics if benchmark.gate is None}
    named |= {gate.gate: gate.measured for gate in report.gates if gate.gate == benchmark.gate and gate.measured}
    found = named.get(benchmark.gate or benchmark.metric)
    if found is None:
        raise NotFound(
            "benchmark_unmeasured",
            f"the report does not say {benchmark.gate or benchmark.metric}",
            where=str(report.ref),
            hint="`drivetrain validate` says why that gate could not run",
        )
    return replace(found, name=benchmark.metric)
