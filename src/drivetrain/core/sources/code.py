"""Sources that are a person's own Python."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from drivetrain.core.contract import Contract
from drivetrain.core.spec import Spec


class PythonSource(Spec):
    """Rows that Python gives: a function, or anything that can be iterated, such as a dlt resource."""

    kind: Literal["python"]
    path: str = Field(description="`sources.py:orders` (relative to the project file) or `package.module:orders`.")
    cursor: str | None = Field(
        None, description="A column that grows, such as a time or an id; `since` takes its largest value so far."
    )
    deleted: str | None = Field(None, description="A column that marks rows as gone; needs `cursor` and a `key`.")
    depth: Annotated[int, Field(ge=1, le=10)] = Field(
        3, description="How deep nested objects become columns with dotted names; what is deeper stays JSON."
    )
    contract: Contract = Contract()

    @model_validator(mode="after")
    def _deletes_need_a_key(self) -> Self:
        if self.deleted is not None and not (self.cursor and self.contract.key):
            raise ValueError("`deleted` needs `cursor` and a contract with a `key`")
        return self
