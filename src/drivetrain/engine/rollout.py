"""What serves, and who may change it: the verbs of a rollout, as the command line and Python call them.

Each checks who acts, has the stage ``deploy`` make the next Deployment, and enters it into the history. Trials and
replays load ONNX Runtime, so they are imported when they are called: a rollback must not wait for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from drivetrain.core.artifacts import Deployment, Release
from drivetrain.core.errors import NotFound
from drivetrain.core.events import Progress
from drivetrain.core.refs import Ref
from drivetrain.core.rollout import CanaryRule
from drivetrain.deploy import deploy as deploying
from drivetrain.deploy import rollout
from drivetrain.deploy.deploy import Change
from drivetrain.store.catalog import Catalog

if TYPE_CHECKING:
    from drivetrain.core.service import CanarySpec
    from drivetrain.deploy.replay_report import ReplayReport
    from drivetrain.engine.project import Project


@dataclass(frozen=True)
class Canary:
    """A challenger that answers a share, and what the replay before it found; None when nothing was recorded yet."""

    deployment: Deployment
    replay: ReplayReport | None


def deploy(project: Project, release: Release, target: str, reason: str) -> Deployment:
    """Let an approved release answer everything."""
    change = _change(project, reason)
    return _entered(deploying.deploy(change, release, target, project.catalog, project.actors), project.catalog)


def shadow(project: Project, release: Release, share: float, reason: str) -> Deployment:
    """Send a copy of a share of the rows to a challenger that never answers."""
    from drivetrain.deploy import trial

    change = _change(project, reason)
    return _entered(trial.shadow(change, release, share, project.catalog, project.actors), project.catalog)


def canary(project: Project, release: Release, share: float, reason: str, override: str, progress: Progress) -> Canary:
    """Let a challenger answer a share, after it was replayed over what was recorded.

    Raises Refused when the replay is outside the bounds, unless ``override`` says why that does not matter.
    """
    from drivetrain.deploy import trial
    from drivetrain.deploy.replay import REPLAYED_ROWS, check
    from drivetrain.deploy.replay import replay as replayed

    rule = rule_of(project.spec.service.canary)
    change = _change(project, "; ".join(filter(None, (reason, f"override: {override}" if override else ""))))
    found: list[ReplayReport] = []

    def gate() -> None:
        report = replayed(change.service, release, rule, project.catalog, project.actors, REPLAYED_ROWS, progress)
        found.extend([report] if report else [])
        if report is not None and not override:
            check(report)

    made = trial.canary(change, release, share, rule, project.catalog, project.actors, gate)
    return Canary(_entered(made, project.catalog), found[0] if found else None)


def promote(project: Project, reason: str) -> Deployment:
    """The challenger on trial answers everything from now on."""
    change = Change(project.service, project.signer("deploy").actor.name, reason)
    return _entered(rollout.promote(change, project.catalog, project.actors), project.catalog)


def roll_back(project: Project, to: Ref | None, reason: str) -> Deployment:
    """End the trial that runs, or go back to the champion before, or to the one of the deployment ``to``."""
    change = Change(project.service, project.signer("roll_back").actor.name, reason)
    earlier = project.get(Deployment, to) if to is not None else None
    return _entered(rollout.roll_back(change, project.catalog, project.actors, earlier), project.catalog)


def replay(project: Project, release: Release, rows: int | None, progress: Progress) -> ReplayReport | None:
    """What a challenger would have decided on the newest recorded rows; None when nothing is recorded."""
    from drivetrain.deploy.replay import REPLAYED_ROWS
    from drivetrain.deploy.replay import replay as replayed

    project.signer("replay")
    rule = rule_of(project.spec.service.canary)
    service = project.spec.service_name
    return replayed(service, release, rule, project.catalog, project.actors, rows or REPLAYED_ROWS, progress)


def page_of(project: Project, report: ReplayReport) -> str:
    """Where the page of a replay lies."""
    from drivetrain.deploy.replay import replay_folder

    return str(replay_folder(report, project.catalog) / "replay.html")


def served_at(project: Project, when: datetime) -> Deployment:
    """What served at that time. Raises NotFound when nothing did yet."""
    found = project.catalog.deployment_at(project.service, when)
    if found is None:
        raise NotFound(
            "nothing_served_then",
            f"nothing served {project.service} at {when.astimezone(UTC).isoformat(timespec='seconds')} yet",
            where=str(project.file),
            hint="`drivetrain deployments` shows what served, and from when on",
        )
    return found


def rule_of(spec: CanarySpec) -> CanaryRule:
    """The bounds of the project file as the value that travels in a Deployment."""
    return CanaryRule(**spec.model_dump())


def _change(project: Project, reason: str) -> Change:
    return Change(project.spec.service_name, project.signer("deploy").actor.name, reason)


def _entered(deployment: Deployment, catalog: Catalog) -> Deployment:
    """The deployment, entered as the newest one unless it is that already. Raises Transient when it comes too late."""
    if catalog.latest(Deployment, deployment.name) != deployment:
        catalog.follow(deployment, actor=deployment.actor)
    return deployment
