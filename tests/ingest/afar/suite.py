"""What files afar must do, whatever server they lie on; a test module for each server runs it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.servers.gate import Gate

from drivetrain.connect.place import Place
from drivetrain.core.credentials import SecretRef
from drivetrain.core.errors import Forbidden, NotFound, Refused, Transient
from drivetrain.core.sources.files import FilesSource
from drivetrain.ingest.ingest import ingest
from drivetrain.ingest.reading import Batch, Position, open_reader
from drivetrain.store.catalog import Catalog
from drivetrain.testing.readers import ReaderContract

WORD = "w" * 1000


@dataclass
class Given:
    """Credentials as they are told; of several texts the first is told first, the last for ever."""

    known: Mapping[str, list[str]]
    asked: int = 0

    def get(self, ref: SecretRef) -> str:
        self.asked += 1
        texts = self.known[ref.env or ""]
        return texts.pop(0) if len(texts) > 1 else texts[0]


@dataclass
class Far(ABC):
    """A server with files: ``base`` is the path up to its files, ``storage`` how it is reached through ``gate``."""

    base: str
    storage: Mapping[str, object]
    known: Mapping[str, str]
    gate: Gate
    wrong: Mapping[str, str] = field(default_factory=dict)
    """Credentials that it refuses, by the names of ``known``."""

    @abstractmethod
    def put(self, path: str, content: bytes) -> None:
        """Make or replace the file."""

    @abstractmethod
    def remove(self, path: str) -> None:
        """Take it away."""

    def spec(self, path: str, **storage: object) -> FilesSource:
        return FilesSource.model_validate(
            {"kind": "files", "path": self.base + path, "storage": {**self.storage, **storage}}
        )

    def place(self, home: Path, known: Mapping[str, list[str]] | None = None) -> Place:
        return Place(home, home / "cache", Given(known or {name: [text] for name, text in self.known.items()}))


def lines(rows: list[tuple[int, str]]) -> bytes:
    return b"id,word\n" + b"".join(f"{number},{word}\n".encode() for number, word in rows)


def large(megabytes: int, word: str = WORD) -> bytes:
    return lines([(number, word) for number in range(megabytes * 1000)])


def read(spec: FilesSource, place: Place, cursor: str = "") -> tuple[list[tuple[str, str]], str]:
    """All rows, and the cursor behind them."""
    rows: list[tuple[str, str]] = []
    for item in open_reader(spec, place).read(cursor):
        if isinstance(item, Position):
            cursor = item.cursor
        else:
            rows += zip(item.rows["id"].to_pylist(), item.rows["word"].to_pylist(), strict=True)
    return rows, cursor


class OneFileContract(ReaderContract):
    """A file by its name."""

    far: Far

    @pytest.fixture(autouse=True)
    def _reached(self, server: Far) -> None:
        self.far = server
        self.secrets = Given({name: [text] for name, text in server.known.items()})

    def make(self, home, rows):
        self.far.put(f"{home.name}/words.csv", lines(rows))
        self.held = rows
        return self.far.spec(f"{home.name}/words.csv")

    def add(self, home, rows):
        return self.make(home, self.held + rows)

    def remove(self, home):
        self.far.remove(f"{home.name}/words.csv")

    def test_a_connection_cut_in_the_middle_goes_on_where_it_ended(self, home):
        content, gate = large(3), self.far.gate
        self.far.put(f"{home.name}/words.csv", content)
        before = gate.passed
        gate.cut_after(2_000_000)
        rows, _ = read(self.far.spec(f"{home.name}/words.csv"), self.far.place(home))
        assert [int(number) for number, _ in rows] == list(range(3000))
        assert gate.passed - before < 1.8 * len(content), "it did not start anew"

    def test_a_server_that_is_down_for_a_while_is_asked_again(self, home):
        spec = self.make(home, [(1, "one")])
        self.far.gate.closed = 3
        assert read(spec, self.far.place(home))[0] == [("1", "one")]

    def test_a_server_that_stays_down_is_a_passing_fault_with_a_cure(self, home):
        self.make(home, [(1, "one")])
        self.far.gate.closed = 1000
        try:
            with pytest.raises(Transient) as caught:
                read(self.far.spec(f"{home.name}/words.csv", patience_seconds=0.5), self.far.place(home))
        finally:
            self.far.gate.closed = 0
        assert caught.value.code == "storage_unavailable"
        assert caught.value.hint

    def test_a_file_replaced_while_it_is_fetched_is_never_half_of_each(self, home):
        path = f"{home.name}/words.csv"
        self.far.put(path, large(3))
        new = large(3, "v" * 1000)

        def replace() -> bool:
            self.far.put(path, new)
            return True

        self.far.gate.after(1_000_000, replace)
        with suppress(Transient):  # it may be seen, or the old one was fetched whole
            assert {word for _, word in read(self.far.spec(path), self.far.place(home))[0]} == {WORD}
        assert {word for _, word in read(self.far.spec(path), self.far.place(home))[0]} == {"v" * 1000}

    def test_wrong_credentials_are_said_to_be_so_and_not_shown(self, home):
        if not self.far.wrong:
            pytest.skip("this server asks for none")
        spec = self.make(home, [(1, "one")])
        with pytest.raises(Forbidden) as caught:
            read(spec, self.far.place(home, {name: [text] for name, text in self.far.wrong.items()}))
        assert caught.value.code == "storage_forbidden"
        assert "credentials" in caught.value.hint
        shown = f"{caught.value} {caught.value.where} {caught.value.hint}"
        assert not any(text in shown for text in [*self.far.wrong.values(), *self.far.known.values()])

    def test_credentials_that_were_renewed_are_looked_up_again(self, home):
        if not self.far.wrong:
            pytest.skip("this server asks for none")
        spec = self.make(home, [(1, "one")])
        renewed = {name: [text, self.far.known[name]] for name, text in self.far.wrong.items()}
        assert read(spec, self.far.place(home, renewed))[0] == [("1", "one")]

    def test_the_cursor_and_the_cache_hold_no_credential_and_no_file(self, home):
        spec = self.make(home, [(1, "one")])
        _, cursor = read(spec, self.far.place(home))
        assert not any(text in cursor for text in self.far.known.values())
        assert not any(path.is_file() for path in (home / "cache").rglob("*"))

    def test_the_same_content_put_again_is_nothing_new(self, home):
        spec = self.make(home, [(1, "one")])
        _, cursor = read(spec, self.far.place(home))
        self.make(home, [(1, "one")])
        assert read(spec, self.far.place(home), cursor) == ([], cursor)

    def test_a_rewritten_file_is_refused(self, home):
        spec = self.make(home, [(1, "one"), (2, "two")])
        _, cursor = read(spec, self.far.place(home))
        self.make(home, [(1, "another"), (2, "two"), (3, "three")])
        with pytest.raises(Refused) as caught:
            read(spec, self.far.place(home), cursor)
        assert caught.value.code == "file_rewritten"


class FolderContract(OneFileContract):
    """A folder, which a new file makes grow."""

    def make(self, home, rows):
        self.far.put(f"{home.name}/in/{rows[0][0]:03}.csv", lines(rows))
        return self.far.spec(f"{home.name}/in/")

    def add(self, home, rows):
        return self.make(home, rows)

    def remove(self, home):
        self.far.remove(f"{home.name}/in/001.csv")

    def test_a_folder_and_globs(self, home):
        for name in ("a.csv", "b.jsonl.gz", "deep/c.csv", "deep/er/d.csv", "notes.txt", "_done.csv", ".hidden/d.csv"):
            self.far.put(f"{home.name}/{name}", b"x\n1\n")

        def names(path):
            portions = open_reader(self.far.spec(f"{home.name}{path}"), self.far.place(home)).discover()
            return [portion.name.removeprefix(f"{self.far.base}{home.name}/") for portion in portions]

        assert names("") == names("/") == ["a.csv", "b.jsonl.gz", "deep/c.csv", "deep/er/d.csv"]
        assert names("/*.csv") == ["_done.csv", "a.csv"]
        assert names("/*/*.csv") == ["deep/c.csv"]
        assert names("/**/[cd].csv") == ["deep/c.csv", "deep/er/d.csv"]
        assert names("/notes.txt") == ["notes.txt"]

    def test_nothing_there_says_what_is(self, home):
        self.far.put(f"{home.name}/notes.txt", b"hello")
        with pytest.raises(NotFound, match="no such file") as caught:
            open_reader(self.far.spec(f"{home.name}/*.csv"), self.far.place(home)).discover()
        assert "notes.txt" in caught.value.hint

    def test_an_object_replaced_after_it_was_listed_is_not_read(self, home):
        spec = self.make(home, [(1, "one")])
        self.make(home, [(2, "two")])
        items = open_reader(spec, self.far.place(home)).read("")
        assert isinstance(next(items), Batch)
        self.far.put(f"{home.name}/in/002.csv", lines([(2, "two"), (3, "three")]))
        with pytest.raises(Transient) as caught:
            list(items)
        assert caught.value.code == "file_changing"
        assert caught.value.where.endswith("002.csv")

    def test_one_file_at_a_time_lies_in_the_cache(self, home):
        for number in range(4):
            self.make(home, [(number, "word")])
        place = self.far.place(home)
        for item in open_reader(self.far.spec(f"{home.name}/in"), place).read(""):
            (held,) = (file.stat().st_size for file in place.cache.rglob("fetched-*"))
            assert held == (len(lines([(0, "word")])) if isinstance(item, Batch) else 0)

    def test_a_load_that_failed_goes_on(self, home):
        first = self.make(home, [(1, "one")])
        with Catalog(home) as catalog:
            ingest(first, "words", catalog, secrets=self.secrets)
            self.make(home, [(2, "two")])
            self.far.gate.closed = 1000
            try:
                with pytest.raises(Transient):
                    ingest(
                        self.far.spec(f"{home.name}/in/", patience_seconds=0.3), "words", catalog, secrets=self.secrets
                    )
            finally:
                self.far.gate.closed = 0
            assert ingest(first, "words", catalog, secrets=self.secrets).rows == 2
