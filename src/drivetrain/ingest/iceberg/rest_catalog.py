"""A table as a catalog knows it that speaks Iceberg's REST protocol ("Iceberg REST Open API specification", v1)."""

from __future__ import annotations

from typing import TypeVar
from urllib.parse import quote, urlencode

import msgspec

from drivetrain.connect.place import Place
from drivetrain.connect.retrying import retrying
from drivetrain.connect.web_auth import Discreet, Signer, refusal
from drivetrain.connect.web_call import Call, Caller, Limits
from drivetrain.core.decoding import read_json
from drivetrain.core.errors import InvalidInput, NotFound
from drivetrain.core.sources.lakes import RestCatalog

T = TypeVar("T")
_LARGEST = 512 * 1024 * 1024  # metadata of a table lists all of its snapshots
_EXPIRED = 419  # the specification's own word for credentials that were good
_BETWEEN = "\x1f"
"""What stands between the parts of a namespace."""


class _Configuration(msgspec.Struct):
    defaults: dict[str, str | None] = {}
    overrides: dict[str, str | None] = {}


class _Credential(msgspec.Struct):
    config: dict[str, str | None] = {}


class _Loaded(msgspec.Struct, rename="kebab"):
    metadata: msgspec.Raw
    config: dict[str, str | None] | None = None
    storage_credentials: list[_Credential] | None = None


class RestTable:
    """A table in a catalog. Everything raises NotFound, Forbidden, InvalidInput, or Transient after ``patience`` s."""

    def __init__(self, catalog: RestCatalog, table: str, place: Place, patience: float) -> None:
        self._catalog, self._table, self._patience = catalog, table, patience
        self._known = Discreet(place.secrets)
        caller = Caller(Limits(answer_bytes=_LARGEST), place.home / catalog.ca if catalog.ca else None)
        self._signer = Signer(catalog.auth, self._known, caller)
        self._loaded: _Loaded | None = None

    def metadata(self) -> bytes:
        """The table's metadata as it is now, as JSON."""
        self._loaded = self._load()
        return bytes(self._loaded.metadata)

    def access(self) -> dict[str, str]:
        """How to reach the files: what the catalog told with the metadata; asked again, what it tells now."""
        loaded, self._loaded = self._loaded or self._load(), None
        parts = [loaded.config or {}, *(one.config for one in loaded.storage_credentials or [])]
        found = {name: value for part in parts for name, value in part.items() if value is not None}
        for name, value in found.items():
            if "secret" in name or "token" in name or "key" in name:
                self._known.hide(value)
        return found

    def _load(self) -> _Loaded:
        warehouse = self._catalog.warehouse
        query = f"?{urlencode({'warehouse': warehouse})}" if warehouse else ""
        told = self._ask(f"/v1/config{query}", _Configuration)
        prefix = told.overrides.get("prefix") or told.defaults.get("prefix")
        namespace, _, name = self._table.rpartition(".")
        parts = quote(namespace.replace(".", _BETWEEN), safe="")
        start = f"/v1/{quote(prefix, safe='/')}" if prefix else "/v1"
        return self._ask(f"{start}/namespaces/{parts}/tables/{quote(name, safe='')}", _Loaded)

    def _ask(self, path: str, kind: type[T]) -> T:
        url = self._catalog.url.rstrip("/") + path
        headers = {"Accept": "application/json", "X-Iceberg-Access-Delegation": "vended-credentials"}
        answer = retrying(lambda: self._signer.send(lambda: Call(url, headers)), self._patience)
        if answer.status == 404:
            raise NotFound(
                "iceberg_unknown",
                f"the catalog knows no table {self._table!r}: {self._known.words(answer)}",
                where=answer.place,
                hint="correct `table`, `url` and `warehouse` of the catalog",
            )
        if answer.status != 200:
            raise refusal(answer, self._known, credentials=True if answer.status == _EXPIRED else None)
        try:
            return read_json(answer.body, kind)
        except msgspec.DecodeError as error:
            hint = "correct `url`: the part before `/v1` of a catalog that speaks Iceberg's REST protocol"
            said = f"the answer is none of an Iceberg catalog: {error}"
            raise InvalidInput("iceberg_catalog_invalid", said, where=answer.place, hint=hint) from None
