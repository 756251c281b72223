"""Sources that are objects of a system for customers or tickets, by name."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from drivetrain.core.connections import CrmSystem, RestAuth
from drivetrain.core.contract import Contract
from drivetrain.core.spec import Spec


class CrmSource(Spec):
    """An object of Dynamics 365, HubSpot, Jira, Salesforce, ServiceNow or Zendesk, such as its tickets or contacts."""

    kind: Literal["crm"]
    system: CrmSystem
    object: Annotated[str, Field(pattern=r"^\w+$", description="As the system calls it: `tickets`, `Account`.")]
    url: str = Field(description="Where your instance is: `https://acme.zendesk.com`.")
    auth: RestAuth
    fields: tuple[str, ...] = Field((), description="Only these; Salesforce needs them, others give what they give.")
    incremental: bool = Field(
        True, description="Ask for what changed, where the system can; else all is read, and what is gone goes."
    )
    requests_per_second: Annotated[float, Field(gt=0)] | None = None
    deadline_seconds: Annotated[float, Field(ge=0)] = Field(
        300.0, description="How long one page may take, with all tries that faults and `Retry-After` ask for."
    )
    contract: Contract = Contract()

    @model_validator(mode="after")
    def _named_by_a_key(self) -> Self:
        if not self.contract.key:
            raise ValueError("rows of such a system change, so the contract needs a `key`, such as `key: [id]`")
        if self.system == "salesforce" and not self.fields:
            raise ValueError("Salesforce gives only the `fields` that are named")
        return self
