"""Forecasts of a hierarchy that add up: what is said of a category is the sum of what is said of its items.

Nodes are rows, in the order of ``Hierarchy.names``: upper ones first, then the bottom series. Forecasts are float64
[nodes, h]. All ways here are linear in the forecasts and leave forecasts that add up as they are, up to rounding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from drivetrain.core.errors import InvalidInput
from drivetrain.ops.metrics import Numbers


@dataclass(frozen=True)
class Hierarchy:
    """Names of all nodes, and which bottom series each upper node adds up: ``upper`` is 0 or 1, [u, b]."""

    names: tuple[str, ...]
    upper: Numbers

    @property
    def bottom(self) -> int:
        """How many bottom series there are."""
        return int(self.upper.shape[1])

    def add_up(self, bottom: Numbers) -> Numbers:
        """Values of the bottom series [b, h] as values of all nodes [u + b, h]. The sums are these, to the last bit."""
        return np.vstack([self.upper @ bottom, bottom])


def hierarchy(bottom: Sequence[str], levels: Mapping[str, Sequence[str]]) -> Hierarchy:
    """Nodes ``level/group`` for every group of every level, where a level says for each bottom series its group.

    A level that holds one group for all is the total. Levels may cross (country and category). Raises InvalidInput
    when a level does not speak of every bottom series, or names repeat.
    """
    names: list[str] = []
    rows: list[Numbers] = []
    for level, groups in levels.items():
        if len(groups) != len(bottom):
            raise InvalidInput("level_incomplete", f"level {level!r} names {len(groups)} of {len(bottom)} series")
        for group in sorted(set(groups)):
            names.append(f"{level}/{group}")
            rows.append(np.array([one == group for one in groups], dtype=np.float64))
    every = (*names, *bottom)
    if len(set(every)) < len(every):
        raise InvalidInput("node_twice", "two nodes of the hierarchy have one name", hint="rename a group or a series")
    return Hierarchy(every, np.array(rows).reshape(len(rows), len(bottom)))


def bottom_up(tree: Hierarchy, forecasts: Numbers) -> Numbers:
    """Only what is said of the bottom series counts: [u + b, h] -> the same shape, adding up."""
    return tree.add_up(forecasts[-tree.bottom :])


def shares(sums: Numbers) -> Numbers:
    """What share each part has in its whole, [w, p] -> the same shape: top-down proportions (Gross & Sohl 1990).

    ``sums`` is what the parts of each whole came to before. A whole that came to nothing has the shares of all.
    """
    wholes, together = sums.sum(axis=1, keepdims=True), sums.sum(axis=0)
    usual = together / together.sum() if together.sum() > 0 else np.full(sums.shape[1], 1.0 / sums.shape[1])
    return np.where(wholes > 0, sums / np.where(wholes > 0, wholes, 1.0), usual)


def least_squares(tree: Hierarchy, forecasts: Numbers) -> Numbers:
    """The forecasts that add up and lie nearest to those given (Hyndman, Ahmed, Athanasopoulos & Shang 2011)."""
    return _projected(tree, forecasts, np.eye(len(tree.names)))


def minimum_trace(tree: Hierarchy, forecasts: Numbers, residuals: Numbers) -> Numbers:
    """The forecasts that add up and have the least variance, given what one step's errors [nodes, t] were so far.

    MinT (Wickramasuriya, Athanasopoulos & Hyndman 2019) with the covariance of ``shrunk_covariance``.
    """
    return _projected(tree, forecasts, shrunk_covariance(residuals))


def shrunk_covariance(residuals: Numbers) -> Numbers:
    """The covariance [n, n] of errors [n, t] around zero, its correlations shrunk as much as they are chance.

    The share is that of Schäfer & Strimmer 2005, section 2.4. A series without any error gets the least variance of
    the others, so that the covariance can be inverted. Raises InvalidInput with fewer than two steps.
    """
    steps = residuals.shape[1]
    if steps < 2:
        raise InvalidInput("history_short", "a covariance needs the errors of at least two steps")
    variance = np.square(residuals).mean(axis=1)
    known = variance > 0
    unit = residuals / np.sqrt(np.where(known, variance, 1.0))[:, None]
    correlation = unit @ unit.T / steps
    chance = (np.square(unit) @ np.square(unit).T - steps * np.square(correlation)) / (steps * (steps - 1))
    apart = ~np.eye(len(residuals), dtype=np.bool_)
    signal = np.square(correlation[apart]).sum()
    share = min(1.0, max(0.0, float(chance[apart].sum() / signal))) if signal > 0 else 1.0
    shrunk = np.where(apart, (1.0 - share) * correlation, 1.0)
    spread = np.sqrt(np.where(known, variance, variance[known].min() if known.any() else 1.0))
    return np.asarray(shrunk * spread * spread[:, None])


def not_negative(tree: Hierarchy, forecasts: Numbers) -> Numbers:
    """The same with negative bottom values as 0, added up again: demand is never negative."""
    return tree.add_up(np.maximum(forecasts[-tree.bottom :], 0.0))


def _projected(tree: Hierarchy, forecasts: Numbers, covariance: Numbers) -> Numbers:
    """``y - W C' (C W C')^-1 C y`` with C = [I, -upper], which is zero on forecasts that add up.

    The same as the usual ``S (S' W^-1 S)^-1 S' W^-1 y`` (Wickramasuriya et al. 2019, theorem 1), but it inverts a
    matrix of the upper nodes alone.
    """
    gap = np.hstack([np.eye(len(tree.upper)), -tree.upper])
    pulled = covariance @ gap.T
    corrected = forecasts - pulled @ np.linalg.solve(gap @ pulled, gap @ forecasts)
    return bottom_up(tree, corrected)
