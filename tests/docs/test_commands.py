"""The commands that the pages show are run, in order, as they stand; only the data are smaller and the port another."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import click
import pytest
from tests.house.conftest import ROOT

from drivetrain.cli.main import cli

HERE = Path(__file__).parent
WALKS = {
    "README": ["README.md"],
    "ml-engineer": ["docs/ml-engineer.md"],
    "ai-engineer": ["docs/ai-engineer.md", "docs/operating.md", "docs/ways-in.md"],
    "rolling-out": ["docs/rolling-out.md"],
    "sources": ["docs/sources/README.md", "docs/sources/contracts.md"],
    "outlets": ["docs/outlets/README.md"],
}
BEGUN = ["drivetrain init my-risk --pack risk", "cd my-risk", "drivetrain run"]
READY = ("ai-engineer", "rolling-out", "outlets")
"""These begin with a project that was run: README.md promises that it can be; here one is made, and copied for each."""
RUN = [page for walk in WALKS.values() for page in walk]
PAGES = sorted(path.relative_to(ROOT).as_posix() for path in [ROOT / "README.md", *ROOT.glob("docs/**/*.md")])
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page, *languages):
    text = (ROOT / page).read_text(encoding="utf-8")
    return [body for language, body in FENCE.findall(text) if language in languages]


@pytest.mark.skipif(shutil.which("curl") is None, reason="the pages call the service with curl")
@pytest.mark.parametrize("walk", WALKS)
def test_the_commands_of_a_page_run(walk, tmp_path, request, warm):
    """Some pages go on in the project of the page before. Those of the README start as a newcomer starts them."""
    commands = [block for page in WALKS[walk] for block in blocks(page, "sh")]
    assert len(commands) >= 4
    ready = ""
    if walk in READY:
        assert "\n".join(commands).startswith("\n".join(BEGUN))
        ready = str(request.getfixturevalue("project_that_was_run"))
    walk_through(commands, tmp_path, READY=ready, WARM="" if walk == "README" else warm)


@pytest.fixture(scope="session")
def project_that_was_run(tmp_path_factory, warm):
    folder = tmp_path_factory.mktemp("ready")
    walk_through(BEGUN, folder, READY="", WARM=warm)
    return folder / "my-risk"


@pytest.fixture(scope="session")
def warm(tmp_path_factory):
    """A socket at which commands are processes that have imported everything already; what they do is the same."""
    path = tmp_path_factory.mktemp("warm") / "socket"
    command = [sys.executable, HERE / "warm.py", "serve", path]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "COLUMNS": "200"}
    ) as server:
        assert server.stdout.readline() == b"ready\n"
        yield str(path)


def walk_through(commands, folder, **more):
    script = "\n".join([(HERE / "preamble.sh").read_text(), *commands])
    place = {
        "ROOT": str(ROOT),
        "DOCS": str(HERE),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    code, said = run(["bash", "-c", script], folder, {**os.environ, **place, **more})
    assert code == 0, said[-8000:]
    assert "Traceback" not in said


def run(command, folder, environment):
    """The exit code, and what was said on both outputs; nothing that was started is left behind."""
    both = subprocess.STDOUT
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=both, text=True, start_new_session=True
    )
    try:
        said, _ = process.communicate(timeout=280)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    return process.returncode, said


def test_the_way_of_both_engineers_meets_every_verb():
    run = "\n".join(block for page in RUN for block in blocks(page, "sh"))
    stages = ("ingest", "prepare", "train", "validate", "release", "approve", "verify", "deploy", "serve", "monitor")
    rollout = ("replay", "promote", "rollback", "deployments")
    verbs = ("init", "doctor", "run", "plan", *stages, *rollout, "ls", "show", "trace")
    assert [verb for verb in verbs if f"drivetrain {verb}" not in run] == []


def shown_commands():
    for page in PAGES:
        text = (ROOT / page).read_text(encoding="utf-8")
        inline = re.findall(r"`(drivetrain [^`]+)`", FENCE.sub("", text).replace("\n", " "))
        languages = ("", "text") if page in RUN else ("", "text", "sh")
        fenced = re.findall(r"^(drivetrain .+)$", "\n".join(blocks(page, *languages)), re.MULTILINE)
        for command in dict.fromkeys((*inline, *(line.split("   ")[0] for line in fenced))):
            yield pytest.param(command, id=f"{page}: {command}")


@pytest.mark.parametrize("command", [*shown_commands()])
def test_a_command_in_the_text_exists_and_takes_its_options(command):
    words = [word for word in shlex.split(command, comments=True)[1:] if "..." not in word]
    if words == ["--help"]:
        return
    group, path = cli, []
    while isinstance(group, click.Group) and words and not words[0].startswith("-"):
        context = click.Context(group)
        path.append(words.pop(0))
        group = group.get_command(context, path[-1])
        assert group is not None, f"there is no command {' '.join(path)}"
    known = {option for parameter in group.params for option in parameter.opts} | {"--help"}
    options = {word for word in words if word.startswith("-")}
    assert options <= known


@pytest.mark.parametrize("page", [*PAGES, "CONTRIBUTING.md", "CHANGELOG.md"])
def test_every_link_leads_somewhere(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)]+)\)", FENCE.sub("", text)) if "://" not in link]
    for link in links:
        path, _, anchor = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.exists(), link
        if anchor:
            headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-") for heading in headings}
