"""Load from wrk, on a core of its own."""

from __future__ import annotations

import json
import re
import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from drivetrain.ops.metrics import Numbers
from serving.formats import Format
from serving.running import LOAD_CORE, Running, Unavailable

_TIMEOUT_S = 30
_UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}


@dataclass(frozen=True)
class Load:
    """What wrk saw: requests a second, p50 and p99 in milliseconds."""

    rate: float
    p50: float
    p99: float


def script(folder: Path, server: Running, form: Format, rows: Numbers) -> Path:
    """A script for wrk that asks for rows [n, 24] again and again."""
    body, file = folder / "wrk.body", folder / "wrk.lua"
    body.write_bytes(form.body(rows))
    headers = {"Content-Type": form.media_type, **server.contestant.headers}
    lines = [f"wrk.headers[{json.dumps(name)}] = {json.dumps(value)}" for name, value in headers.items()]
    read = f'local file = io.open({json.dumps(str(body))}, "rb")\nwrk.body = file:read("*all")\nfile:close()'
    file.write_text("\n".join(['wrk.method = "POST"', *lines, read, ""]))
    return file


def ask(server: Running, file: Path, connections: int, seconds: int) -> Load:
    """Keep ``connections`` busy for so many seconds. Raises Unavailable when an answer is no success."""
    core = ["taskset", "-c", str(LOAD_CORE)]
    options = ["-t1", f"-c{connections}", f"-d{seconds}s", f"--timeout={_TIMEOUT_S}s", "--latency", "-s", str(file)]
    said = subprocess.run([*core, "wrk", *options, server.url], capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        wrong = next(line.strip() for line in said.splitlines() if "Non-2xx" in line or "Socket errors" in line)
        raise Unavailable(f"failed under load: {wrong}")
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    return Load(float(rate[1]), _percentile(said, 50), _percentile(said, 99))


def middle(loads: Sequence[Load]) -> Load:
    """The medians of several rounds."""
    return Load(*(statistics.median(getattr(load, name) for load in loads) for name in ("rate", "p50", "p99")))


def _percentile(said: str, share: int) -> float:
    number, unit = re.search(rf"(?m)^\s+{share}%\s+([\d.]+)(us|ms|s|m) *$", said).groups()
    return float(number) * _UNITS[unit]
