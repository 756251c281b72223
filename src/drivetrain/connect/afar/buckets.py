"""Buckets of object stores: S3 and what speaks like it, Google Cloud Storage, Azure Blob Storage and ADLS."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, NoReturn

from drivetrain.connect.afar.address import Address
from drivetrain.connect.afar.store import FarFile, Replaced, Unavailable, credential, forbidden, missing, unusable
from drivetrain.core.credentials import SecretRef, Secrets
from drivetrain.core.errors import DrivetrainError, MissingExtra
from drivetrain.core.sources.storage import Storage

if TYPE_CHECKING:
    from obstore import ObjectMeta
    from obstore.store import AzureStore, ClientConfig, GCSStore, RetryConfig, S3Store

    ObjectStore = S3Store | GCSStore | AzureStore

_PART, _PIECE = 16 * 1024 * 1024, 1024 * 1024
"""How many bytes one request asks for, so that it ends in time on slow lines; and how many are held in memory."""
_NO_RETRY: RetryConfig = {"max_retries": 0, "retry_timeout": timedelta(seconds=30)}
_LOGIN = re.compile(r"Expired|InvalidToken|AuthenticationFailed|invalid_grant|invalid_client")
_IDENTITY = re.compile(r"169\.254\.|/latest/(api/token|meta-data)|computeMetadata|[?&]resource=https")
"""Where a machine asks for its own identity: at Amazon, Google, Azure."""
_NO_KEY = re.compile(r"empty path segment|illegal character")


class Bucket:
    """A Store that is a bucket (Azure: a container)."""

    def __init__(self, address: Address, storage: Storage, secrets: Secrets) -> None:
        self._base = address.base
        try:
            import obstore
        except ImportError:
            raise MissingExtra("obstore", "cloud") from None
        self._obstore = obstore
        try:
            self._bucket = _open(address, storage, secrets)
        except (obstore.exceptions.BaseError, ValueError):  # its text may hold the credential
            hint = "look whether each credential is of the kind that `storage` says, and whether `endpoint` is a URL"
            raise unusable(self._base, "the options of `storage` do not fit together", hint) from None

    def look(self, key: str) -> FarFile | None:
        """One request."""
        try:
            return self._file(self._obstore.head(self._bucket, key))
        except FileNotFoundError:
            return None
        except self._obstore.exceptions.BaseError as error:
            _explain(error, self._base + key)

    def walk(self, folder: str, depth: int | None) -> Iterator[FarFile]:
        """A request for each thousand keys; those further down are left out with a depth of 1 only."""
        try:
            if depth == 1:
                yield from map(self._file, self._obstore.list_with_delimiter(self._bucket, folder or None)["objects"])
                return
            for metas in self._obstore.list(self._bucket, folder or None, chunk_size=1000):
                yield from map(self._file, metas)
        except (self._obstore.exceptions.BaseError, OSError) as error:
            _explain(error, self._base + folder)

    def fetch(self, file: FarFile, start: int) -> Iterator[bytes]:
        """A request for each part, all of the version that was listed."""
        for begin in range(start, file.size, _PART):
            yield from self._part(file, begin, min(begin + _PART, file.size))

    def _part(self, file: FarFile, begin: int, end: int) -> Iterator[bytes]:
        tag = f'"{file.version}"' if file.version else None
        try:
            part = self._obstore.get(self._bucket, file.key, options={"range": (begin, end), "if_match": tag})
            now = self._file(part.meta)
            if (now.size, now.version) != (file.size, file.version):
                raise Replaced  # the store takes no conditions
            for piece in part.stream(_PIECE):
                begin += len(piece)
                yield bytes(piece)
        except (self._obstore.exceptions.PreconditionError, FileNotFoundError):
            raise Replaced from None
        except self._obstore.exceptions.BaseError as error:
            _explain(error, file.name)
        if begin != end:
            raise Unavailable(file.name, f"{end - begin:,} bytes of a part are missing")

    def put(self, key: str, content: bytes) -> None:
        """The file with this key, whole or not at all, in place of the one that is there. Raises as a Store does."""
        try:
            self._obstore.put(self._bucket, key, content)
        except (self._obstore.exceptions.BaseError, OSError) as error:
            _explain(error, self._base + key)

    def close(self) -> None:
        """There is no connection to keep."""

    def _file(self, meta: ObjectMeta) -> FarFile:
        time = round(meta["last_modified"].timestamp() * 1000) * 1_000_000
        version = (meta["e_tag"] or "").strip('"')
        return FarFile(
            name=self._base + meta["path"], key=meta["path"], size=meta["size"], mtime_ns=time, version=version
        )


def store_options(address: Address, storage: Storage, secrets: Secrets) -> dict[str, str]:
    """The options in the words of the library object_store, which obstore and delta-rs share. Raises NotFound."""
    refs: Mapping[str, SecretRef | None]
    options: dict[str, str | None] = {"skip_signature": "true"} if storage.anonymous else {}
    if address.scheme == "s3":
        refs = {"access_key_id": storage.access_key, "secret_access_key": storage.secret_key, "token": storage.token}
        options |= {"endpoint": storage.endpoint, "region": storage.region}
    elif address.scheme == "gs":
        refs = {"bearer_token": storage.token}
        options |= {"base_url": storage.endpoint}
        if storage.service_account is not None:
            options["service_account_key"] = secrets.get(storage.service_account)  # JSON, of many lines
    else:
        refs = {"account_key": storage.secret_key, "sas_key": storage.token}
        account = storage.account or address.host.partition("@")[2].partition(".")[0]
        options |= {"account_name": account, "endpoint": storage.endpoint}
    known = {name: credential(secrets, ref, address.base) for name, ref in refs.items() if ref is not None}
    return known | {name: value for name, value in options.items() if value}


def table_options(address: Address, storage: Storage, secrets: Secrets) -> dict[str, str]:
    """The same for a table of a lake, with time-outs: nobody else watches over its many small files.

    Raises NotFound, and InvalidInput for what the library under tables does not take.
    """
    if address.scheme == "gs" and storage.token is not None:
        hint = "give `service_account`, or let the machine use its own identity"
        raise unusable(address.base, "no table is opened with a bearer token", hint)
    patience = {"retry_timeout": f"{storage.patience_seconds}s", "timeout": "60s", "connect_timeout": "10s"}
    return store_options(address, storage, secrets) | patience | {"allow_http": str(storage.allow_http).lower()}


def _open(address: Address, storage: Storage, secrets: Secrets) -> ObjectStore:
    from obstore.store import AzureStore, GCSStore, S3Store

    kinds: dict[str, type[ObjectStore]] = {"s3": S3Store, "gs": GCSStore}
    client: ClientConfig = {"timeout": "60s", "connect_timeout": "10s", "allow_http": storage.allow_http}
    return kinds.get(address.scheme, AzureStore)(
        address.host.partition("@")[0],
        config=store_options(address, storage, secrets),  # type: ignore[arg-type]  # each kind has names of its own
        client_options=client,
        retry_config=_NO_RETRY,
    )


def _explain(error: Exception, where: str) -> NoReturn:
    """Raise what the error means. Its own text is not shown: it may hold a signed address."""
    raise _meaning(str(error), where) from None


def _meaning(text: str, where: str) -> DrivetrainError:
    found = re.search(r"status code: (\d{3})", text)
    status = int(found[1]) if found else 0
    code = re.search(r"<Code>(\w+)</Code>", text)
    why = f"{status} {code[1]}" if code else str(status)
    if not status and _NO_KEY.search(text):
        return unusable(where, "a key there has parts that are empty or dots", "rename it, or name a folder beside it")
    if status < 500 and _IDENTITY.search(text):
        return forbidden(where, "`storage` names none, and this machine has no identity at the cloud")
    if status in (401, 403) or (status == 400 and _LOGIN.search(text)):
        return forbidden(where, why)
    if status == 404:
        return missing(where, "bucket" if "Bucket" in why or "Container" in why else "bucket or folder")
    if 300 <= status < 400 or "Redirect" in text:
        return unusable(where, "the bucket is in another region", "set `storage: {region: ...}`, or correct `endpoint`")
    if status in (0, 408, 429) or status >= 500:
        return Unavailable(where, why if status else "no connection")
    return unusable(where, f"the store refuses the request ({why})")
