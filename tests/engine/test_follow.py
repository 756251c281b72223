"""A source is followed: load after load, through passing errors, until somebody says stop."""

import threading

import pytest

from drivetrain.core.errors import NotFound, Refused, Transient
from drivetrain.engine import follow as following
from drivetrain.engine.follow import Load
from drivetrain.store.locks import held

ROW = "id,age,income,home,late\n{},30,1000,rent,0\n"


@pytest.fixture
def follow(project):
    """``follow(look)`` follows the loans; ``look(loads)`` says when it is enough."""

    def follow(look, **options):
        stopped, loads = threading.Event(), []

        def tell(load):
            loads.append(load)
            if look(loads) or len(loads) > 100:
                stopped.set()

        project.follow("loans", every=0.05, stopped=stopped, tell=tell, **options)
        return loads

    return follow


class Pushed:
    """A reader of the loans that tells when there is more."""

    def __init__(self, reader):
        self.discover, self.read, self.commit = reader.discover, reader.read, reader.commit
        self.waits, self.closed, self.trouble = [], 0, False

    def wait(self, seconds):
        self.waits.append(seconds)
        if self.trouble:
            raise Transient("down", "the source is down")
        return True

    def lag(self):
        if self.trouble:
            raise Transient("down", "the source is down")
        return 0

    def close(self):
        self.closed += 1


@pytest.fixture
def pushed(monkeypatch):
    """Every source is one that can wait; gives the readers that were opened."""
    opened, real = [], following.open_reader

    def open_one(spec, place):
        opened.append(Pushed(real(spec, place)))
        return opened[-1]

    monkeypatch.setattr(following, "open_reader", open_one)
    return opened


def test_files_are_looked_at_again_and_again(project, follow):
    def look(loads):
        if len(loads) == 2:
            (project.home / "data" / "february.csv").write_text(ROW.format(9001))
        return len(loads) > 2 and loads[-1].rows

    loads = follow(look)
    assert [loads[0].rows, loads[1].rows, loads[-1].rows] == [1500, 0, 1]
    assert [str(loads[place].ref) for place in (0, 1, -1)] == ["dataset/loans@0", "dataset/loans@0", "dataset/loans@1"]


def test_a_source_that_can_wait_is_waited_for_and_closed_in_the_end(follow, pushed):
    loads = follow(lambda loads: len(loads) == 3)
    assert ([load.lag for load in loads], pushed[0].closed) == ([0, 0, 0], 1)
    assert len(pushed[0].waits) >= 2


def test_trouble_while_it_waits_is_left_to_the_next_load(follow, pushed):
    def look(loads):
        pushed[0].trouble = True
        return len(loads) == 3

    assert [(load.rows, load.lag, load.error) for load in follow(look)[1:]] == [(0, None, None)] * 2


def test_it_goes_on_after_a_passing_error(project, follow):
    with held(project.catalog.state / "lock", "it"):
        loads = follow(lambda loads: loads[-1].error)
    assert loads[-1].error.code == "in_use"
    assert loads[-1].next_in == 1
    assert follow(lambda loads: loads[-1].rows)[-1].rows == 1500


def test_an_error_that_stays_ends_it(project, follow):
    (project.home / "data" / "january.csv").write_text("id,age,income,home,late\n1,2\n")
    with pytest.raises(Refused):
        follow(lambda loads: False)


def test_the_first_row_may_be_still_to_come(project, follow):
    file = project.home / "data" / "january.csv"
    file.write_text(ROW.format(1).splitlines()[0] + "\n")

    def look(loads):
        if len(loads) == 2:
            file.write_text(ROW.format(7))
        return loads[-1].rows

    loads = follow(look)
    assert ([load.ref for load in loads[:2]], loads[-1].rows) == ([None, None], 1)


def test_changed_columns_end_it_unless_they_are_accepted(project, follow):
    follow(lambda loads: True)
    (project.home / "data" / "february.csv").write_text("id,age,income,home,late,new\n9001,30,1000,rent,0,x\n")
    assert follow(lambda loads: loads[-1].rows, accept_schema=True)[-1].rows == 1


def test_a_source_that_is_not_declared(project):
    with pytest.raises(NotFound, match="no source 'lones'") as caught:
        project.follow("lones", stopped=threading.Event(), tell=print)
    assert "loans" in caught.value.hint


def test_the_rate():
    assert (Load(10, 2.0).rate, Load(0, 0.0).rate) == (5.0, 0.0)
