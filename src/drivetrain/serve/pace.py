"""How fast a release scores, learned from what it did lately: how long its queue is, and how large a call may be."""

from __future__ import annotations

from drivetrain.store.code_models import MOST_ROWS

_QUICKEST_ROW = 1e-7
_OF_A_TURN, _OF_A_CALL = 0.1, 0.5
"""What the newest turn of the loop counts, or the newest call of another process: a slow model makes few of them."""
_MANY = 32
"""So many rows in one go tell what a row costs; with fewer most of the time is the turn's."""


class Pace:
    """What was learned of one release that is scored with in so many ``processes`` of its own; 0: in this one."""

    def __init__(self, deadline_seconds: float, processes: int) -> None:
        self.most_rows = 2
        self._among_few = 0.0  # seconds a row
        self._among_many: float | None = None
        self._last: tuple[int, float] | None = None  # rows and seconds of the last call
        self._by_the_row = True  # what a call takes; or it is much the same for many rows
        self._deadline = deadline_seconds
        self._processes = max(1, processes)
        self._weight = _OF_A_CALL if processes else _OF_A_TURN

    def is_late(self, waiting_rows: int) -> bool:
        """Whether a row that comes now, behind so many others, would probably be answered after the deadline.

        Behind none it never is: after a turn in which the machine stood still, only the next one can teach otherwise.
        """
        return waiting_rows > 0 and self._among_few + self.seconds(waiting_rows) > self._deadline

    def seconds(self, rows: int) -> float:
        """How long so many rows probably take."""
        return rows * (self._among_few if self._among_many is None else self._among_many)

    def rows_within(self, seconds: float) -> int:
        """How many rows are probably scored in so many seconds; at least 1, and not many before that is known."""
        if self._among_many is None:
            return _MANY
        return max(1, int(seconds / max(self._among_many, _QUICKEST_ROW)))

    def learn(self, rows: int, seconds: float) -> None:
        """So many rows took so long in one go."""
        a_row = seconds / rows / self._processes
        if rows < _MANY:
            self._among_few += self._weight * (a_row - self._among_few)
        else:
            before = a_row if self._among_many is None else self._among_many
            self._among_many = before + self._weight * (a_row - before)

    def learn_call(self, rows: int, seconds: float, *, lost: bool) -> None:
        """The same of a call of another process, and how many rows may be in the next; ``lost``: the process was.

        The rows may grow, twofold at most, while a call takes less than half of the deadline: whoever came when it had
        just begun is answered in time by the one after it. When it takes longer they are halved, unless that is what a
        call takes however few its rows are.
        """
        if lost:
            self.most_rows = max(1, rows // 2)
            return
        self._compare(rows, seconds)
        if seconds <= self._deadline / 2 or not self._by_the_row:
            self.most_rows = max(self.most_rows, min(2 * rows, MOST_ROWS))
        else:
            self.most_rows = max(1, rows // 2)
        self._among_few += self._weight * (seconds / rows / self._processes - self._among_few)
        self._among_many = self._among_few

    def _compare(self, rows: int, seconds: float) -> None:
        """Whether time goes by the row: twice as many take more than one and a half times as long."""
        (few, short), (many, long) = sorted((self._last or (rows, seconds), (rows, seconds)))
        if many >= 1.5 * few:
            self._by_the_row = long > short * (1 + many / few) / 2
        self._last = rows, seconds
