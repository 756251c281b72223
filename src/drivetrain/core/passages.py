"""What a service knows, as data: the questions with their answers that travel inside a Model."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Passage:
    """A question with its answer, and where it stands. ``language`` is a code such as ``en``; empty: it is not told."""

    id: str
    question: str
    answer: str
    title: str = ""
    url: str = ""
    language: str = ""


@dataclass(frozen=True)
class Citation:
    """What a passage must have in common with a question to be cited, from 0 to 1, and how many are cited at most."""

    score: float
    most: int
