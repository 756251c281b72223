"""What a pack says of itself: ``pack.yaml`` in its folder."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from drivetrain.core.spec import Spec
from drivetrain.core.task import Metric


class Measured(Spec):
    """What was measured with the pack as it is, with the bounds of the 95 % interval, and how long the run took."""

    value: float
    low: float
    high: float
    seconds: Annotated[float, Field(gt=0)]
    day: date

    def __str__(self) -> str:
        return f"{self.value:.4f} [{self.low:.4f}, {self.high:.4f}]"


class Benchmark(Spec):
    """What the pack's model must reach on rows that it has never seen."""

    metric: Metric | Literal["ndcg", "recall"] = Field(
        description="`ndcg` is measured by a gate `ranking` alone, `recall` by the gate `retrieval`."
    )
    gate: str | None = Field(None, description="The gate whose measured number counts, instead of the report's metric.")
    floor: float = Field(description="`drivetrain packs score` fails below it.")
    split: str = Field(description="How the rows were held out.")
    measured: Measured


class Variant(Spec):
    """Another project of a pack, on other data, that begins with ``cp NAME.yaml drivetrain.yaml``."""

    name: Annotated[str, Field(pattern="[a-z][a-z0-9_]*")]
    data: str = Field(description="The real data that it runs on.")
    benchmark: Benchmark


class PackSpec(Spec):
    """``pack.yaml``."""

    title: str
    use_case: str
    data: str = Field(description="The real data that a new project runs on: what, how many rows, from where.")
    benchmark: Benchmark
    variants: tuple[Variant, ...] = Field((), description="Other projects of the pack, each with a floor of its own.")
