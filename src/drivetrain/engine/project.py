"""A project, opened: every verb of the command line as a method. The command line and Python call the same code.

What one verb needs is imported when it is called; the project file too is parsed only when its sections are asked for:
a rollback must be live before they would be.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar

from drivetrain.access import api_keys
from drivetrain.access.actors import add_actor, read_actors, remove_actor
from drivetrain.access.keys import Signer, create_signer
from drivetrain.access.policy import Action, roles_for
from drivetrain.access.scopes import Scope
from drivetrain.access.usage import KeyUse, key_uses
from drivetrain.access.verification import VerifiedRelease, verify_release
from drivetrain.core.artifacts import Artifact, Deployment, DriftReport, Model, Release
from drivetrain.core.errors import InvalidInput, NotFound
from drivetrain.core.events import Progress, Subscriber, silent
from drivetrain.core.refs import Kind, Ref
from drivetrain.core.roles import Actor, Role
from drivetrain.core.settings import Settings
from drivetrain.deliver.options import DEFAULTS, Scored, ScoreOptions
from drivetrain.deploy.rollout import standing_of
from drivetrain.engine import rollout
from drivetrain.engine.identity import names_here, signer_for
from drivetrain.engine.project_file import read_project_file
from drivetrain.store.catalog import Catalog, Entry

if TYPE_CHECKING:
    from drivetrain.core.project import ProjectSpec
    from drivetrain.deliver.deliver import Delivered
    from drivetrain.deploy.replay_report import ReplayReport
    from drivetrain.engine.follow import Stop, Told
    from drivetrain.engine.plan import Plan
    from drivetrain.engine.rollout import Canary
    from drivetrain.engine.run import RunResult
    from drivetrain.engine.stages import StageName
    from drivetrain.engine.trace import Trace

FILE = "drivetrain.yaml"
ACTORS = "actors.yaml"
A = TypeVar("A", bound=Artifact)


class Project:
    """One ``drivetrain.yaml`` and everything that was made from it."""

    def __init__(self, path: str | Path = FILE, settings: Settings | None = None) -> None:
        self.file = _project_file(Path(path))
        self.home = self.file.parent
        self.settings = settings or Settings()
        self._said, self._where = read_project_file(self.file), str(path)

    @cached_property
    def spec(self) -> ProjectSpec:
        """What the project file says. Raises InvalidInput with every mistake."""
        from drivetrain.core.parse import parse_project

        return parse_project(self._said, where=self._where)

    def parsed(self) -> Project:
        """The same project, with its file read. Raises InvalidInput with every mistake in it."""
        _ = self.spec
        return self

    @property
    def service(self) -> str:
        """The service that was deployed here; where none or several were, the one that the project file names."""
        deployed = self.catalog.names(Kind.DEPLOYMENT)
        return deployed[0] if len(deployed) == 1 else self.spec.service_name

    @cached_property
    def catalog(self) -> Catalog:
        """Where the artefacts of this project are."""
        return Catalog(self.home)

    @property
    def actors(self) -> Mapping[str, Actor]:
        """Who may sign and approve: the names, roles and public keys in ``actors.yaml``."""
        return read_actors(self.home / ACTORS) if (self.home / ACTORS).exists() else {}

    @property
    def keys(self) -> Path:
        """The folder of this machine's private keys."""
        return self.settings.keys or self.home / ".drivetrain" / "keys"

    # --- the stages ---------------------------------------------------------------------------------------------

    def plan(self) -> Plan:
        """What is stale, and why. Reads no data."""
        from drivetrain.engine.plan import make_plan
        from drivetrain.engine.stages import open_context, stages

        return make_plan(stages(self.spec), open_context(self.spec, self.catalog, self.settings))

    def run(
        self,
        until: StageName = "release",
        *,
        source: str = "",
        force: bool = False,
        override: str = "",
        accept_schema: bool = False,
        replay: bool = False,
        subscribers: Sequence[Subscriber] = (),
    ) -> RunResult:
        """Bring every stage up to ``until`` up to date; what did not change is skipped.

        ``source`` limits ingest to one source; ``force`` runs ``until`` itself even when nothing changed; ``override``
        is the reason for releasing in spite of failed gates; ``accept_schema`` lets a source's new schema in;
        ``replay`` takes in the quarantined rows that pass the contract now, when ingest runs.
        Raises what the stages raise; Forbidden when the actor may not run one of them.
        """
        from drivetrain.engine.run import run_stages
        from drivetrain.engine.stages import Options, open_context, stages_until

        signer = self.signer("override" if override else until)
        wishes = Options(signer, override, accept_schema, replay)
        context = open_context(self.spec, self.catalog, self.settings, wishes)
        chosen = stages_until(self.spec, until, source)
        return run_stages(chosen, context, subscribers, force=until if force else "")

    def follow(
        self, source: str, *, every: float = 5.0, accept_schema: bool = False, stopped: Stop, tell: Told
    ) -> None:
        """Load a source again and again until ``stopped`` is set; ``tell`` hears of every load: ``engine.follow``."""
        from drivetrain.engine.follow import follow

        follow(self, source, every, accept_schema=accept_schema, stopped=stopped, tell=tell)

    # --- the release --------------------------------------------------------------------------------------------

    def approve(self, release: Ref | None = None, comment: str = "") -> Release:
        """Sign a release (the newest by default) as the other engineer."""
        from drivetrain.release.release import approve

        signer = self.signer("approve")
        approved = approve(self.release(release), signer, comment, self.catalog, self.actors)
        self.catalog.put(approved, actor=signer.actor.name)
        return approved

    def verify(self, what: Ref | Path | None = None, *, need_approval: bool = True) -> VerifiedRelease:
        """Check every byte of a release (a ref or a folder; the newest by default) against its signatures. Offline."""
        if isinstance(what, Path):
            return verify_release(what, self.actors, need_approval=need_approval)
        ref = self.release(what).ref
        return verify_release(self.catalog.folder(ref), self.actors, need_approval=need_approval, expected=ref)

    def release(self, ref: Ref | None = None) -> Release:
        """A release, the newest by default. Raises NotFound."""
        if ref is not None:
            return self.get(Release, ref)
        newest = self.catalog.latest(Release, self.spec.project)
        if newest is None:
            raise NotFound(
                "no_release", "there is no release yet", where=str(self.file), hint="`drivetrain run` makes one"
            )
        return newest

    # --- the service --------------------------------------------------------------------------------------------

    def deploy(self, release: Ref | None = None, target: str = "local", reason: str = "") -> Deployment:
        """Let an approved release (the newest by default) answer everything; a trial that runs ends."""
        return rollout.deploy(self, self.release(release), target, reason)

    def shadow(self, release: Ref | None = None, share: float = 1.0, reason: str = "") -> Deployment:
        """Send a copy of a share of the rows (0 < share <= 1) to a release that never answers."""
        return rollout.shadow(self, self.release(release), share, reason)

    def canary(
        self,
        release: Ref | None = None,
        share: float = 0.1,
        reason: str = "",
        *,
        override: str = "",
        progress: Progress = silent,
    ) -> Canary:
        """Let a release answer a share (0 < share < 1) under the bounds of ``service.canary``, after a replay.

        Raises Refused when the replay is out of these bounds; ``override`` says why that does not matter.
        """
        return rollout.canary(self, self.release(release), share, reason, override, progress)

    def promote(self, reason: str = "") -> Deployment:
        """Let the challenger on trial answer everything."""
        return rollout.promote(self, reason)

    def roll_back(self, to: Ref | None = None, reason: str = "") -> Deployment:
        """End the trial that runs, or go back to the champion before; with ``to``, to that deployment's."""
        return rollout.roll_back(self, to, reason)

    def replay(
        self, release: Ref | None = None, rows: int | None = None, progress: Progress = silent
    ) -> ReplayReport | None:
        """What a release would have decided on the newest recorded requests; None when there are none."""
        return rollout.replay(self, self.release(release), rows, progress)

    def deployment(self) -> Deployment:
        """What serves now. Raises NotFound."""
        return standing_of(self.spec.service_name, self.catalog)

    def deployments(self) -> tuple[Deployment, ...]:
        """What ever served, oldest first."""
        return self.catalog.deployments(self.service)

    def deployment_at(self, when: datetime) -> Deployment:
        """What served at that time (with its time zone). Raises NotFound when nothing did yet."""
        return rollout.served_at(self, when)

    def serve(
        self,
        host: str | None = None,
        port: int | None = None,
        *,
        workers: int | None = None,
        others: Sequence[Project] = (),
    ) -> NoReturn:
        """Become the prediction server of what is deployed here, and in ``others``, until it is told to stop.

        Alone it raises what ``verify`` raises; with ``others`` the server quarantines what it cannot serve.
        """
        for project in (self, *others):
            project.signer("serve")
        for ref in self.deployment().releases if not others else ():
            self.verify(ref)
        command = self.server_command(host=host, port=port, workers=workers, others=others)
        os.execv(command[0], command)  # noqa: S606 - our own interpreter and module, no shell

    def server_command(
        self,
        *,
        host: str | None = None,
        port: int | None = None,
        workers: int | None = None,
        others: Sequence[Project] = (),
    ) -> list[str]:
        """The command line of the prediction server, for whoever starts processes here."""
        from drivetrain.engine.serving import server_command, server_settings

        services = [(project.home, project.spec) for project in (self, *others)]
        return server_command(server_settings(services, host=host, port=port, workers=workers))

    def score(
        self,
        source: str,
        release: Ref | None = None,
        to: Path | None = None,
        options: ScoreOptions = DEFAULTS,
        progress: Progress = silent,
    ) -> Scored:
        """Score files or a table offline with a release (by default the one that serves); see ``deliver.score``.

        The same call goes on where the last one stopped. ``to`` is by default a table of the lake.
        """
        from drivetrain.deliver.score import score

        self.signer("score")
        verified = self.verify(release or self.deployment().champion)
        return score(source, verified, to, options, self.catalog, progress)

    def deliver(self, *outlets: str, subscribers: Sequence[Subscriber] = ()) -> tuple[Delivered, ...]:
        """Send new predictions through these outlets of the project file, or all of them: ``engine.outlets``."""
        from drivetrain.engine.outlets import deliver

        return deliver(self, outlets, subscribers)

    def monitor(self, progress: Progress = silent) -> DriftReport:
        """Compare what the service answers with what its release was made from."""
        from drivetrain.monitor.monitor import monitor

        signer = self.signer("monitor")
        deployment = self.deployment()
        release = self.get(Release, deployment.shares[0].release)
        model = self.get(Model, self._ancestor(release.ref, Kind.MODEL))
        service = self.spec.service_name
        report = monitor(self.spec.monitor, service, deployment, release, model, self.catalog, progress)
        self.catalog.put(report, actor=signer.actor.name)
        return report

    # --- looking ------------------------------------------------------------------------------------------------

    def list(self, kind: Kind | None = None) -> tuple[Entry, ...]:
        """What is in the catalog, oldest first."""
        return self.catalog.list(kind)

    def get(self, cls: type[A], ref: Ref) -> A:
        """An artefact of a known kind. Raises NotFound."""
        if ref.kind is not cls.kind:
            raise InvalidInput("ref_of_other_kind", f"{ref} is a {ref.kind}, not a {cls.kind}")
        return self.catalog.get(cls, ref)

    def trace(self, what: str) -> Trace:
        """From a prediction id, or the ref of an artefact, back to data, code, signer and approver."""
        from drivetrain.engine.trace import trace_artifact, trace_prediction

        if "/" in what:
            return trace_artifact(Ref.parse(what), self.catalog, self.actors)
        return trace_prediction(what, self.catalog, self.actors)

    # --- access -------------------------------------------------------------------------------------------------

    def signer(self, action: Action) -> Signer:
        """Who acts: the actor that was named, or the only identity of this machine whose role may do it.

        Raises Forbidden when the role may not, NotFound when no key fits, InvalidInput when several do.
        """
        return signer_for(action, self.actors, self.keys, self.settings.actor)

    def local_names(self) -> tuple[str, ...]:
        """Whose private keys are on this machine."""
        return names_here(self.keys)

    def add_actor(self, name: str, role: Role, public_key: str | None = None) -> Actor:
        """Enter an actor: with the public key of somebody elsewhere, or with a key pair made here.

        Until somebody is known whose role may manage actors, anybody may; after that, only they may.
        """
        if any(actor.role in roles_for("manage_actors") for actor in self.actors.values()):
            self.signer("manage_actors")
        actor = Actor(name, role, public_key) if public_key else create_signer(self.keys, name, role).actor
        add_actor(self.home / ACTORS, actor)
        return actor

    def remove_actor(self, name: str) -> tuple[Ref, ...]:
        """Trust an actor no longer, from now on. Gives the releases that they signed or approved.

        Those no longer verify until another person signs or approves them, which leaves their digest as it is. Raises
        NotFound, Forbidden, and Refused for the last one who may manage actors.
        """
        self.signer("manage_actors")
        remove_actor(self.home / ACTORS, name)
        releases = (self.get(Release, entry.ref) for entry in self.list(Kind.RELEASE))
        return tuple(made.ref for made in releases if name in made.endorsers)

    def add_key(
        self, name: str, *, requests_per_second: float | None = None, rows_per_day: int | None = None,
        only: Sequence[Scope] = (),
    ) -> str:  # fmt: skip
        """Make an API key for a caller, good for ``only`` or for everything; it is shown this once. See limit_key."""
        self.signer("manage_keys")
        return api_keys.create_key(
            self.catalog.state, name, requests_per_second=requests_per_second, rows_per_day=rows_per_day, only=only
        )

    def limit_key(
        self, name: str, *, requests_per_second: float | None = None, rows_per_day: int | None = None
    ) -> None:
        """Give a caller's API key other limits, also while the service runs. Those not given are the service's."""
        self.signer("manage_keys")
        api_keys.set_limits(
            self.catalog.state, name, requests_per_second=requests_per_second, rows_per_day=rows_per_day
        )

    def key_names(self) -> tuple[str, ...]:
        """Who holds an API key."""
        return tuple(key.name for key in api_keys.list_keys(self.catalog.state))

    def key_uses(self) -> tuple[KeyUse, ...]:
        """Who holds an API key, the limits that it has in this project's service, and what was used of them today."""
        service = self.spec.service
        return key_uses(self.catalog.state, api_keys.Limits(service.requests_per_second, service.rows_per_day))

    def revoke_key(self, name: str) -> None:
        """Take a caller's API key back."""
        self.signer("manage_keys")
        api_keys.revoke_key(self.catalog.state, name)

    def _ancestor(self, ref: Ref, kind: Kind) -> Ref:
        return next(parent for parent in self.catalog.ancestors(ref) if parent.kind is kind)

    def as_actor(self, name: str) -> Project:
        """The same project, with another actor."""
        return Project(self.file, replace(self.settings, actor=name))

    def __repr__(self) -> str:
        return f"<drivetrain.Project {self.spec.project} in {self.home}>"

    def _repr_html_(self) -> str:
        from drivetrain.engine.plan import steps_table

        return steps_table(f"Project {self.spec.project}", self.plan().steps)


def _project_file(path: Path) -> Path:
    return (path / FILE if path.is_dir() else path).absolute()
