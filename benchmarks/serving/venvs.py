"""A virtual environment for each peer, made by pip from its file of requirements and kept for the next run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from serving.running import Unavailable

_DONE = "installed.txt"
_INSTALL_WITHIN_S = 1800


def default_folder() -> Path:
    """Below the user's cache directory."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "drivetrain" / "benchmarks"


def environment(folder: Path, requirements: Path) -> Path:
    """The ``bin`` folder of an environment with these requirements. Raises Unavailable when it cannot be made."""
    place = folder / requirements.stem
    wanted = f"{sys.version}\n{requirements.read_text()}"
    done = place / _DONE
    if not done.exists() or done.read_text() != wanted:
        print(f"installing {requirements.stem} ...", file=sys.stderr, flush=True)
        shutil.rmtree(place, ignore_errors=True)
        _run([sys.executable, "-m", "venv", str(place)])
        _run([str(place / "bin" / "python"), "-m", "pip", "install", "--quiet", "--requirement", str(requirements)])
        done.write_text(wanted)
    return place / "bin"


def _run(command: list[str]) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=_INSTALL_WITHIN_S)
    except subprocess.TimeoutExpired as error:
        raise Unavailable("the installation took too long") from error
    except subprocess.CalledProcessError as error:
        said = [line for line in error.stderr.splitlines() if line.startswith("ERROR: ")] or [error.stderr.strip()]
        raise Unavailable(f"not installed: {said[-1][:200]}") from error
