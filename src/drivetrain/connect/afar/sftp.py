"""Files on SFTP servers. The server proves itself by its host key, or nothing is said to it."""

from __future__ import annotations

import base64
import hashlib
import io
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from drivetrain.connect.afar.address import Address
from drivetrain.connect.afar.store import FarFile, Replaced, Unavailable, forbidden, missing, unusable
from drivetrain.core.credentials import Secrets
from drivetrain.core.errors import DrivetrainError, MissingExtra, Refused
from drivetrain.core.sources.storage import Storage

if TYPE_CHECKING:
    import paramiko

_PATIENCE = 30.0
_PART = 1024 * 1024
"""How many bytes are asked for at once: with more, paramiko sorts answers longer than it fetches them."""


class SftpServer:
    """A Store that is an SFTP server; keys are paths from its root."""

    def __init__(self, address: Address, storage: Storage, secrets: Secrets, home: Path) -> None:
        try:
            import paramiko
        except ImportError:
            raise MissingExtra("paramiko", "cloud") from None
        self._base, self._paramiko = address.base, paramiko
        self._client = paramiko.SSHClient()
        try:
            _know_hosts(self._client, address, storage, home)
            _log_in(self._client, address, storage, secrets)
            self._sftp = self._client.open_sftp()
            self._sftp.get_channel().settimeout(_PATIENCE)
        except (paramiko.SSHException, EOFError, OSError) as error:
            self._client.close()
            raise self._explain(error, self._base) from None
        except DrivetrainError:
            self._client.close()
            raise

    def look(self, key: str) -> FarFile | None:
        """One question."""
        try:
            found = self._sftp.stat(f"/{key}")
        except FileNotFoundError:
            return None
        except (self._paramiko.SSHException, EOFError, OSError) as error:
            raise self._explain(error, self._base + key) from None
        return self._file(key, found) if stat.S_ISREG(found.st_mode or 0) else None

    def walk(self, folder: str, depth: int | None) -> Iterator[FarFile]:
        """Folder by folder, no deeper than ``depth``; links count when they lead to files, for others may go round."""
        links, folders = list[str](), list[str]()
        try:
            for entry in self._sftp.listdir_iter(f"/{folder}"):  # asks ahead: no other question before its end
                key = f"{folder}/{entry.filename}" if folder else entry.filename
                if stat.S_ISREG(entry.st_mode or 0):
                    yield self._file(key, entry)
                elif stat.S_ISLNK(entry.st_mode or 0):
                    links.append(key)
                elif stat.S_ISDIR(entry.st_mode or 0) and depth != 1:
                    folders.append(key)
        except (self._paramiko.SSHException, EOFError, OSError) as error:
            raise self._explain(error, self._base + folder) from None
        yield from filter(None, map(self.look, links))
        for inner in folders:
            yield from self.walk(inner, depth - 1 if depth else None)

    def fetch(self, file: FarFile, start: int) -> Iterator[bytes]:
        """From ``start``, with many requests under way; size and time are compared at both ends."""
        try:
            with self._sftp.open(f"/{file.key}", "rb") as remote:
                self._check(file, remote.stat())
                for begin in range(start, file.size, _PART):
                    yield from remote.readv([(begin, min(_PART, file.size - begin))])
                self._check(file, self._sftp.stat(f"/{file.key}"))
        except FileNotFoundError:
            raise Replaced from None
        except (self._paramiko.SSHException, EOFError, OSError) as error:
            raise self._explain(error, file.name) from None

    def put(self, key: str, content: bytes) -> None:
        """The file with this key, whole or not at all, in place of the one that is there. Raises as a Store does."""
        folder, _, name = key.rpartition("/")
        new = f"/{folder}/.{name}.part" if folder else f"/.{name}.part"
        try:
            self._sftp.putfo(io.BytesIO(content), new, len(content))  # which asks for its size in the end
            self._sftp.posix_rename(new, f"/{key}")
        except (self._paramiko.SSHException, EOFError, OSError) as error:
            raise self._explain(error, self._base + key) from None

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    def _file(self, key: str, found: paramiko.SFTPAttributes) -> FarFile:
        return FarFile(
            name=self._base + key, key=key, size=found.st_size or 0, mtime_ns=(found.st_mtime or 0) * 1_000_000_000
        )

    def _check(self, file: FarFile, now: paramiko.SFTPAttributes) -> None:
        if self._file(file.key, now) != file:
            raise Replaced

    def _explain(self, error: Exception, where: str) -> DrivetrainError:
        if isinstance(error, self._paramiko.AuthenticationException):
            return forbidden(where, "it takes neither the key nor the password")
        if isinstance(error, PermissionError):
            return forbidden(where, "permission denied")
        if isinstance(error, FileNotFoundError):
            return missing(where, "folder")
        if isinstance(error, self._paramiko.BadHostKeyException):
            return _not_the_server(where, _fingerprint(error.key))
        return Unavailable(where, type(error).__name__)


def _know_hosts(client: paramiko.SSHClient, address: Address, storage: Storage, home: Path) -> None:
    """Let the client know which key the server must have; an unknown one is refused."""

    class Check:  # what paramiko calls a MissingHostKeyPolicy
        def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
            if storage.host_key is not None and _fingerprint(key) == storage.host_key.rstrip("="):
                return
            raise _not_the_server(address.base, _fingerprint(key))

    client.set_missing_host_key_policy(Check())
    if storage.host_key is None:
        known = home / storage.known_hosts if storage.known_hosts else Path.home() / ".ssh" / "known_hosts"
        try:
            client.load_host_keys(str(known))
        except OSError:
            return  # then every server is unknown, which is said when one answers


def _log_in(client: paramiko.SSHClient, address: Address, storage: Storage, secrets: Secrets) -> None:
    parts = urlsplit(f"//{address.host}")
    client.connect(
        parts.hostname or "",
        parts.port or 22,
        parts.username or storage.user,
        password=secrets.get(storage.password) if storage.password else None,
        pkey=_private_key(storage, secrets, address.base),
        look_for_keys=False,
        allow_agent=False,
        timeout=10,
        banner_timeout=_PATIENCE,
        auth_timeout=_PATIENCE,
    )


def _private_key(storage: Storage, secrets: Secrets, where: str) -> paramiko.PKey | None:
    import paramiko

    if storage.private_key is None:
        return None
    text = secrets.get(storage.private_key)
    phrase = secrets.get(storage.passphrase) if storage.passphrase else None
    for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        try:
            return kind.from_private_key(io.StringIO(text + "\n"), phrase)
        except (paramiko.SSHException, ValueError):  # of another kind, or closed
            continue
    hint = f"look into {storage.private_key}: a private key in OpenSSH or PEM form, with its `passphrase`"
    raise unusable(where, "the private key cannot be read", hint)


def _fingerprint(key: paramiko.PKey) -> str:
    return "SHA256:" + base64.b64encode(hashlib.sha256(key.asbytes()).digest()).decode().rstrip("=")


def _not_the_server(where: str, shown: str) -> Refused:
    return Refused(
        "host_key_unknown",
        f"the server shows the key {shown}, which is not the one it is known by",
        where=where,
        hint="ask its owner for the fingerprint; if it is this one, set `storage: {host_key: ...}`",
    )
