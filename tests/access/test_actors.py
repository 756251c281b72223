from __future__ import annotations

import base64
from pathlib import Path

import pytest

from drivetrain.access.actors import add_actor, find_actor, read_actors, remove_actor, write_actors
from drivetrain.core.errors import InvalidInput, NotFound, Refused
from drivetrain.core.roles import Actor, Role

KEYS = [base64.b64encode(bytes([number]) * 32).decode() for number in range(3)]
MIA = Actor("mia", Role.ML_ENGINEER, KEYS[0])
ADA = Actor("ada@example.org", Role.AI_ENGINEER, KEYS[1])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "actors.yaml"


def test_actors_are_read_as_they_were_written(file: Path):
    write_actors(file, {"mia": MIA, "ada@example.org": ADA})
    assert read_actors(file) == {"mia": MIA, "ada@example.org": ADA}
    assert list(read_actors(file)) == ["mia", "ada@example.org"]
    assert file.read_text().startswith("# Who may sign")


def test_actors_come_and_go(file: Path):
    add_actor(file, MIA)
    add_actor(file, ADA)
    assert set(read_actors(file)) == {"mia", "ada@example.org"}
    remove_actor(file, "mia")
    assert read_actors(file) == {"ada@example.org": ADA}


def test_the_last_who_may_manage_actors_stays(file: Path):
    write_actors(file, {"mia": MIA, "ada@example.org": ADA})
    with pytest.raises(Refused, match=r"ada@example\.org is the last who may manage actors") as error:
        remove_actor(file, "ada@example.org")
    assert "drivetrain actors add NAME --role ai-engineer" in error.value.hint
    assert set(read_actors(file)) == {"mia", "ada@example.org"}
    add_actor(file, Actor("abe", Role.AI_ENGINEER, KEYS[2]))
    remove_actor(file, "ada@example.org")
    assert set(read_actors(file)) == {"mia", "abe"}


def test_a_name_or_key_is_given_once(file: Path):
    add_actor(file, MIA)
    with pytest.raises(InvalidInput, match="mia is known already"):
        add_actor(file, Actor("mia", Role.AUDITOR, KEYS[2]))
    with pytest.raises(InvalidInput, match="max and mia have the same public key"):
        add_actor(file, Actor("max", Role.AI_ENGINEER, MIA.public_key))
    with pytest.raises(InvalidInput, match="cannot name an actor"):
        add_actor(file, Actor("../max", Role.AI_ENGINEER, KEYS[2]))
    with pytest.raises(InvalidInput, match="public key of max"):
        add_actor(file, Actor("max", Role.AI_ENGINEER, "AAAA"))
    assert read_actors(file) == {"mia": MIA}


def test_an_unknown_actor_is_named_with_the_others(file: Path):
    add_actor(file, MIA)
    for call in (lambda: find_actor(read_actors(file), "bob"), lambda: remove_actor(file, "bob")):
        with pytest.raises(NotFound, match=r"'bob' is not in actors\.yaml") as error:
            call()
        assert error.value.hint == "known: mia"


def test_no_file_says_what_to_do(file: Path):
    with pytest.raises(NotFound) as error:
        read_actors(file)
    assert "drivetrain actors add" in error.value.hint


MIA_LINES = f"actors:\n  mia:\n    role: ml-engineer\n    public_key: {KEYS[0]}\n"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", None, "the file is empty"),
        ("just words", 1, "`key: value` lines"),
        ("- a\n- b\n", 1, "`key: value` lines"),
        ("people: {}\n", 1, "one key `actors`"),
        ("actors: {}\nmore: 1\n", 1, "one key `actors`"),
        ("actors: [mia]\n", 1, "`key: value` lines"),
        ("actors:\n  mia: ml-engineer\n", 2, "`key: value` lines"),
        ("actors:\n  mia:\n    role: ml-engineer\n", 3, "mia lacks public_key"),
        (MIA_LINES.replace("ml-engineer", "boss"), 3, "role 'boss'; known: ml-engineer, ai-engineer, auditor"),
        (MIA_LINES + "    private_key: secret\n", 5, "unusable key 'private_key'"),
        (MIA_LINES.replace("role: ml-engineer", "role: [ml-engineer]"), 3, "unusable key 'role'"),
        (MIA_LINES.replace(KEYS[0], "AAAA"), 4, "32 raw Ed25519 bytes"),
        (MIA_LINES.replace("  mia:", "  ../mia:"), 4, "no usable name"),
        (MIA_LINES + MIA_LINES.removeprefix("actors:\n"), 5, "'mia' is given twice"),
        (MIA_LINES + MIA_LINES.removeprefix("actors:\n").replace("mia", "max"), 7, "have the same public key"),
        (
            "actors:\n  mia: &a\n    role: auditor\n    public_key: " + KEYS[0] + "\n  max: *a\n",
            4,
            "the same public key",
        ),
        ("actors:\n  mia: {role: [\n", 3, "not valid YAML"),
        ("actors:\n\t- x", 2, "not valid YAML"),
        ("actors: !!python/object/apply:os.system [ls]", 1, "`key: value` lines"),
        ("? {a: b}\n: c\n", 1, "not a word"),
    ],
)
def test_a_mistake_is_named_with_its_line(file: Path, text: str, line: int | None, message: str):
    file.write_text(text)
    with pytest.raises(InvalidInput) as error:
        read_actors(file)
    assert message in str(error.value)
    assert error.value.where == (f"{file}:{line}" if line else str(file))


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"[" * 20_000, b"{a: " * 5_000, b"x" * 300_000])
def test_garbage_is_refused(file: Path, content: bytes):
    file.write_bytes(content)
    with pytest.raises(InvalidInput):
        read_actors(file)


def test_a_folder_is_no_file(file: Path):
    file.mkdir()
    with pytest.raises(InvalidInput, match="cannot be read"):
        read_actors(file)
