"""Looking at the sources of a project: what they are, whether they answer, what is in them, what was loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from drivetrain.access.secrets import KnownSecrets
from drivetrain.core.artifacts import Dataset
from drivetrain.core.errors import NotFound, examples
from drivetrain.core.loads import SourceAlarm
from drivetrain.core.refs import Kind
from drivetrain.core.sources import SourceSpec

if TYPE_CHECKING:
    from drivetrain.engine.project import Project
    from drivetrain.ingest.profile import Profile
    from drivetrain.ingest.proposal import Proposal
    from drivetrain.ingest.sampling import Answer, Sample

_NAME_A_PLACE = ("path", "table")  # where there are several ways to say it, none is required
_HOLD_NO_PLACE = ("kind", "auth", "contract")


@dataclass(frozen=True)
class SourceState:
    """A source and its newest load: when (UTC), rows, quarantined rows; None where nothing was loaded yet.

    ``freshness`` says whether the newest value is within the contract's ``freshness``; none: the contract asks none.
    ``due`` is when new rows are expected at the latest (UTC; None: nothing lets expect them), ``alarms`` are those of
    the newest load and of what did not come since.
    """

    name: str
    kind: str
    where: str
    loaded_at: str | None
    rows: int | None
    quarantined: int | None
    freshness: Literal["fresh", "stale", "none"]
    due: str | None = None
    alarms: tuple[SourceAlarm, ...] = ()


@dataclass(frozen=True)
class ProfiledSource:
    """A profile, and the page that shows it."""

    profile: Profile
    page: Path


def list_sources(project: Project) -> tuple[SourceState, ...]:
    """Every source of the project file, in its order. Asks no source."""
    return tuple(_state(project, name, spec) for name, spec in project.spec.sources.items())


def check_sources(project: Project, names: Sequence[str]) -> tuple[SourceState, ...]:
    """The state of these sources, or of all when none is named. Raises NotFound for one that is not declared."""
    return tuple(_state(project, name, _spec(project, name)) for name in names or project.spec.sources)


def test_source(project: Project, name: str) -> Answer:
    """Connect to a source and say what is there. Raises NotFound, Transient, and what its reader raises."""
    from drivetrain.ingest.sampling import ask

    project.signer("ingest")
    return ask(_spec(project, name), name, project.catalog, _secrets(project))


def sample_source(project: Project, name: str, rows: int) -> Sample:
    """The first rows of a source, judged by its contract; loads nothing. Raises what reading raises."""
    from drivetrain.ingest.sampling import sample

    project.signer("ingest")
    return sample(_spec(project, name), name, project.catalog, _secrets(project), rows)


def propose_contract(project: Project, name: str, rows: int) -> Proposal:
    """A contract that fits the first rows of a source; loads nothing. Raises what reading raises."""
    from drivetrain.ingest.proposal import propose

    project.signer("ingest")
    return propose(_spec(project, name), name, project.catalog, _secrets(project), rows)


def profile_source(project: Project, name: str) -> ProfiledSource:
    """What the newest version of a source's dataset holds, and its page. Raises NotFound before the first load."""
    from drivetrain.ingest.profile import profile
    from drivetrain.ingest.profile_page import profile_page
    from drivetrain.store.folders import write_file

    project.signer("read")
    _spec(project, name)
    found = profile(name, project.catalog)
    page = project.catalog.state / "profiles" / name / f"{found.dataset.partition('@')[2]}.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    write_file(page, profile_page(found))
    return ProfiledSource(found, page)


def _spec(project: Project, name: str) -> SourceSpec:
    if name not in project.spec.sources:
        known = f"sources: {examples(project.spec.sources, 20)}"
        raise NotFound("source_unknown", f"there is no source {name!r}", where="drivetrain.yaml", hint=known)
    return project.spec.sources[name]


def _secrets(project: Project) -> KnownSecrets:
    return KnownSecrets(project.settings.environment, project.home)


def _state(project: Project, name: str, spec: SourceSpec) -> SourceState:
    where = _where(spec)
    entries, waiting = project.catalog.list(Kind.DATASET, name), _waiting(project, name)
    if not entries:
        return SourceState(name, spec.kind, where, None, None, None, "none", alarms=waiting)
    newest = project.catalog.get(Dataset, entries[-1].ref)
    freshness = _freshness(project, newest, spec)
    due, missing = _pace(project, name, spec)
    return SourceState(
        name, spec.kind, where, entries[-1].made_at, newest.rows, newest.quarantined, freshness, due,
        (*newest.load.alarms, *missing, *_stale(freshness, spec), *waiting),
    )  # fmt: skip


def _waiting(project: Project, name: str) -> tuple[SourceAlarm, ...]:
    from drivetrain.engine.reviews import list_reviews

    found = [one.review for one in list_reviews(project, name) if one.state == "waiting"]
    return tuple(
        SourceAlarm(
            "review", f"changed, and waits for `drivetrain contracts accept`: {'; '.join(map(str, one.changes))}"
        )
        for one in found
    )


def _pace(project: Project, name: str, spec: SourceSpec) -> tuple[str | None, tuple[SourceAlarm, ...]]:
    """Until when new rows are expected, and the alarm when that is over."""
    from drivetrain.ingest.expectation import due_at, overdue, past_loads

    past, pace = past_loads(project.catalog, name), spec.contract.pace
    until = due_at(pace, past)
    return until.isoformat(timespec="seconds") if until else None, overdue(pace, past, datetime.now(UTC))


def _stale(freshness: str, spec: SourceSpec) -> tuple[SourceAlarm, ...]:
    rule = spec.contract.freshness
    if rule is None or freshness != "stale":
        return ()
    return (SourceAlarm("stale", f"the newest {rule.column} is older than {rule.max_age_hours:g} hours"),)


def _where(spec: SourceSpec) -> str:
    """What the section says must be known to find the source, such as a path or a broker and its topics."""
    fields = type(spec).model_fields.items()
    needed = [name for name, field in fields if field.is_required() or name in _NAME_A_PLACE]
    values = (getattr(spec, name) for name in needed if name not in _HOLD_NO_PLACE and getattr(spec, name) is not None)
    return " ".join(value if isinstance(value, str) else examples(value) for value in values)


def _freshness(project: Project, dataset: Dataset, spec: SourceSpec) -> Literal["fresh", "stale", "none"]:
    rule = spec.contract.freshness
    if rule is None:
        return "none"
    from drivetrain.ingest.profile import newest_value

    moment = newest_value(dataset, rule.column, project.catalog)
    oldest = datetime.now(UTC) - timedelta(hours=rule.max_age_hours)
    return "fresh" if moment is not None and moment >= oldest else "stale"
