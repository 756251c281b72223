"""How odd a row is, as a place among usual rows: the link of models that learn without labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from drivetrain.core.errors import InvalidInput
from drivetrain.ops.metrics import Numbers

FEWEST = 20
_KNOTS = 200
_TAIL = (0.99, 0.999, 0.9999, 0.99999)


@dataclass(frozen=True)
class Rank:
    """From oddness to the share of usual rows that look less odd: a line between two of ``knots``, which rise.

    Beyond the last knot the rest of the way to 1 is never gone: ``beyond / (beyond + reach)`` of it, so that of two
    rows that are odder than all usual ones the odder one still scores higher.
    """

    knots: tuple[float, ...]
    shares: tuple[float, ...]
    reach: float

    def apply(self, oddness: Numbers) -> Numbers:
        """Oddness [n] to shares [n], 0 to 1."""
        beyond = np.maximum(oddness - self.knots[-1], 0.0)
        rest = (1.0 - self.shares[-1]) * (beyond / (beyond + self.reach))
        return np.asarray(np.interp(oddness, self.knots, self.shares) + rest)


def fit_rank(oddness: Numbers) -> Rank:
    """The link for the oddness [n] of usual rows that the model which found it had not seen.

    The share below the k-th of n is k / (n + 1), so that a rule ``score >= 1 - a`` flags at most about a share a of
    usual rows (conformal; Bates, Candès, Lei, Romano & Sesia 2023). Raises InvalidInput for fewer than 20 rows.
    """
    if len(oddness) < FEWEST:
        raise InvalidInput(
            "too_few_rows", f"{len(oddness)} rows do not say what is usual", hint=f"bring at least {FEWEST}"
        )
    ordered = np.sort(oddness)
    wanted = np.unique([*np.linspace(0.0, 1.0, _KNOTS), *_TAIL])
    knots, first = np.unique(np.quantile(ordered, wanted, method="lower"), return_index=True)
    below = np.searchsorted(ordered, knots, side="left") / (len(ordered) + 1.0)
    shares = np.append(below[:-1], len(ordered) / (len(ordered) + 1.0)) if len(first) > 1 else below
    spread = float(knots[-1] - knots[0])
    return Rank(tuple(knots.tolist()), tuple(shares.tolist()), spread or 1.0)
