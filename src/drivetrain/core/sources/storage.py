"""How to reach files that lie afar: an object store, a web server, an SFTP server."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self, cast
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from drivetrain.core.credentials import SecretRef
from drivetrain.core.spec import Spec

_ENDPOINT = re.compile(r"https?://([\w.-]+|\[[0-9a-fA-F:.]+\])(:\d{1,5})?(/[\w.~/-]*)?", re.ASCII)
_BUCKET = re.compile(r"[\w$.-]+(@[\w.-]+)?", re.ASCII)
Scheme = Literal["s3", "gs", "az", "abfss", "https", "http", "sftp"]
_EVERYWHERE = frozenset({"patience_seconds"})
_AZURE = frozenset({"endpoint", "account", "anonymous", "secret_key", "token", "allow_http"})
_WEB = frozenset({"token", "user", "password", "allow_http"})
_OPTIONS: Mapping[Scheme, frozenset[str]] = {
    "s3": frozenset({"endpoint", "region", "anonymous", "access_key", "secret_key", "token", "allow_http"}),
    "gs": frozenset({"endpoint", "anonymous", "token", "service_account", "allow_http"}),
    "az": _AZURE,
    "abfss": _AZURE,
    "https": _WEB,
    "http": _WEB,
    "sftp": frozenset({"user", "password", "private_key", "passphrase", "host_key", "known_hosts"}),
}


def _check_endpoint(endpoint: str) -> str:
    if not _ENDPOINT.fullmatch(endpoint) or urlsplit(endpoint).port == 0:  # which raises when it is too large
        raise ValueError(f"{endpoint!r} is no address such as https://store.example.com:9000")
    return endpoint


class Storage(Spec):
    """How to reach files that lie afar. Without a key an object store uses the machine's own identity at its cloud."""

    endpoint: Annotated[str, AfterValidator(_check_endpoint)] | None = Field(
        None, description="Address of a store that speaks S3, or of a private one."
    )
    region: Annotated[str, Field(pattern=r"^[a-zA-Z0-9-]+$")] = Field("us-east-1", description="Of an S3 bucket.")
    account: Annotated[str, Field(pattern=r"^[a-z0-9]+$")] | None = Field(
        None, description="Name of the Azure storage account."
    )
    anonymous: bool = Field(False, description="Ask without credentials: public buckets.")
    access_key: SecretRef | None = Field(None, description="S3: the id of the access key.")
    secret_key: SecretRef | None = Field(None, description="S3: the secret of the access key. Azure: the account key.")
    token: SecretRef | None = Field(None, description="S3: session token. Azure: SAS. Google, HTTP: bearer token.")
    service_account: SecretRef | None = Field(None, description="Google: the key of a service account (JSON).")
    user: str | None = Field(None, description="HTTP, SFTP: whose password or key it is.")
    password: SecretRef | None = Field(None, description="HTTP, SFTP: the password.")
    private_key: SecretRef | None = Field(None, description="SFTP: the private key (OpenSSH or PEM).")
    passphrase: SecretRef | None = Field(None, description="SFTP: opens the private key.")
    host_key: str | None = Field(
        None, description="SFTP: the server's key, as `ssh-keygen -lf` shows it: `SHA256:...`."
    )
    known_hosts: str | None = Field(
        None, description="SFTP: file of known servers, instead of `~/.ssh/known_hosts`; relative to the project."
    )
    allow_http: bool = Field(False, description="Speak HTTP without TLS; what is sent can be read on the way.")
    patience_seconds: Annotated[float, Field(gt=0)] = Field(
        60.0, description="How long to try again when the store does not answer; counted anew whenever bytes arrive."
    )

    @model_validator(mode="after")
    def _keys_come_in_pairs(self) -> Self:
        if self.access_key and not self.secret_key:
            raise ValueError("`access_key` needs its `secret_key`")
        if self.endpoint and self.endpoint.startswith("http://") and not self.allow_http:
            raise ValueError("the endpoint speaks HTTP without TLS; use https://, or agree with `allow_http: true`")
        return self


def check_path(path: str) -> str:
    """The path of a source of files. Raises ValueError when it has a scheme that is not read, or a password in it."""
    scheme, mark, rest = path.partition("://")
    if not mark:
        return path
    if scheme not in _OPTIONS:
        raise ValueError(f"nothing reads {scheme}://; {', '.join(_OPTIONS)} are read")
    host, _, key = rest.partition("/")
    if not host:
        raise ValueError(f"name a bucket or host after {scheme}://")
    if ":" in host.rpartition("@")[0]:
        raise ValueError("a password stands in the path; name it in `storage` by reference instead")
    if scheme in ("http", "https") and "*" in key:
        raise ValueError("a web server lists no files: name one, without a `*`")
    if scheme in ("s3", "gs", "az", "abfss"):
        _check_key(host, key)
    return path


def _check_key(bucket: str, key: str) -> None:
    if not _BUCKET.fullmatch(bucket):
        raise ValueError(f"{bucket!r} is no name of a bucket")
    if not key.isprintable() or any(part in ("", ".", "..") for part in key.removesuffix("/").split("/") if key):
        raise ValueError("the parts of a key are not empty (`//`), `.` or `..`")


def check_storage(path: str, storage: Storage) -> None:
    """Raise ValueError when the options are not those of the path's scheme, or one that it needs is not there."""
    scheme, mark, rest = path.partition("://")
    given = storage.model_fields_set - _EVERYWHERE
    allowed = _OPTIONS[cast(Scheme, scheme)] if mark else frozenset()
    if unfit := sorted(given - allowed):
        raise ValueError(
            f"`storage: {unfit[0]}` is of no use for {scheme + '://' if mark else 'files of this machine'}"
        )
    if scheme == "http" and not storage.allow_http:
        raise ValueError("http:// can be read on the way; use https://, or agree with `storage: {allow_http: true}`")
    if scheme == "sftp":
        if not (storage.password or storage.private_key):
            raise ValueError("sftp:// needs `storage` with a `private_key` or a `password`")
        if "@" not in rest.partition("/")[0] and not storage.user:
            raise ValueError("sftp:// needs a user: `sftp://user@host/...`, or `storage: {user: ...}`")
    if scheme == "az" and not storage.account:
        raise ValueError("az://container/... needs `storage: {account: ...}`, the name of the storage account")
    if scheme == "abfss" and "@" not in rest.partition("/")[0]:
        raise ValueError("write abfss://container@account.dfs.core.windows.net/...")
