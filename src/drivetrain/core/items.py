"""Which items somebody may buy next: ``features.items``, ``gates.ranking``, ``service.recommend`` in a project file."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from drivetrain.core.spec import Share, Spec

CANDIDATES = "candidates"
"""The table that ``prepare`` makes for the SQL of such a project, beside the sources."""


class ItemsSpec(Spec):
    """Who bought what. ``prepare`` makes the table ``candidates`` of it: a row for each item that may be bought next.

    A case is a basket, looked at from just before it: nothing that was bought at its moment or later is known.
    """

    purchases: str = Field(
        description="SQL file: `customer`, `item`, `bought_at` and `price`, one row for an item of a basket. A basket "
        "is what a customer buys at one moment."
    )
    catalogue: str = Field(description="SQL file: `item`, `name`, `category` and `in_stock`, one row for an item.")
    candidates: Annotated[int, Field(ge=10, le=1000)] = Field(60, description="Items that the model ranks, a basket.")
    baskets: Annotated[int, Field(ge=2)] = Field(
        2, description="The newest baskets of a customer that are cases; the very newest is held back."
    )
    refit_days: Annotated[float, Field(gt=0)] = Field(
        84.0, description="How old the retriever of a case may be, as it will be in service until the next release."
    )
    popular_days: Annotated[float, Field(gt=0)] = Field(30.0, description="What `popular` looks back on.")
    method: Literal["auto", "ease", "als"] = Field(
        "auto", description="What is bought together is learned by EASE up to 8,000 items, and by ALS beyond."
    )

    @property
    def files(self) -> tuple[str, str]:
        """The SQL files: purchases, then the catalogue."""
        return self.purchases, self.catalogue


class RankingGate(Spec):
    """Of yes or no, where rows are choices that are put before somebody: NDCG, the mean over those who choose."""

    by: str = Field(description="The column that names who chooses: one of `features.keep`.")
    wanted: str = Field(description="The column with how many choices were right, whether or not they are rows.")
    at: Annotated[int, Field(ge=1)] = Field(10, description="How many places count.")
    min: Share
    only: str | None = Field(None, description="A column that is true for the rows that count; all without it.")
    beats: str | None = Field(
        None, description="The column that gives a naive order; the interval of the gain over it must lie above 0."
    )
    choice: str | None = Field(
        None, description="The column that names a choice: then the report tells how many of them are shown to anybody."
    )


class RecommendSpec(Spec):
    """Which of the ranked items `POST /v1/recommend` shows. A caller may exclude more, and ask for another limit.

    And how long the server remembers what it was told of customers.
    """

    in_stock: bool = Field(True, description="Only what the catalogue says is in stock.")
    most_of_category: Annotated[int, Field(ge=1)] | None = Field(
        None, description="So many items of one category at most, so that a list holds more than one kind of thing."
    )
    never: tuple[str, ...] = Field((), description="Items that are never recommended.")
    remember_days: Annotated[int, Field(ge=1)] = Field(
        730, description="How long purchases are kept that are told to `/v1/purchases`."
    )
