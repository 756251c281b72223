"""The contract of an Outlet, as tests. A plugin subclasses ``OutletContract``, says how the other side is made and what
it has received, and is run by pytest like any other test class."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pytest

from drivetrain.connect.place import place_of
from drivetrain.core.credentials import NoSecrets, Secrets
from drivetrain.core.errors import Forbidden, Transient
from drivetrain.core.model import InputField, Signature
from drivetrain.core.outlets import OutletSpec
from drivetrain.core.refs import Kind, Ref
from drivetrain.core.schema import ColumnType
from drivetrain.deliver.deliver import Delivery, Origin
from drivetrain.deliver.outbox import Outbox
from drivetrain.deliver.outlet import Outlet, Parcel, Receipt, open_outlet
from drivetrain.store.catalog import Catalog
from drivetrain.store.segments import PredictionLog
from drivetrain.store.tables import Table

COLUMNS = {"id": "prediction_id", "word": "entity", "score": "score"}
"""What leaves in these tests: the spec that ``make`` gives has these ``columns``."""
SERVICE = "words"
_RELEASE = Ref(Kind.RELEASE, SERVICE, "0123456789ab")
_SIGNATURE = Signature((InputField("age", ColumnType.NUMBER, nullable=True),), "entity", "label")


class Killed(BaseException):
    """The process ends here: nothing that follows is done, as after ``kill -9``."""


class Faulty:
    """An Outlet that breaks sooner or later: before it sends, or when what it sent has arrived."""

    def __init__(self, outlet: Outlet, chance: random.Random) -> None:
        self._outlet, self._chance = outlet, chance
        self.check, self.close = outlet.check, outlet.close
        self._left = chance.randrange(6)

    def send(self, parcel: Parcel) -> tuple[Receipt, ...]:
        """What the outlet does, unless it breaks."""
        self._break()
        receipts = self._outlet.send(parcel)
        self._break()
        return receipts

    def _break(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise self._chance.choice([Killed(), Transient("storage_unavailable", "it went away", seconds=99)])


class OutletContract(ABC):
    """What ``deliver`` builds on. The other side has the columns ``id`` (the key), ``word`` and ``score``."""

    secrets: Secrets = NoSecrets()
    """Who knows the credentials that the outlet names."""

    faults: ClassVar[int] = 6
    """How many deliveries break in the test of faults. It is quick to pass where it passes: 200 tell more."""

    many: ClassVar[int] = 2500
    """How many rows the largest delivery has: more than a parcel."""

    tells_by_key: ClassVar[bool] = True
    """Whether a row that comes again has no second effect; else it is there twice, under the same key."""

    refused_word: ClassVar[str] = ""
    """A word that the other side does not take; none: it takes every row."""

    @abstractmethod
    def make(self, home: Path) -> OutletSpec:
        """The other side, with nothing in it, in or beside the project folder ``home``; takes ``COLUMNS``."""

    @abstractmethod
    def received(self, home: Path) -> list[tuple[str, str]]:
        """Key and word of every row over there."""

    def wrong_login(self, home: Path) -> tuple[OutletSpec, str] | None:
        """The outlet with a credential that is refused, and its text; None where there are none."""
        return None

    def down(self, home: Path) -> AbstractContextManager[object] | None:
        """The other side does not answer as long as the block runs; None where that cannot be."""
        return None

    @pytest.fixture
    def home(self, tmp_path: Path) -> Path:
        """An empty project folder."""
        return tmp_path

    @pytest.fixture
    def spec(self, home: Path) -> OutletSpec:
        """The outlet; it sends whatever there is."""
        made = self.make(home)
        assert made.columns == COLUMNS
        return made.model_copy(update={"history": True, "deadline_seconds": 0.5})

    @pytest.fixture
    def catalog(self, home: Path) -> Iterator[Catalog]:
        """The catalog of the project."""
        with Catalog(home) as opened:
            yield opened

    @pytest.fixture
    def outlet(self, spec: OutletSpec, catalog: Catalog) -> Iterator[Outlet]:
        """The outlet, opened through the plugin door."""
        with closing(open_outlet(spec, place_of(catalog, self.secrets))) as opened:
            yield opened

    def test_check_says_what_is_there_and_sends_nothing(self, outlet: Outlet, home: Path) -> None:
        """In one line, and as often as somebody asks."""
        said = outlet.check()
        assert said
        assert "\n" not in said
        assert outlet.check() == said
        assert self.received(home) == []

    def test_every_row_arrives_with_its_key(self, outlet: Outlet, home: Path) -> None:
        """Rows, receipts, and the same again in a second parcel."""
        assert all(receipt.taken for receipt in outlet.send(parcel([("k1", "one"), ("k2", "two 'ü' \"2\", ;")])))
        assert len(outlet.send(parcel([("k3", "three")], first=3))) == 1
        assert sorted(self.received(home)) == [("k1", "one"), ("k2", "two 'ü' \"2\", ;"), ("k3", "three")]

    def test_a_row_that_comes_again_has_no_second_effect(self, outlet: Outlet, home: Path) -> None:
        """Nobody knew whether it arrived: the same rows, in a parcel that has grown meanwhile."""
        outlet.send(parcel([("k1", "one"), ("k2", "two")]))
        again = outlet.send(parcel([("k1", "one"), ("k2", "two"), ("k3", "three")]))
        assert [receipt.taken for receipt in again] == [True] * 3
        self._holds(home, {"k1": "one", "k2": "two", "k3": "three"})

    def test_a_row_that_is_refused_holds_no_other_up(self, outlet: Outlet, home: Path) -> None:
        """It gets its receipt, with the reason; all others arrive."""
        if not self.refused_word:
            pytest.skip("the other side takes every row")
        words = [f"w{number}" if number % 3 else self.refused_word for number in range(10)]
        rows = [(f"k{number}", word) for number, word in enumerate(words)]
        receipts = outlet.send(parcel(rows))
        assert [receipt.taken for receipt in receipts] == [word != self.refused_word for word in words]
        assert all(receipt.said for receipt in receipts if not receipt.taken)
        self._holds(home, {key: word for key, word in rows if word != self.refused_word})

    def test_what_is_down_may_be_tried_again(self, outlet: Outlet, home: Path) -> None:
        """Transient while it is down; afterwards the same outlet sends, with nothing to be told."""
        down = self.down(home)
        if down is None:
            pytest.skip("it cannot be down")
        outlet.send(parcel([("k0", "zero")]))
        with down, pytest.raises(Transient) as caught:
            outlet.send(parcel([("k1", "one")], first=2))
        assert caught.value.hint
        with suppress(Transient):  # a connection that was cut is noticed when it is used
            outlet.send(parcel([("k1", "one")], first=2))
        outlet.send(parcel([("k1", "one")], first=2))
        self._holds(home, {"k0": "zero", "k1": "one"})

    def test_a_refused_login_says_so_and_never_what_it_was(
        self, spec: OutletSpec, home: Path, catalog: Catalog
    ) -> None:
        """Forbidden, with the next thing to do, and without the credential."""
        wrong = self.wrong_login(home)
        if wrong is None:
            pytest.skip("there is no login")
        with closing(open_outlet(wrong[0], place_of(catalog, self.secrets))) as outlet:
            for ask in (outlet.check, lambda: outlet.send(parcel([("k1", "one")]))):
                with pytest.raises(Forbidden) as caught:
                    ask()
                assert caught.value.hint
                assert wrong[1] not in f"{caught.value} {caught.value!r} {outlet!r}"

    def test_delivers_each_prediction_once(self, spec: OutletSpec, home: Path, catalog: Catalog) -> None:
        """Through the whole of ``deliver``: all, nothing new, more, more than one parcel."""
        predict(catalog, range(3))
        with self._delivery(spec, catalog) as delivery:
            assert (delivery.run().taken, delivery.run().taken) == (3, 0)
            predict(catalog, range(3, self.many))
            assert delivery.run().taken == self.many - 3
        assert Counter(self.received(home)) == Counter((f"p{number:06}", f"w{number}") for number in range(self.many))

    def test_dead_letters_are_kept_and_sent_again(self, spec: OutletSpec, home: Path, catalog: Catalog) -> None:
        """A refused row does not hold the others up, and leaves when somebody has mended what was wrong."""
        if not self.refused_word:
            pytest.skip("the other side takes every row")
        predict(catalog, range(5), words={3: self.refused_word})
        with self._delivery(spec, catalog) as delivery:
            done = delivery.run()
            assert (done.taken, done.dead) == (4, 1)
            assert (delivery.retry().taken, delivery.run().dead) == (0, 0)
        ((letter,),) = Outbox(catalog, SERVICE).dead()
        assert (letter.prediction_id, letter.number, letter.attempts) == ("p000003", 4, 2)
        assert letter.said
        mended = spec.model_copy(update={"columns": COLUMNS | {"word": "'mended'"}})
        with self._delivery(mended, catalog) as delivery:
            assert (delivery.retry().taken, delivery.retry().taken) == (1, 0)
        assert list(Outbox(catalog, SERVICE).dead()) == []
        self._holds(home, {f"p{number:06}": f"w{number}" for number in (0, 1, 2, 4)} | {"p000003": "mended"})

    def test_faults_lose_and_double_nothing(
        self, spec: OutletSpec, home: Path, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Deliveries that end anywhere, by a fault or as by a kill, while predictions go on; then a whole one."""
        chance, made = random.Random(4), 0  # noqa: S311 - no secret, only the same faults every time
        monkeypatch.setattr(type(spec), "parcel_rows", property(lambda self: 3))
        for _ in range(self.faults):
            more = chance.randrange(9)
            predict(catalog, range(made, made + more))
            made += more
            with suppress(Transient, Killed), self._delivery(spec, catalog) as delivery:
                delivery._outlet = Faulty(delivery._outlet, chance)
                delivery.run()
        with self._delivery(spec, catalog) as delivery:
            delivery.run()
        wanted = {f"p{number:06}": f"w{number}" for number in range(made)}
        self._holds(home, wanted)
        entries = Outbox(catalog, SERVICE).cursor()
        assert entries is not None
        assert (entries.number, entries.taken, entries.dead) == (made, made, 0)
        assert delivered(catalog) == sorted(wanted)

    def _delivery(self, spec: OutletSpec, catalog: Catalog) -> Delivery:
        return Delivery(SERVICE, spec, Origin(SERVICE, "entity"), catalog, self.secrets)

    def _holds(self, home: Path, wanted: dict[str, str]) -> None:
        """The other side has these rows: each once where it can tell, else each at least once, and no other."""
        rows = self.received(home)
        if self.tells_by_key:
            assert sorted(rows) == sorted(wanted.items())
        else:
            assert set(rows) == set(wanted.items())


def parcel(rows: Sequence[tuple[str, str]], first: int = 1) -> Parcel:
    """A parcel of keys and words, as ``COLUMNS`` make it."""
    keys = tuple(key for key, _ in rows)
    scores = pa.array([0.5] * len(rows), pa.float64())
    table = pa.table({"id": pa.array(keys), "word": pa.array([word for _, word in rows]), "score": scores})
    return Parcel(table, keys, tuple(range(first, first + len(rows))))


def predict(catalog: Catalog, numbers: range, words: dict[int, str] | None = None, *, service: str = SERVICE) -> None:
    """Journal predictions as the server does: ``p000007`` of the entity ``w7``, or of what ``words`` says."""
    log = PredictionLog(catalog.journal_path(service), _RELEASE, _SIGNATURE)
    rows = np.zeros(len(numbers), log.dtype)
    rows["id"] = [f"p{number:06}".encode() for number in numbers]
    rows["at"] = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1e6) + np.array(numbers)
    rows["score"] = 0.25
    rows["caller"] = log.caller("ann")
    rows["entity"] = [(words or {}).get(number, f"w{number}").encode() for number in numbers]
    log.append(rows)
    log.close()


def delivered(catalog: Catalog) -> list[str]:
    """The predictions in the books of the outlet, sorted."""
    return sorted(Table(catalog.table_path("deliveries", SERVICE)).read().column("prediction_id").to_pylist())
