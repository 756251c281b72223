"""What a key is good for: the kinds of question that a service answers, by their names.

A key that lies open, such as that of a page's widget, is made for one of them and opens nothing else. Which path asks
for which is said where the paths are (``serve/routes.py``), and told in the OpenAPI document.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from drivetrain.core.errors import Forbidden

Scope = Literal[
    "predict",
    "labels",
    "documents",
    "search",
    "chat",
    "recommend",
    "purchases",
    "review",
    "entities",
    "forecasts",
    "metrics",
]

SCOPES: Mapping[Scope, str] = {
    "predict": "score rows, over REST, the Open Inference Protocol and gRPC, and read what the model takes",
    "labels": "tell outcomes of predictions, and which intent a message had",
    "documents": "have documents read and scored",
    "search": "find passages",
    "chat": "talk, say whether an answer helped, and delete a conversation of one's own",
    "recommend": "get items for a customer",
    "purchases": "tell what customers bought, and have it forgotten",
    "review": "see what waits for a person, and say what was true",
    "entities": "read what was predicted of each machine or customer",
    "forecasts": "read series, forecasts and their accuracy",
    "metrics": "read metrics, and what is deployed",
}
EVERYTHING = frozenset(SCOPES)


class OutOfScope(Forbidden):
    """A caller asks for what their key is not good for."""

    def __init__(self, name: str, scope: Scope) -> None:
        super().__init__(
            "key_out_of_scope",
            f"the key of {name} is not good for {scope}: {SCOPES[scope]}",
            where=scope,
            hint=f"ask with a key that is; `drivetrain keys add NAME --only {scope}` makes one",
        )
