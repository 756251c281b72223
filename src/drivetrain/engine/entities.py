"""The entities of a project's service: each machine, customer or card, by what was recorded of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from drivetrain.core.entity_view import EntityView, FlagRule
from drivetrain.core.project import ProjectSpec
from drivetrain.serve.entity_lake import EntityHistory, EntityLake
from drivetrain.serve.sections import missing
from drivetrain.store.journal import roll

if TYPE_CHECKING:
    from drivetrain.engine.project import Project


def entity_view(spec: ProjectSpec) -> EntityView | None:
    """How a project sees its entities; None where it has no section ``service.entities``."""
    pages, decision = spec.service.entities, spec.model.decision
    if pages is None:
        return None
    watched = {name: outlet.alarm for name, outlet in spec.outlets.items() if outlet.alarm and not outlet.alarm.by}
    return EntityView(
        **pages.model_dump(),
        worst_low=decision is not None and decision.kind == "limit" and decision.when == "below",
        alarms={name: FlagRule(watch.flags, watch.of) for name, watch in watched.items() if watch},
    )


def list_entities(project: Project, contains: str = "") -> pa.Table:
    """The entities with this in their name, see ``EntityLake.all``. Raises as that, Forbidden, NotFound."""
    return _lake(project).all(contains)


def show_entity(project: Project, name: str, most: int) -> EntityHistory:
    """One entity with its newest predictions. Raises as ``EntityLake.one``, Forbidden, NotFound."""
    return _lake(project).one(name, most)


def _lake(project: Project) -> EntityLake:
    project.signer("read")
    view, service = entity_view(project.spec), project.spec.service_name
    if view is None:
        raise missing("service.entities", service)
    roll(project.catalog, service)
    return EntityLake(project.catalog, service, view)
