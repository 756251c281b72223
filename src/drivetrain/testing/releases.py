"""Signed, approved and deployed releases of small models, as the stages leave them behind; no training needed."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import msgspec
import numpy as np

from drivetrain.access.actors import FILE, read_actors, write_actors
from drivetrain.access.api_keys import create_key
from drivetrain.access.keys import Signer, create_signer, load_signer
from drivetrain.core.artifacts import Deployment, Estimate, Model, Release, Report, TrafficShare
from drivetrain.core.digest import digest_bytes, digest_of
from drivetrain.core.errors import InvalidInput, Transient
from drivetrain.core.lineage import Code
from drivetrain.core.roles import Actor, Role
from drivetrain.core.rollout import CanaryRule
from drivetrain.ops.golden import golden_rows
from drivetrain.release.bundle import ProjectState
from drivetrain.release.release import approve, release
from drivetrain.store.catalog import Catalog, now
from drivetrain.store.folders import digests, write_folder
from drivetrain.store.golden import Golden, golden_of
from drivetrain.store.models import ModelContent, open_scorer

_AUC = Estimate("roc_auc", 0.87, 0.86, 0.88, 900)
_ROLES = {"mia": Role.ML_ENGINEER, "ada": Role.AI_ENGINEER}


class ReleaseMaker:
    """Makes releases of a project in ``home``, signed by mia, approved by ada, and deploys them as ``service``.

    The two get keys in ``home/keys`` and an entry in ``actors.yaml`` when nobody is known there. The same model gives
    the same release.
    """

    def __init__(self, home: Path, service: str = "loans", project: str = "") -> None:
        self.home, self.service, self.project = home, service, project or service
        self.mia, self.ada = self._signers()

    @property
    def actors(self) -> dict[str, Actor]:
        """Everybody in ``actors.yaml``."""
        return read_actors(self.home / FILE)

    def release(self, content: ModelContent, *, approved: bool = True, golden: Golden | None = None) -> Release:
        """A release of this model, in the catalog; with ``approved=False`` nobody but mia has signed it.

        ``golden`` is the golden batch to sign in place of the one that the model answers; a model that does not run
        gets one that says it once answered 0.5.
        """
        state = ProjectState(self.project, {"drivetrain.yaml": f"project: {self.project}\n".encode()}, Code(None, None))
        with Catalog(self.home) as catalog:
            model, report = self._enter(content, golden or _golden(content), catalog)
            made = release(state, model, report, self.mia, catalog, self.actors)
            if approved:
                made = approve(made, self.ada, "", catalog, self.actors)
            catalog.put(made)
        return made

    def deploy(
        self,
        champion: Release,
        challenger: Release | None = None,
        share: float = 0.1,
        shadows: Sequence[Release] = (),
        canary: CanaryRule | None = None,
        reason: str = "",
    ) -> Deployment:
        """The next deployment of the service: a challenger answers ``share`` of the traffic, shadows see all of it.

        It is put into the catalog as it is: no target is asked whether it can serve it.
        """
        shares = [TrafficShare(champion.ref, 1.0)]
        if challenger is not None:
            shares = [TrafficShare(champion.ref, 1.0 - share), TrafficShare(challenger.ref, share)]
        copies = tuple(TrafficShare(shadow.ref, 1.0) for shadow in shadows)
        parents = tuple(dict.fromkeys(each.release for each in (*shares, *copies)))
        with Catalog(self.home) as catalog:
            standing = catalog.latest(Deployment, self.service)
            version = standing.version + 1 if standing else 1
            made = Deployment(
                self.service, version, "local", tuple(shares), "ada", now(), parents, copies, canary, reason
            )
            catalog.follow(made, actor="ada")
        return made

    def key(self, name: str) -> str:
        """A new API key for a caller of that name."""
        with Catalog(self.home) as catalog:
            return create_key(catalog.state, name)

    def _signers(self) -> tuple[Signer, Signer]:
        keys = self.home / "keys"
        if not (self.home / FILE).exists():
            signers = [create_signer(keys, name, role) for name, role in _ROLES.items()]
            write_actors(self.home / FILE, {signer.actor.name: signer.actor for signer in signers})
        mia, ada = (load_signer(keys, self.actors[name]) for name in _ROLES)
        return mia, ada

    def _enter(self, content: ModelContent, golden: Golden, catalog: Catalog) -> tuple[Model, Report]:
        """The model and its report, in the catalog and in their folders."""
        files = content.files()
        model = Model(self.project, digest_of(digests(files)), "logistic", _AUC, digests(files), ())
        proof = msgspec.json.encode({"model": model.ref, "golden": digests(golden.files())})
        report = Report(self.project, digest_bytes(proof), "pass", (_AUC,), (), (model.ref,))
        pages = {"report.json": proof, "measurements.json": b"[]", "report.html": b"<p>", **golden.files()}
        write_folder(catalog.folder(model.ref), files)
        write_folder(catalog.folder(report.ref), pages)
        catalog.put(model)
        catalog.put(report)
        return model, report


def _golden(content: ModelContent) -> Golden:
    rows = golden_rows(content.signature, content.reference)
    try:
        with closing(open_scorer(content)) as scorer:
            return golden_of(rows, scorer.score)
    except (InvalidInput, Transient):
        return Golden(rows, np.full(len(rows), 0.5))
