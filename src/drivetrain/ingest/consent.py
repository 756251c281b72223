"""Changes of a source: which of them the contract lets in, and which wait until somebody agrees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from drivetrain.core.artifacts import Review, ReviewVerdict
from drivetrain.core.changes import ChangeKind, SourceChange
from drivetrain.core.contract import Contract
from drivetrain.core.digest import digest_of
from drivetrain.core.errors import Refused
from drivetrain.core.loads import SourceAlarm
from drivetrain.core.refs import Ref
from drivetrain.ingest.readership import readership
from drivetrain.store.catalog import Catalog

NO_VERDICTS: Mapping[str, ReviewVerdict] = MappingProxyType({})


class ChangeRefused(Refused):
    """A source changed, and somebody has to agree: ``review`` is what there is to decide, ``said`` how it is told."""

    def __init__(self, review: Review, said: Refused) -> None:
        super().__init__(said.code, said.message, where=said.where, hint=said.hint)
        self.review = review


@dataclass(frozen=True)
class Consent:
    """What was decided before the load: everything (agreed to by who loads), and reviews, by their digests."""

    everything: bool
    verdicts: Mapping[str, ReviewVerdict]


@dataclass(frozen=True)
class Owner:
    """Whose source changed: its name, the digest and label of its dataset (both empty before the first load)."""

    name: str
    digest: str
    dataset: Ref | None


def policy(kind: ChangeKind, contract: Contract) -> str:
    """What the contract says of a kind of change."""
    rules = contract.changes
    return contract.rows.history if kind == "volume" else str(getattr(rules, kind))


def agree(
    changes: Sequence[SourceChange], contract: Contract, consent: Consent, owner: Owner, catalog: Catalog
) -> tuple[str, ...]:
    """The reviews by which these changes come in, none where the contract or who loads lets them in.

    Raises ChangeRefused when somebody has to agree first.
    """
    waiting = tuple(change for change in changes if policy(change.kind, contract) == "refuse")
    if not waiting:
        return ()
    digest = digest_of(owner.name, owner.digest, [change.facts for change in waiting])
    verdict = consent.verdicts.get(digest)
    if verdict == "accept":
        return (str(_review(digest, waiting, owner, ()).ref),)
    if consent.everything and contract.changes.review == "optional" and verdict is None:
        return ()
    gone = tuple(change.column for change in waiting if change.column and change.kind != "new")
    readers = readership(catalog, owner.name, gone)
    raise _refusal(_review(digest, waiting, owner, readers), contract)


def told(changes: Sequence[SourceChange], contract: Contract) -> tuple[SourceAlarm, ...]:
    """The alarms of changes that the contract lets in and wants told."""
    return tuple(_alarm(change) for change in changes if policy(change.kind, contract) == "alarm")


def _alarm(change: SourceChange) -> SourceAlarm:
    match change.kind:
        case "volume":
            return SourceAlarm("volume", change.note)
        case "category" | "unit":
            return SourceAlarm(change.kind, f"{str(change)[2:]} ({change.note})")
        case _:
            return SourceAlarm("schema", f"the source changed: {change}")


def _measured(change: SourceChange) -> str:
    """What was measured, where the change says little without it."""
    return f" ({change.note})" if change.kind in ("category", "unit") else ""


def _review(digest: str, changes: tuple[SourceChange, ...], owner: Owner, readers: tuple[str, ...]) -> Review:
    parents = (owner.dataset,) if owner.dataset else ()
    return Review(owner.name, digest, owner.digest, changes, readers, parents)


def _refusal(review: Review, contract: Contract) -> ChangeRefused:
    lines = [f"  {change}{_measured(change)}" for change in review.changes]
    lines += ["read by:", *(f"  {reader}" for reader in review.readers)] if review.readers else []
    ways = [f"another person agrees with `drivetrain contracts accept {review.name}`"]
    if contract.changes.review == "optional":
        ways.append(f"you do with `drivetrain ingest {review.name} --accept-schema`")
    where, hint = f"source {review.name}", f"correct the source or the contract; or {', or '.join(ways)}"
    if all(change.kind == "volume" for change in review.changes):
        return ChangeRefused(review, Refused("volume_unusual", "\n".join(lines)[4:], where=where, hint=hint))
    if all(change.is_of_values for change in review.changes):
        message = "\n".join(["the values of the source are not what they were", *lines])
        return ChangeRefused(review, Refused("values_changed", message, where=where, hint=hint))
    message = "\n".join(["the columns of the source are not what they were", *lines])
    return ChangeRefused(review, Refused("schema_changed", message, where=where, hint=hint))
