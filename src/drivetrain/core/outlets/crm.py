"""Outlets that are objects of a system for customers or tickets, by name."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from drivetrain.core.connections import CrmSystem, RestAuth
from drivetrain.core.outlets.outgoing import Outgoing

_OWN_FIELD = {"jira": "a label", "zendesk": "`external_id`"}
_TO_NAME = {"dynamics", "hubspot", "salesforce"}


class CrmOutlet(Outgoing):
    """An object of Dynamics 365, HubSpot, Jira, Salesforce, ServiceNow or Zendesk: made once, or brought up to date."""

    kind: Literal["crm"]
    system: CrmSystem
    object: Annotated[
        str, Field(pattern=r"^\w+$", description="As the system calls it: `tickets`, `Case`, `incident`.")
    ]
    url: Annotated[str, Field(pattern=r"^https?://[^@\s?#]+$")] = Field(
        description="Where your instance is: `https://acme.zendesk.com`."
    )
    auth: RestAuth
    fields: dict[str, str | int | float | bool] = Field(
        default_factory=dict,
        description="Field over there: a value, in which `{column}` stands for a prediction's; a dot goes into an "
        "object (`priority.name`). Without it each column is the field of its name.",
    )
    external_id: Annotated[str, Field(pattern=r"^\w+$")] | None = Field(
        None, description="The field, unique over there, by which an object is found again."
    )
    key: str | None = Field(
        None,
        description="The column with the value of that field: its object is updated. Without it each prediction is an "
        "object of its own, found again by the prediction's id.",
    )
    requests_per_second: Annotated[float, Field(gt=0)] | None = None

    @property
    def parcel_rows(self) -> int:
        """Few at a time where each row is a call or two: what was taken is written down with the parcel."""
        return 1000 if self.system in {"hubspot", "salesforce"} else 100

    @model_validator(mode="after")
    def _found_again(self) -> Self:
        if self.external_id is None and self.system in _TO_NAME:
            raise ValueError(f"{self.system} needs `external_id`: a field with unique values, made for this")
        if self.external_id is not None and self.system in _OWN_FIELD:
            raise ValueError(f"{self.system} finds objects by {_OWN_FIELD[self.system]}: leave `external_id` out")
        if (
            self.key is not None
            and self.object == "tickets"
            and any(name.startswith("comment") for name in self.fields)
        ):
            raise ValueError("a ticket that is updated would get its `comment` again whenever it is sent again")
        return self
