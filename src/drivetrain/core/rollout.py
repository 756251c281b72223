"""How a challenger is judged while it takes a share of the traffic."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CanaryRule:
    """What a challenger may do at most, compared with the champion on the same rows, before it is rolled back.

    ``false_alarm_rate`` is of the whole canary: the chance, over all criteria and all its time, that a challenger
    within every bound is rolled back. ``rows`` judged without an alarm, ``labels`` of them with a known outcome, are
    the end of the canary: the challenger is promoted.

    Bounds: ``max_errors`` share of rows without a score; ``max_flipped`` share of decisions unlike the champion's, and
    ``max_segment_flipped`` in any one segment; ``max_rate_change`` of the share of positive decisions, up or down;
    ``max_score_shift`` mean distance between the two scores of a row, in ranks of the reference (0 to 1);
    ``max_slower`` how many times the champion's time a row may take in most turns; ``max_loss`` increase of the loss
    where labels have arrived: the Brier score, the share of wrong classes, or the error as a share of the spread.

    Two recommenders find items of their own, so their lists are mixed and not compared row by row: ``rows`` are lists,
    ``labels`` those of which something was chosen; ``max_errors``, ``max_slower`` and the last three bounds hold:
    ``max_sold_out`` share of a list that the champion's catalogue calls sold out; ``max_less_diverse`` how many fewer
    kinds of things are in a list; ``max_less_chosen`` how much more of what is chosen may be the champion's, as a share
    of all choices.

    What the champion decides true is a segment too, and so is what it decides false: a retrained model that disagrees
    on more than ``max_segment_flipped`` of rare alerts is rolled back, however few rows of all they are.
    """

    false_alarm_rate: float = 0.05
    rows: int = 2000
    labels: int = 0
    max_errors: float = 0.01
    max_flipped: float = 0.1
    max_segment_flipped: float = 0.3
    max_rate_change: float = 0.05
    max_score_shift: float = 0.15
    max_slower: float = 3.0
    max_loss: float = 0.02
    max_sold_out: float = 0.1
    max_less_diverse: float = 0.1
    max_less_chosen: float = 0.02
