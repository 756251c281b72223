"""Sources that are tables of a lake."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, AwareDatetime, Field, model_validator

from drivetrain.core.connections import RestAuth
from drivetrain.core.contract import Contract
from drivetrain.core.credentials import SecretRef
from drivetrain.core.database import check_url
from drivetrain.core.sources.storage import Storage, check_path, check_storage
from drivetrain.core.spec import Spec


def _lake(path: str) -> str:
    scheme, mark, _ = check_path(path).partition("://")
    if mark and scheme not in ("s3", "gs", "az", "abfss"):
        raise ValueError(f"no table is read over {scheme}://; s3, gs, az, abfss are read")
    return path


class DeltaSource(Spec):
    """A Delta table: a version of it, then what later versions add; a table that was rewritten is read anew."""

    kind: Literal["delta"]
    path: Annotated[str, AfterValidator(_lake)] = Field(
        description="The table's folder: relative to the project file, or afar at `s3://`, `gs://`, `az://`, `abfss://`."
    )
    version: Annotated[int, Field(ge=0)] | None = Field(None, description="Read this one; the newest when not given.")
    storage: Storage = Storage()
    contract: Contract = Contract()

    @property
    def is_afar(self) -> bool:
        """Whether the table lies on another machine."""
        return "://" in self.path

    @model_validator(mode="after")
    def _storage_fits(self) -> Self:
        check_storage(self.path, self.storage)
        return self


class RestCatalog(Spec):
    """A catalog that speaks Iceberg's REST protocol: Polaris, Lakekeeper, Nessie, Unity, Snowflake and others."""

    kind: Literal["rest"]
    url: str = Field(description="Where the catalog is, up to the part before `/v1`.")
    warehouse: str | None = Field(None, description="The name that the catalog gives to this lake.")
    auth: RestAuth | None = None
    ca: str | None = Field(None, description="PEM file of the authority that signed the catalog's certificate.")


class SqlCatalog(Spec):
    """A catalog that is the table `iceberg_tables` of a database, as Iceberg's JDBC and SQL catalogs keep it."""

    kind: Literal["sql"]
    url: Annotated[str, AfterValidator(check_url)] = Field(
        description="`postgresql://user@host/database`, `mysql://...`, `sqlite:///lake/catalog.db`; no password."
    )
    user: SecretRef | None = Field(None, description="The user, where `url` does not name one.")
    password: SecretRef | None = None
    name: str = Field("default", description="The name of the catalog: one database may hold several.")


class IcebergSource(Spec):
    """An Iceberg table: a snapshot of it, then what later ones append; a table that was rewritten is read anew."""

    kind: Literal["iceberg"]
    path: Annotated[str, AfterValidator(_lake)] | None = Field(
        None, description="The table's folder, or one of its `metadata.json`; here, or at `s3://`, `gs://`, `abfss://`."
    )
    table: Annotated[str, Field(pattern=r"^[^.]+(\.[^.]+)+$")] | None = Field(
        None, description="`namespace.name` in the `catalog`, instead of `path`."
    )
    catalog: Annotated[RestCatalog | SqlCatalog, Field(discriminator="kind")] | None = None
    branch: str = Field("main", description="The branch or tag to read.")
    snapshot: int | None = Field(None, description="Read this snapshot instead of the newest.")
    as_of: AwareDatetime | None = Field(None, description="Read the snapshot that was current then, with its zone.")
    storage: Storage = Storage()
    contract: Contract = Contract()

    @property
    def is_afar(self) -> bool:
        """Whether the table lies on another machine, or is known to one only."""
        return self.path is None or "://" in self.path

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.path is None) == (self.table is None):
            raise ValueError("give `path`, or `table` with its `catalog`")
        if (self.table is None) != (self.catalog is None):
            raise ValueError("`table` and `catalog` belong together")
        if self.snapshot is not None and self.as_of is not None:
            raise ValueError("give `snapshot` or `as_of`, one of them")
        if self.as_of is not None and self.branch != "main":
            raise ValueError("`as_of` reads `main`; name a `snapshot` of another branch")
        if self.path is not None:
            check_storage(self.path, self.storage)
        return self
