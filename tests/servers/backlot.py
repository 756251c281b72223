"""Backlot, an emulator of HubSpot and Jira among others, over the small corpus that it brings along."""

import os
import shutil
import socket
import subprocess
from contextlib import contextmanager
from threading import Event

import pytest

TOKEN = "admin-service-token"  # the emulator's own word for who may see everything


@contextmanager
def backlot(folder):
    """Its address. Skips the test where it is not installed."""
    program = shutil.which("backlot")
    if program is None:
        pytest.skip("backlot is not installed: pip install backlot")
    subprocess.run([program, "import", "--bundled", "--data-dir", folder], check=True, capture_output=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    serve = [program, "serve", "--port", str(port), "--disable-telemetry"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(serve, env={**os.environ, "BACKLOT_DATA_DIR": str(folder)}, **quiet) as process:
        try:
            _wait_for(port)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def _wait_for(port):
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            Event().wait(0.05)
        else:
            return
    raise TimeoutError("backlot does not answer")
