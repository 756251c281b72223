"""A client of a schema registry with Confluent's interface: schemas by id, asked for once."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import quote

import msgspec
import urllib3

from drivetrain.connect.retrying import retrying
from drivetrain.core.connections import SchemaRegistry
from drivetrain.core.credentials import Secrets
from drivetrain.core.decoding import read_json
from drivetrain.core.errors import Forbidden, InvalidInput, Transient

_TIMEOUT = urllib3.Timeout(connect=5, read=20)


@dataclass(frozen=True)
class Reference:
    """A schema that another one imports under ``name``."""

    name: str
    subject: str
    version: int


@dataclass(frozen=True)
class RegisteredSchema:
    """What the registry says: the schema's text (Protobuf: its descriptor in base64) and what it imports.

    ``id`` stands in the answer where the schema was asked for by its subject.
    """

    schema: str
    references: tuple[Reference, ...] = ()
    id: int = 0


@dataclass
class Registry:
    """Gives the schemas of one registry; ``deadline`` [s] is how long one that does not answer is tried."""

    spec: SchemaRegistry
    secrets: Secrets
    deadline: float
    _known: dict[str, RegisteredSchema | None] = field(default_factory=dict)
    _pool: urllib3.PoolManager = field(default_factory=lambda: urllib3.PoolManager(timeout=_TIMEOUT, retries=False))

    def by_id(self, number: int, *, serialized: bool = False) -> RegisteredSchema | None:
        """The schema of that id; None where the registry knows none. Raises Transient, Forbidden, InvalidInput."""
        return self._get(f"/schemas/ids/{number}", serialized)

    def latest(self, subject: str) -> RegisteredSchema | None:
        """The newest schema of the subject, as it is now; None where there is none. Raises as ``by_id``."""
        return retrying(lambda: self._ask(f"/subjects/{quote(subject, safe='')}/versions/latest"), self.deadline)

    def referred(self, reference: Reference, *, serialized: bool = False) -> RegisteredSchema | None:
        """The schema that is imported."""
        return self._get(f"/subjects/{quote(reference.subject, safe='')}/versions/{reference.version}", serialized)

    def _get(self, path: str, serialized: bool) -> RegisteredSchema | None:
        path += "?format=serialized" if serialized else ""
        if path not in self._known:
            self._known[path] = retrying(lambda: self._ask(path), self.deadline)
        return self._known[path]

    def _ask(self, path: str) -> RegisteredSchema | None:
        where = self.spec.url.rstrip("/") + path
        try:
            answer = self._pool.request("GET", where, headers=self._headers())
        except urllib3.exceptions.HTTPError as error:
            raise Transient(
                "registry_unreachable",
                f"the schema registry does not answer: {type(error).__name__}",
                where=where,
                hint="see whether `schema_registry.url` is right and the registry runs, then run the command again",
            ) from None
        if answer.status == 404:
            return None
        if answer.status in {401, 403}:
            raise Forbidden(
                "registry_refused",
                f"the schema registry refuses the login (HTTP {answer.status})",
                where=where,
                hint="correct `schema_registry.user` and the credential that `password` names",
            )
        if answer.status != 200:
            raise Transient("registry_failed", f"HTTP {answer.status}", where=where, hint="look at the registry's log")
        try:
            return read_json(answer.data, RegisteredSchema)
        except msgspec.DecodeError as error:
            hint = "`schema_registry.url` is the address of another service"
            raise InvalidInput("registry_invalid", f"this is no schema: {error}", where=where, hint=hint) from None

    def _headers(self) -> dict[str, str]:
        if self.spec.user is None or self.spec.password is None:
            return {}
        login = f"{self.spec.user}:{self.secrets.get(self.spec.password)}"
        return dict(urllib3.make_headers(basic_auth=login))
