"""What a challenger would have decided on what was recorded: real journals, real Delta tables, real releases."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from drivetrain.core.artifacts import Release
from drivetrain.core.errors import InvalidInput, NotFound, Refused
from drivetrain.core.model import DecisionRule, InputField, Signature
from drivetrain.core.rollout import CanaryRule
from drivetrain.core.schema import ColumnType
from drivetrain.deploy.recorded import BLOCK, Recorded
from drivetrain.deploy.replay import MOST_ROWS, check, replay, replay_folder
from drivetrain.deploy.replay_report import ReplayReport
from drivetrain.ops.saying import Saying
from drivetrain.store.catalog import Catalog
from drivetrain.store.journal import roll
from drivetrain.store.models import ModelContent, Scorer
from drivetrain.store.segments import LabelLog, LabelRecord, PredictionLog
from drivetrain.testing.graphs import (
    SIGNATURE,
    WEIGHTS,
    again,
    classes_model,
    draw,
    expected_classes,
    expected_number,
    flipped,
    logistic_model,
    model_of,
    number_model,
    without_scores,
)
from drivetrain.testing.graphs import constant_graph as constant
from drivetrain.testing.releases import ReleaseMaker

SERVICE = "loans"
START = 1_790_000_000_000_000
CITY = SIGNATURE.names.index("city")


@dataclass
class Desk:
    """A catalog, a maker of releases, and what a server of them would have recorded."""

    catalog: Catalog
    maker: ReleaseMaker
    recorded: int = 0

    def record(self, release: Release, content: ModelContent, rows: np.ndarray, *, step: int = 1000) -> list[str]:
        """Journal what the release answers for packed rows, ``step`` microseconds apart; gives the prediction ids."""
        log = PredictionLog(self.catalog.journal_path(SERVICE), release.ref, content.signature)
        records = np.zeros(len(rows), log.dtype)
        numbers = np.arange(self.recorded, self.recorded + len(rows))
        records["id"] = [b"p%07d" % number for number in numbers]
        records["at"] = START + numbers * step
        said = Saying(content.signature, content.decision, content.interval).say_alone(
            Scorer(content.graph).score(rows)
        )
        records["score"], records["decision"] = said.score, said.decision
        if content.signature.outputs:
            records["outputs"] = said.outputs
        records["caller"] = log.caller("shop")
        records["row"] = rows
        log.append(records)
        log.close()
        self.recorded += len(rows)
        return [name.decode() for name in records["id"]]

    def label(self, labels: dict[str, bool | str | float], at: str = "2026-11-20T00:00:00+00:00") -> None:
        """Journal outcomes."""
        log = LabelLog(self.catalog.journal_path(SERVICE))
        log.append([msgspec.convert({"prediction_id": name, "label": label, "at": at, "caller": "shop"}, LabelRecord)
                    for name, label in labels.items()])  # fmt: skip
        log.close()

    def replay(self, challenger: ModelContent, rows: int = 10_000, **rule: float) -> ReplayReport:
        """The report of a challenger."""
        release = self.maker.release(challenger)
        bounds = CanaryRule(**rule)
        report = replay(SERVICE, release, bounds, self.catalog, self.maker.actors, rows)
        assert report is not None
        return report


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Catalog(tmp_path) as catalog:
        yield Desk(catalog, ReleaseMaker(tmp_path, SERVICE))


def served(desk: Desk, content: ModelContent, rows: np.ndarray) -> tuple[Release, list[str]]:
    """A champion that answered these rows."""
    champion = desk.maker.release(content)
    desk.maker.deploy(champion)
    return champion, desk.record(champion, content, rows)


def test_the_same_model_flips_nothing(desk: Desk):
    champion, _ = served(desk, logistic_model(), draw(700))
    report = desk.replay(again(logistic_model()))
    assert (report.recorded, report.compared, report.rescored, report.left_out) == (700, 700, 0, 0)
    assert (report.flipped.value, report.score_shift, report.rank_shift, report.not_taken) == (0, 0, 0, ())
    assert (report.verdict, report.findings, report.champion) == ("pass", (), str(champion.ref))
    assert report.flipped.high < 0.01
    check(report)


def test_classes_are_replayed_by_how_sure_they_are_and_texts_prove_no_probability(desk: Desk):
    _, ids = served(desk, classes_model(), draw(300))
    desk.label(dict.fromkeys(ids[:50], "loan"))
    same, stricter = desk.replay(again(classes_model())), desk.replay(classes_model(sure=0.8))
    assert (same.compared, same.flipped.value, same.labelled) == (300, 0, 0)
    sure = [expected_classes(row).max() for row in draw(300)]
    assert stricter.to_negative == sum(0.5 <= score < 0.8 for score in sure)
    assert stricter.to_positive == 0


def test_another_class_is_another_answer_though_score_and_decision_are_the_same(desk: Desk):
    served(desk, classes_model(), draw(300))
    model = classes_model()
    renamed = replace(model, signature=replace(model.signature, classes=("loan", "card", "account")))
    report = desk.replay(renamed)
    swapped = sum(int(expected_classes(row).argmax()) < 2 for row in draw(300))
    assert (report.to_positive, report.to_negative, report.to_other_class) == (0, 0, swapped)
    assert (report.flipped.value, report.score_shift) == (swapped / 300, 0)
    assert any("of the decisions flip" in finding for finding in report.findings)
    assert b"another class" in (replay_folder(report, desk.catalog) / "replay.html").read_bytes()


def test_texts_that_another_encoder_read_are_not_taken(desk: Desk):
    def of_text(made_by):
        first, *rest = SIGNATURE.inputs
        text = replace(first, name="letter:yes", of="letter", made_by=made_by, type=ColumnType.NUMBER, nullable=True)
        model = logistic_model()
        return replace(model, signature=replace(model.signature, inputs=(text, *rest)))

    served(desk, of_text("a"), draw(50))
    assert desk.replay(again(of_text("a"))).not_taken == ()
    (reason,) = desk.replay(of_text("b")).not_taken
    assert (reason.reason, reason.rows) == ("'letter' was recorded as numbers of another text encoder", 50)


def test_numbers_are_replayed_against_their_limit_on_either_side(desk: Desk):
    _, ids = served(desk, number_model(DecisionRule("limit", 400.0, below=True)), draw(300))
    desk.label(dict.fromkeys(ids[:50], 400.0))
    same = desk.replay(again(number_model(DecisionRule("limit", 400.0, below=True))))
    assert (same.flipped.value, same.loss, same.labelled) == (0, 0, 50)
    other = desk.replay(number_model(DecisionRule("limit", 500.0, below=True)))
    assert other.to_positive == sum(400 < expected_number(row) <= 500 for row in draw(300))
    assert other.to_negative == 0


def test_the_report_lies_as_json_and_as_a_page(desk: Desk):
    served(desk, logistic_model(), draw(300))
    report = desk.replay(flipped())
    folder = replay_folder(report, desk.catalog)
    assert folder.parent == desk.catalog.state / "replays" / SERVICE
    assert msgspec.json.decode((folder / "replay.json").read_bytes(), type=ReplayReport) == report
    page = (folder / "replay.html").read_text()
    for words in ("Replay: loans", "Out of bounds", report.challenger, "age", "By segment"):
        assert words in page
    assert desk.replay(flipped()) == report, "the same replay again is the same report"
    assert len(list(folder.parent.iterdir())) == 1


def test_flipped_decisions_are_out_of_bounds(desk: Desk):
    served(desk, logistic_model(), draw(500))
    report = desk.replay(flipped())
    assert report.flipped.value > 0.99
    assert report.to_positive + report.to_negative == round(report.flipped.value * 500)
    assert report.challenger_rate == pytest.approx(1 - report.champion_rate, abs=0.01)
    with pytest.raises(Refused, match="max_flipped") as refused:
        check(report)
    assert refused.value.code == "replay_out_of_bounds"
    assert "--override" in refused.value.hint


def test_the_segment_that_flips_is_found(desk: Desk):
    rows = draw(3000)
    served(desk, logistic_model(), rows)
    moved = list(WEIGHTS)
    moved[CITY] = -3.0  # only Bern (1) and Chur (2) score otherwise
    report = desk.replay(logistic_model(moved), max_flipped=0.9, max_rate_change=1, max_score_shift=1)
    worst = next(each for each in report.segments if "champion decides" not in each.segment)
    assert worst.segment == "city = Chur"
    assert worst.flipped.rows == (rows[:, CITY] == 2).sum()
    by_name = {each.segment: each.flipped.value for each in report.segments}
    assert by_name["city = Aarau"] == 0
    assert by_name["city = Bern"] > 0
    assert by_name["the champion decides true"] > by_name["the champion decides false"] == 0
    assert [finding for finding in report.findings if "city = Chur" in finding]
    assert all("max_segment_flipped" in finding for finding in report.findings)


def test_flips_cost_what_the_challengers_matrix_says(desk: Desk):
    """By hand: the champion says no to all (score 0.25), the challenger yes to all (0.75)."""
    no, yes = (model_of(constant(answer, len(SIGNATURE.inputs))) for answer in (0.25, 0.75))
    _, ids = served(desk, no, draw(10))
    desk.label({ids[0]: True, ids[1]: True, ids[2]: False})
    desk.label({ids[2]: True, ids[3]: False}, at="2026-11-21T00:00:00+00:00")  # the third one is corrected
    report = desk.replay(replace(yes, decision=DecisionRule("cost", 0.5, false_positive=1, false_negative=5)))
    cost = report.cost
    assert cost is not None
    assert (cost.false_positive, cost.false_negative) == (1, 5)
    assert (cost.labelled, cost.unlabelled) == (4, 6)
    assert cost.by_labels == 3 * -5 + 1 * 1
    assert cost.by_champion == pytest.approx(6 * (0.75 * 1 - 0.25 * 5))
    assert cost.by_challenger == pytest.approx(6 * (0.25 * 1 - 0.75 * 5))
    assert (report.labelled, report.loss) == (4, pytest.approx((3 * (0.25**2 - 0.75**2) + (0.75**2 - 0.25**2)) / 4))
    whole = [each for each in report.segments if each.flipped.rows == 10]
    assert "the champion decides false" in [each.segment for each in whole]
    assert all(each.cost == pytest.approx(cost.by_labels + cost.by_champion) for each in whole)


def test_a_worse_score_where_outcomes_are_known_is_out_of_bounds(desk: Desk):
    rows = draw(50)
    _, ids = served(desk, logistic_model(), rows)
    scores = Scorer(logistic_model().graph).score(rows)
    desk.label({name: bool(score > 0.5) for name, score in zip(ids, scores, strict=True)})
    report = desk.replay(flipped())
    assert report.labelled == 50
    assert any("max_loss" in finding for finding in report.findings)
    assert desk.replay(again(logistic_model())).loss == 0


def test_without_a_cost_matrix_there_is_no_cost(desk: Desk):
    served(desk, logistic_model(), draw(50))
    report = desk.replay(flipped())
    assert report.cost is None
    assert {each.cost for each in report.segments} == {None}


def test_only_the_newest_rows_are_replayed(desk: Desk):
    """All of one moment: a request of many rows is one moment, and of it only as many as were asked for."""
    champion, _ = served(desk, logistic_model(), draw(40))
    roll(desk.catalog, SERVICE)
    desk.record(champion, logistic_model(), draw(30, seed=1), step=0)
    desk.record(champion, logistic_model(), draw(20, seed=2))
    assert desk.replay(again(logistic_model()), rows=20).recorded == 20
    assert desk.replay(again(logistic_model()), rows=35).recorded == 35
    assert desk.replay(again(logistic_model()), rows=10_000).recorded == 90


@pytest.mark.parametrize("asked", [1, 500, BLOCK + 5])
def test_the_newest_are_read_in_blocks(desk: Desk, asked: int):
    served(desk, logistic_model(), draw(BLOCK + 300))
    roll(desk.catalog, SERVICE)
    blocks = list(Recorded(desk.catalog, SERVICE, asked).blocks())
    assert sum(map(len, blocks)) == asked
    assert max(map(len, blocks)) <= BLOCK
    oldest = min(block.at.min() for block in blocks)
    assert oldest == np.datetime64(START + 1000 * (BLOCK + 300 - asked), "us")


def test_what_another_release_answered_is_scored_with_the_champion(desk: Desk):
    served(desk, flipped(), draw(200))
    champion, _ = served(desk, logistic_model(), draw(100, seed=1))
    report = desk.replay(again(logistic_model()))
    assert (report.recorded, report.rescored, report.champion) == (300, 200, str(champion.ref))
    assert report.flipped.value == 0


def wider(*inputs: InputField) -> ModelContent:
    """A challenger that takes other inputs, and says yes to everything."""
    signature = Signature(inputs, SIGNATURE.entity, SIGNATURE.target)
    rows = np.random.default_rng(0).random((50, len(inputs)))
    return model_of(constant(0.75, len(inputs)), signature, rows)


AGE = SIGNATURE.inputs[0]
INCOME = SIGNATURE.inputs[1]


@pytest.mark.parametrize(
    ("challenger", "reason"),
    [
        (wider(AGE, InputField("job", ColumnType.TEXT, False, ("smith",))), "'job' was not recorded"),
        (wider(AGE, InputField("city", ColumnType.NUMBER, True)), "'city' is a text, not a number"),
        (wider(AGE, replace(INCOME, nullable=False)), "'income-per-month' is missing"),
        (wider(AGE, replace(INCOME, type=ColumnType.INTEGER)), "'income-per-month' is a number, not an integer"),
        (without_scores(5000.0), "the model has no score for it"),
    ],
    ids=["new", "other type", "required", "fractions", "no score"],
)
def test_rows_that_the_challenger_cannot_take_are_counted_with_the_reason(desk: Desk, challenger, reason):
    rows = draw(400)
    served(desk, logistic_model(), rows)
    income, city = rows[:, 1], rows[:, CITY]
    refused = {
        "'job' was not recorded": np.ones(400, dtype=bool),
        "'city' is a text, not a number": ~np.isnan(city),
        "'income-per-month' is missing": np.isnan(income),
        "'income-per-month' is a number, not an integer": ~np.isnan(income) & (income % 1 != 0),
        "the model has no score for it": ~np.isnan(income) & (income >= 5000),
    }[reason]
    report = desk.replay(challenger)
    assert [(each.reason, each.rows) for each in report.not_taken] == [(reason, int(refused.sum()))]
    assert report.compared == int((~refused).sum())
    assert any("max_errors" in finding for finding in report.findings)


def test_new_inputs_that_may_be_missing_and_an_integer_as_a_number_are_taken(desk: Desk):
    served(desk, logistic_model(), draw(100))
    new = InputField("job", ColumnType.TEXT, True, ("smith",))
    report = desk.replay(wider(replace(AGE, type=ColumnType.NUMBER), new))
    assert (report.not_taken, report.compared) == ((), 100)


def test_what_a_later_release_widened_in_the_lake_is_read_as_it_was_sent(desk: Desk):
    """Once ``age`` was a text: the lake holds texts now, and those of today's champion are integers."""
    texts = wider(InputField("age", ColumnType.TEXT, True, ("young", "33")))
    served(desk, texts, np.array([[0.0], [1.0], [np.nan]]))
    roll(desk.catalog, SERVICE)
    served(desk, logistic_model(), draw(20))
    report = desk.replay(again(logistic_model()))
    assert (report.recorded, report.compared) == (23, 21), "but for a text that is no age, and a missing one"
    assert (report.left_out, report.not_taken) == (2, ())


def test_nothing_recorded_is_said(desk: Desk):
    champion = desk.maker.release(logistic_model())
    challenger = desk.maker.release(flipped())
    with pytest.raises(NotFound, match="nothing is deployed"):
        replay(SERVICE, challenger, CanaryRule(), desk.catalog, desk.maker.actors)
    desk.maker.deploy(champion)
    assert replay(SERVICE, challenger, CanaryRule(), desk.catalog, desk.maker.actors) is None
    with pytest.raises(InvalidInput, match="is the champion already"):
        replay(SERVICE, champion, CanaryRule(), desk.catalog, desk.maker.actors)
    for rows in (0, MOST_ROWS + 1):
        with pytest.raises(InvalidInput, match="cannot be replayed"):
            replay(SERVICE, challenger, CanaryRule(), desk.catalog, desk.maker.actors, rows)


def test_an_unapproved_challenger_is_not_replayed(desk: Desk):
    served(desk, logistic_model(), draw(10))
    unapproved = desk.maker.release(flipped(), approved=False)
    with pytest.raises(Refused, match="is not approved"):
        replay(SERVICE, unapproved, CanaryRule(), desk.catalog, desk.maker.actors)


def test_progress_is_told(desk: Desk):
    served(desk, logistic_model(), draw(100))
    told: list[tuple[float, float | None, str]] = []
    replay(SERVICE, desk.maker.release(flipped()), CanaryRule(), desk.catalog, desk.maker.actors,
           progress=lambda done, total=None, note="": told.append((done, total, note)))  # fmt: skip
    assert told[-1][:2] == (100, 100)
    assert "flipped" in told[-1][2]


def test_the_report_of_a_machine_holds_no_number_that_json_lacks(desk: Desk):
    served(desk, logistic_model(), draw(5))
    report = desk.replay(wider(InputField("job", ColumnType.TEXT, False, ("smith",))))
    assert report.compared == 0
    assert json.loads(report.to_json())["flipped"]["high"] == 1.0
