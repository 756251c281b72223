"""What answers for a service since one deployment: the champion, and whoever is on trial or in its shadow.

A lineup never changes. When another deployment is taken up, the next request goes to the next lineup, and what waits
in this one is answered by it: no request fails, none is answered by two.
"""

from __future__ import annotations

from collections.abc import Sequence

from drivetrain.core.artifacts import Deployment
from drivetrain.serve.contender import Contender
from drivetrain.serve.interleaving import Interleaving
from drivetrain.serve.scoring import Request, Scoring
from drivetrain.serve.shadow import Shadow
from drivetrain.serve.trial import Trial


class Lineup:
    """The releases of one deployment, ready to answer."""

    def __init__(
        self,
        deployment: Deployment,
        champion: Scoring,
        trial: Trial | Interleaving | None = None,
        shadows: Sequence[Shadow] = (),
    ) -> None:
        self.deployment = deployment
        self.champion = champion
        self.trial = trial
        self.shadows = tuple(shadows)
        self._plain = trial is None and not shadows
        self.elsewhere = bool(champion.contender.processes or (trial is not None and trial.challenger.processes))

    @property
    def contenders(self) -> tuple[Contender, ...]:
        """Everybody who scores."""
        trial = (self.trial.challenger,) if self.trial else ()
        return (self.champion.contender, *trial, *(shadow.contender for shadow in self.shadows))

    def submit(self, request: Request) -> None:
        """Queue a request whose ``rows`` are as the champion reads them. Raises Overloaded."""
        if self._plain:
            self.champion.submit(request)
            return
        request.copies = [shadow.copy for shadow in self.shadows if shadow.takes(request.rows)]
        if self.trial is not None and not request.long and self.trial.takes(request.rows):
            self.trial.submit(request)
        else:
            self.champion.submit(request)

    def close(self) -> None:
        """Stop whatever runs beside the answers."""
        if self.trial is not None:
            self.trial.close()
        for shadow in self.shadows:
            shadow.close()
