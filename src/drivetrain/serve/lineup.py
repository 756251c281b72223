"""What answers for a service since one deployment: the champion, and whoever is on trial or in its shadow.

A lineup never changes. When another deployment is taken up, the next request goes to the next lineup, and what waits
in this one is answered by it: no request fails, none is answered by two.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial

from drivetrain.core.artifacts import Deployment
from drivetrain.serve.contender import Contender
from drivetrain.serve.rows import RowForm, Rows
from drivetrain.serve.scoring import Done, Request, Scored, Scoring
from drivetrain.serve.shadow import Shadow
from drivetrain.serve.trial import Trial

Read = Callable[[RowForm], Rows]
"""Reads the rows of a request as one release wants them; raises InvalidInput."""


class Lineup:
    """The releases of one deployment, ready to answer."""

    def __init__(
        self, deployment: Deployment, champion: Scoring, trial: Trial | None = None, shadows: Sequence[Shadow] = ()
    ) -> None:
        self.deployment = deployment
        self.champion = champion
        self.trial = trial
        self.shadows = tuple(shadows)
        self._plain = trial is None and not shadows

    @property
    def contenders(self) -> tuple[Contender, ...]:
        """Everybody who scores."""
        trial = (self.trial.challenger,) if self.trial else ()
        return (self.champion.contender, *trial, *(shadow.contender for shadow in self.shadows))

    def submit(self, rows: Rows, read: Read, caller: str, seconds: float, done: Done) -> None:
        """Queue ``rows``, as the champion reads them, of a caller who waits so many ``seconds``. Raises Overloaded."""
        late = time.perf_counter() + seconds
        if self._plain:
            self.champion.submit(Request(rows, caller, late, done))
            return
        for shadow in self.shadows:
            if shadow.takes(rows):
                done = partial(self._copy, shadow, read, done)
        request = Request(rows, caller, late, done)
        if self.trial is not None and self.trial.takes(rows):
            self.trial.submit(request, read)
        else:
            self.champion.submit(request)

    def close(self) -> None:
        """Stop whatever runs beside the answers."""
        for shadow in self.shadows:
            shadow.close()

    def _copy(self, shadow: Shadow, read: Read, done: Done, result: Scored | Exception) -> None:
        """The caller hears first, then the shadow gets its copy."""
        done(result)
        if isinstance(result, Scored):
            shadow.copy(read, result)
