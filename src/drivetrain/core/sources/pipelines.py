"""Sources that somebody else's pipeline writes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from drivetrain.core.contract import Contract
from drivetrain.core.credentials import SecretRef
from drivetrain.core.sources.databases import SqlSource
from drivetrain.core.sources.files import FilesSource
from drivetrain.core.sources.lakes import DeltaSource, IcebergSource
from drivetrain.core.spec import Spec

_Name = Annotated[str, Field(pattern=r"^[^/?#\\<>*%&:]+$")]
_Url = Annotated[str, Field(pattern=r"^https?://[^@/?#]+$")]
PipelineValue = str | int | float | bool


class AdfSource(Spec):
    """What a pipeline of Azure Data Factory writes: the pipeline is started or waited for, then its output is read."""

    kind: Literal["adf"]
    subscription: _Name = Field(description="Id of the subscription.")
    resource_group: _Name
    factory: _Name
    pipeline: _Name
    parameters: dict[str, PipelineValue] = Field(default_factory=dict, description="Parameters of a run that we start.")
    run: Literal["start", "wait"] = Field(
        "start", description="Start a run for each load; or wait for the newest run of those that others start."
    )
    tenant: _Name = Field(description="Id or domain of the directory that knows the client.")
    client_id: str | SecretRef
    client_secret: SecretRef
    deadline_seconds: Annotated[float, Field(gt=0)] = Field(
        3_600.0, description="How long a load waits for a run; the next load goes on waiting for the same one."
    )
    poll_seconds: Annotated[float, Field(gt=0)] = Field(
        15.0, description="The longest pause between two looks at a run."
    )
    retry_seconds: Annotated[float, Field(ge=0)] = Field(
        300.0, description="How long one question is tried again, with what faults and `Retry-After` ask for."
    )
    management: _Url = Field("https://management.azure.com", description="Of another cloud of Azure.")
    login: _Url = Field("https://login.microsoftonline.com", description="Of another cloud of Azure.")
    then: Annotated[FilesSource | SqlSource | DeltaSource | IcebergSource, Field(discriminator="kind")] = Field(
        description="What it wrote: a section of `kind: files`, `sql`, `delta` or `iceberg`, without a contract."
    )
    contract: Contract = Contract()

    @model_validator(mode="before")
    @classmethod
    def _one_contract(cls, told: object) -> object:
        """The rows are those of ``then``, and so is the contract."""
        then = told.get("then") if isinstance(told, dict) else None
        if not isinstance(told, dict) or not isinstance(then, dict):
            return told
        if "contract" in then and "contract" not in told:
            raise ValueError("the `contract` stands beside `then`, not in it")
        return {**told, "then": {**then, "contract": told.get("contract", {})}}
