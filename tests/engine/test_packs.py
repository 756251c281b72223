"""Packs, ours and those of others: listed with what they reached, run again, and held to their floors."""

import json
import sys

import pytest
import yaml
from click.testing import CliRunner
from tests.conftest import BORROWER, CASES, PROJECT, write_loans

from drivetrain.cli.exits import OUT_OF_BOUNDS
from drivetrain.cli.main import cli
from drivetrain.cli.output import out
from drivetrain.core.artifacts import Estimate
from drivetrain.engine.packs import PackScore, list_packs

ABOUT = {
    "title": "Small risk",
    "use_case": "does somebody pay?",
    "data": "1,500 made-up loans",
    "benchmark": {
        "metric": "roc_auc",
        "floor": 0.6,
        "split": "30 %, by outcome",
        "measured": {"value": 0.8, "low": 0.7, "high": 0.9, "seconds": 2, "day": "2026-11-23"},
    },
}


def run(*words, code=0):
    done = CliRunner().invoke(cli, ["packs", *map(str, words)])
    assert done.exit_code == code, done.output
    return done.output


@pytest.fixture
def install(tmp_path, monkeypatch):
    """``install(about)``: a package of somebody else with a pack in it, as pip would leave it."""

    def install(about=ABOUT, **files):
        site, pack = tmp_path / "site", tmp_path / "site" / "other_packs" / "small"
        (pack / "features").mkdir(parents=True)
        info = site / "other_packs-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other-packs\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[drivetrain.packs]\nsmall = other_packs.small\n")
        for file, text in {
            "../__init__.py": "", "__init__.py": "", "pack.yaml": yaml.safe_dump(about), "gitignore": ".drivetrain/\n",
            "drivetrain.yaml": PROJECT.replace("small-risk", "{{ name }}"), "features/cases.sql": CASES,
            "features/borrower.sql": BORROWER, **files,
        }.items():  # fmt: skip
            if text is not None:
                (pack / file).write_text(text)
        (pack / "data").mkdir()
        write_loans(pack / "data" / "loans.csv", range(1500), bad=3)
        monkeypatch.syspath_prepend(str(site))
        for name in [name for name in sys.modules if name.startswith("other_packs")]:
            monkeypatch.delitem(sys.modules, name)

    return install


def test_packs_are_listed_with_what_they_reached(monkeypatch):
    monkeypatch.setattr(out, "_width", 240)  # a wide terminal: nothing is cut off
    names = [pack.name for pack in list_packs()]
    assert "risk" in names
    assert names == sorted(names)
    said = json.loads(run("list", "--json"))
    assert {pack["name"] for pack in said} == set(names)
    shown = run("list")
    for pack in said:
        assert pack["title"] in shown
        assert f"{pack['benchmark']['measured']['value']:g} [" in shown


def test_a_pack_of_somebody_else_is_found_by_name_started_from_and_scored(install, tmp_path):
    install()
    assert "Small risk" in run("list")
    done = CliRunner().invoke(cli, ["init", str(tmp_path / "mine"), "--pack", "small"])
    assert done.exit_code == 0, done.output
    assert sorted(path.name for path in (tmp_path / "mine").iterdir()) == [
        ".drivetrain", ".gitignore", "actors.yaml", "data", "drivetrain.yaml", "features",
    ]  # fmt: skip
    (score,) = json.loads(run("score", "small", "--json", "--folder", tmp_path / "scores"))
    assert score["is_reached"]
    assert score["estimate"]["low"] < score["estimate"]["value"] < score["estimate"]["high"]
    again = run("score", "small", "--folder", tmp_path / "scores")
    assert f"{score['estimate']['value']:.4f}" in again
    assert "pass" in again


def test_a_variant_is_listed_and_scored_by_its_name(install, tmp_path):
    data = "the same loans again"
    variant = {"name": "again", "data": data, "benchmark": ABOUT["benchmark"]}
    install({**ABOUT, "variants": [variant]}, **{"again.yaml": PROJECT.replace("small-risk", "{{ name }}")})
    assert "small/again" in run("list")
    (score,) = json.loads(run("score", "small/again", "--json", "--folder", tmp_path))
    assert (score["pack"], score["is_reached"]) == ("small/again", True)
    assert (tmp_path / "small-again/drivetrain.yaml").read_bytes() == (tmp_path / "small-again/again.yaml").read_bytes()
    assert "left out, they take longer than 1 s: small, small/again" in run("score", "small", "--within", 1)
    assert "of this pack: small, small/again" in run("score", "small/never", code=4)


def test_a_pack_below_its_floor_fails(install):
    install({**ABOUT, "benchmark": {**ABOUT["benchmark"], "floor": 0.999}})
    assert "fail" in run("score", "small", code=OUT_OF_BOUNDS)


def test_less_is_better_of_a_loss():
    def score(metric, value):
        return PackScore("any", Estimate(metric, value, value, value, 10), 0.5, 1.0)

    assert score("log_loss", 0.4).is_reached
    assert not score("log_loss", 0.6).is_reached
    assert not score("roc_auc", 0.4).is_reached


def test_a_pack_that_is_not_whole_says_what_it_lacks(install):
    install(**{"drivetrain.yaml": None})
    assert "lacks pack.yaml or drivetrain.yaml" in run("list", code=3)


def test_a_pack_that_says_nonsense_of_itself_is_told_where(install):
    install({**ABOUT, "titel": "x"})
    said = run("score", "small", code=3)
    assert "unknown key 'titel'; did you mean 'title'?" in said
    assert "pack_invalid" in said


def test_an_unknown_pack_is_named_with_those_there_are():
    assert "phishing" in run("score", "poker", code=4)


def test_packs_that_take_longer_than_there_is_time_are_left_out_and_named():
    assert "left out, they take longer than 10 s: risk" in run("score", "risk", "--within", 10)
