"""Object stores: Amazon S3 and what speaks its protocol, Google Cloud Storage, and fsspec's memory, through pyarrow.

A store is connected to when an address of it is first read, never before: the client of S3 starts threads of its own.
"""

import contextlib
import functools
import os
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

import pyarrow as pa

from linreg_cli.config.object_address import ObjectAddress, ObjectAddressError
from linreg_cli.errors import DataError
from linreg_cli.wording import number

if TYPE_CHECKING:
    from pyarrow.fs import FileInfo, FileSystem

#: Seconds until a connection is established, and without a byte of an answer; how often a request is sent at most.
CONNECT_SECONDS, ANSWER_SECONDS, ATTEMPTS = 5.0, 10.0, 3

#: What credentials, region and endpoint are taken from where the address does not say them.
_VARIABLES = ("AWS_", "GOOGLE_", "CLOUD_STORAGE_")
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
_REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")
_DENIAL = re.compile(r"ACCESS_DENIED|INVALID_ACCESS_KEY|SIGNATURE|HTTP status 40[13]|PERMISSION_DENIED|UNAUTHENTICATED")
_DENIED = {
    "s3": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or add the option anonymous=true for a public bucket",
    "gs": "set GOOGLE_APPLICATION_CREDENTIALS, or add the option anonymous=true for a public bucket",
}


class ObjectError(DataError):
    """A store that cannot be read, or an object that is not there or not what it was."""

    about_content = False


class ObjectStore:
    """The store of an address.

    Args:
        address: of an object, or of several.

    Attributes:
        address: its parts.

    Raises:
        ObjectError: for an address that is none, and a store that cannot be connected to.
    """

    def __init__(self, address: str) -> None:
        try:
            self.address = ObjectAddress.parsed(address)
        except ObjectAddressError as error:
            raise ObjectError(f"it is not an address of an object: {error}", address) from None
        with self._said():
            self._filesystem = _filesystem(self.address)

    def info(self, path: str) -> "FileInfo":
        """What is at a path: a file, a folder, or nothing.

        Raises:
            ObjectError: if the store does not say.
        """
        with self._said():
            found: FileInfo = self._filesystem.get_file_info(path)
            return found

    def listed(self, folder: str, *, recursive: bool) -> list["FileInfo"]:
        """The files and folders in a folder, sorted by their paths.

        Raises:
            ObjectError: as `info`.
        """
        from pyarrow.fs import FileSelector

        with self._said():
            found = self._filesystem.get_file_info(FileSelector(folder, recursive=recursive))
        return sorted(found, key=lambda info: str(info.path))

    @contextlib.contextmanager
    def opened(self) -> Iterator[tuple[pa.NativeFile, object]]:
        """The bytes of the object at the address, which are read by ranges, and what tells them from others.

        Raises:
            ObjectError: if there is none, or it cannot be read.
        """
        of_memory = self.address.scheme == "memory"
        with self._said(), _memory_file(self.address.path) if of_memory else self._file() as found:
            yield found

    @contextlib.contextmanager
    def _file(self) -> Iterator[tuple[pa.NativeFile, object]]:
        with self._filesystem.open_input_file(self.address.path) as file:
            metadata = {**(file.metadata() or {})}  # of S3: length, entity tag, time of the last change
            if not metadata:
                info = self._filesystem.get_file_info(self.address.path)
                metadata = {"size": info.size, "mtime": info.mtime_ns}
            yield file, metadata

    @contextlib.contextmanager
    def _said(self) -> Iterator[None]:
        """A block whose errors of the store are those of a user."""
        try:
            yield
        except FileNotFoundError:
            raise ObjectError(self.nothing(), self.address.name) from None
        except OSError as error:
            raise ObjectError(f"cannot be read: {_reason(str(error), self.address)}", self.address.name) from None

    def nothing(self) -> str:
        """Why there is nothing at the address."""
        if self.address.scheme == "memory":
            return (
                "there is no such object: memory:// is the memory of one Python program, which fsspec and pandas "
                "write to; a command finds what its own process has written"
            )
        from pyarrow.fs import FileType

        bucket = self.address.path.partition("/")[0]
        if self.info(bucket).type == FileType.NotFound:
            return f"there is no bucket {bucket}, or it may not be read"
        return f"there is no such object in the bucket {bucket}"


def _filesystem(address: ObjectAddress) -> "FileSystem":
    """The file system of a store."""
    if address.scheme == "memory":
        return _memory()
    options = dict(address.options)
    anonymous = options.pop("anonymous", None) == "true"
    found = tuple(sorted(each for each in os.environ.items() if each[0].startswith(_VARIABLES)))
    if address.scheme == "gs":
        return _google(anonymous, tuple(options.items()), ATTEMPTS * ANSWER_SECONDS, found)
    endpoint = next(filter(None, map(os.environ.get, _ENDPOINTS)), None)
    if endpoint and "endpoint_override" not in options:
        scheme, _, host = endpoint.rpartition("://")
        options |= {"endpoint_override": host.rstrip("/"), "scheme": options.get("scheme") or scheme or "https"}
    if not {"region", "endpoint_override"} & options.keys() and not any(map(os.environ.get, _REGIONS)):
        options["region"] = _region(address.path.partition("/")[0])
    keys = (address.access_key, address.secret_key)
    return _s3(anonymous, keys, tuple(options.items()), (CONNECT_SECONDS, ANSWER_SECONDS, ATTEMPTS), found)


@functools.lru_cache(maxsize=8)
def _s3(
    anonymous: bool,
    keys: tuple[str | None, str | None],
    options: tuple[tuple[str, str], ...],
    limits: tuple[float, float, int],
    _environment: object,
) -> "FileSystem":
    """A client of S3, made once for the same settings; those of the environment are among them."""
    try:
        from pyarrow.fs import AwsStandardS3RetryStrategy, S3FileSystem
    except ImportError:
        raise _lacking("S3") from None
    return S3FileSystem(
        access_key=keys[0],
        secret_key=keys[1],
        anonymous=anonymous,
        connect_timeout=limits[0],
        request_timeout=limits[1],
        retry_strategy=AwsStandardS3RetryStrategy(max_attempts=limits[2]),
        **dict(options),
    )


@functools.lru_cache(maxsize=64)
def _region(bucket: str) -> str:
    """The region of a bucket of Amazon's, as pyarrow asks for it where an address does not say it."""
    try:
        from pyarrow.fs import resolve_s3_region
    except ImportError:
        raise _lacking("S3") from None
    return str(resolve_s3_region(bucket))


@functools.lru_cache(maxsize=8)
def _google(
    anonymous: bool, options: tuple[tuple[str, str], ...], seconds: float, _environment: object
) -> "FileSystem":
    """A client of Google Cloud Storage, as `_s3`."""
    try:
        from pyarrow.fs import GcsFileSystem
    except ImportError:
        raise _lacking("Google Cloud Storage") from None
    return GcsFileSystem(anonymous=anonymous, retry_time_limit=timedelta(seconds=seconds), **dict(options))


def _memory() -> "FileSystem":
    from pyarrow.fs import FSSpecHandler, PyFileSystem

    try:
        import fsspec
    except ImportError:
        raise OSError("memory:// is that of fsspec, which is not installed; run: pip install fsspec") from None
    return PyFileSystem(FSSpecHandler(fsspec.filesystem("memory")))


@contextlib.contextmanager
def _memory_file(path: str) -> Iterator[tuple[pa.NativeFile, object]]:
    """An object of fsspec's memory. Its own files share one position; these have one each, and copy nothing."""
    import fsspec

    found = fsspec.filesystem("memory").store.get(f"/{path}")
    if found is None:
        raise FileNotFoundError
    with pa.BufferReader(pa.py_buffer(found.getbuffer())) as file:
        yield file, (found.created, file.size())


def _lacking(store: str) -> OSError:
    return OSError(f"this pyarrow was built without {store}; install one that has it, or download the table")


def _reason(message: str, address: ObjectAddress) -> str:
    """What went wrong, in the words of a user rather than of the libraries."""
    if "curlCode: 28" in message or "CURL error [28]" in message:
        limits = f"no connection within {number(CONNECT_SECONDS)} s, or no answer for {number(ANSWER_SECONDS)} s"
        return f"timeout: {limits}, {ATTEMPTS} times" if address.scheme == "s3" else "timeout: the store did not answer"
    if re.search(r"curlCode: \d|CURL error \[\d", message):
        return "no connection to the store; check the endpoint and that it is running"
    if _DENIAL.search(message):
        return f"access is denied; {_DENIED[address.scheme]}"
    if re.search(r"HTTP status 301|PERMANENT_REDIRECT|PermanentRedirect", message):
        return "the bucket is in another region; add the option region=REGION"
    if failed := re.search(r"HTTP status (429|5\d\d)", message):
        return f"the store could not answer (HTTP status {failed[1]}), {ATTEMPTS} times; try again later"
    return message.strip().partition("\n")[0]
