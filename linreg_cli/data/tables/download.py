"""Tables at http(s) addresses: downloaded once, verified by SHA-256, and cached under their digest."""

import contextlib
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from linreg_cli.cache import CACHE, cache_folder
from linreg_cli.errors import DataError
from linreg_cli.wording import number

MAX_REDIRECTS = 3
#: Seconds until a connection is established, and between two chunks of a response.
TIMEOUT = (10.0, 30.0)
#: The most bytes of a response that announces its length, and of one that does not.
MAX_ANNOUNCED, MAX_BYTES = 64 << 30, 4 << 30
#: Bytes that a download leaves free on the disk of the cache.
RESERVE = 16 << 20

_PIECE = 1 << 18
#: A temporary file that was not written to for so long belongs to no running process.
_ABANDONED_SECONDS = 3600.0


def fetch(address: str, sha256: str, progress: Callable[[str], None] = lambda _: None) -> Path:
    """The path of the file at an address, from the cache if it was downloaded before.

    Args:
        address: http or https.
        sha256: digest of the file in hexadecimal; also the name of its folder in the cache.
        progress: called with a line of text while the file is downloaded.

    Raises:
        DataError: if the download fails or gives another file; nothing is cached then.
    """
    import pooch
    import requests

    pooch.get_logger().setLevel("ERROR")
    try:
        name = Path(unquote(urlsplit(address).path)).name or "table"
    except ValueError as error:
        raise DataError(f"it is not an address: {error}", address) from None
    cached = cache_folder()
    if cached is None:
        raise DataError(f"cannot be cached: the user has no home folder; set {CACHE} to a folder", address)
    folder = cached / sha256.lower()

    def download(url: str, output_file: str, _: Any) -> None:
        _download(url, output_file, progress)

    sweep(folder, "tmp*")
    try:
        path = pooch.retrieve(address, f"sha256:{sha256.lower()}", fname=name, path=folder, downloader=download)
    except requests.RequestException as error:
        raise DataError(f"cannot be downloaded: {_reason(error)}", address) from None
    except ValueError as error:
        raise DataError(f"{_digest(str(error), sha256)}; nothing was cached", address) from None
    except OSError as error:
        where = str(error.filename or folder)
        raise DataError(f"cannot be cached in {where}: {error.strerror}; set {CACHE} to a folder", address) from None
    finally:
        with contextlib.suppress(OSError):
            folder.rmdir()  # only if it is empty
    return Path(path)


def sweep(folder: Path, pattern: str) -> None:
    """Remove the temporary files of processes that were killed while they wrote.

    Args:
        folder: with the files.
        pattern: glob pattern of their names; only files not written to for an hour are removed.
    """
    for part in folder.glob(pattern):
        with contextlib.suppress(OSError):
            if time.time() - part.stat().st_mtime > _ABANDONED_SECONDS:
                part.unlink()


def _download(url: str, output_file: str, progress: Callable[[str], None]) -> None:
    """Write the response to a file.

    Raises:
        requests.RequestException: if there is none, if it is too large, or its length is not its Content-Length.
    """
    import requests

    session = requests.Session()
    session.max_redirects = MAX_REDIRECTS
    with session, session.get(url, stream=True, timeout=TIMEOUT, headers={"Accept-Encoding": "identity"}) as answer:
        answer.raise_for_status()
        announced = answer.headers.get("Content-Length", "")
        length = int(announced) if announced.isdigit() and "Content-Encoding" not in answer.headers else None
        room = max(0, shutil.disk_usage(os.path.dirname(output_file)).free - RESERVE)
        _refuse_large(length, room)
        most = min(MAX_BYTES, room) if length is None else length
        received = 0
        with open(output_file, "wb") as file:
            for piece in answer.iter_content(_PIECE):
                received += len(piece)
                if received > most:
                    raise requests.RequestException(f"the response is longer than {most:,} bytes")
                file.write(piece)
                of = f" of {number(length / 1e6, 3)}" if length else ""
                progress(f"downloading, {number(received / 1e6, 3)}{of} MB")
        if length is not None and received != length:
            raise requests.RequestException(f"received {received:,} of {length:,} bytes")


def _refuse_large(length: int | None, room: int) -> None:
    """Refuse a length before anything is received.

    Args:
        length: the bytes that the server announces, if it does.
        room: the bytes that the cache has room for.

    Raises:
        requests.RequestException: if the length is more than is allowed.
    """
    import requests

    if length is None:
        return
    announced = f"the server announces {length:,} bytes"
    if length > MAX_ANNOUNCED:
        raise requests.RequestException(f"{announced}, and at most {MAX_ANNOUNCED:,} are downloaded")
    if length > room:
        raise requests.RequestException(
            f"{announced}, and the disk of the cache has room for {room:,}; set {CACHE} to a folder on another disk"
        )


def _reason(error: Exception) -> str:
    """What went wrong, in the words of a user rather than of the libraries."""
    import requests

    if isinstance(error, requests.TooManyRedirects):
        return f"more than {MAX_REDIRECTS} redirects; give the address of the file itself"
    if isinstance(error, requests.Timeout):
        return f"timeout: no connection within {number(TIMEOUT[0])} s, or no data for {number(TIMEOUT[1])} s"
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"the server responded with {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection was closed before the whole file was received"
    if isinstance(error, requests.exceptions.InvalidSchema | requests.exceptions.InvalidURL):
        return "it is not an http(s) address, or redirects to one that is not"
    if isinstance(error, requests.ConnectionError):
        return "no connection; check the address and that the server is running"
    return str(error)


def _digest(message: str, expected: str) -> str:
    """The message of pooch about a wrong digest, in the words of `data.load`; other messages unchanged."""
    found = [word.strip("().") for word in message.split() if len(word.strip("().")) == 64]
    other = [word for word in found if word != expected.lower()]
    if not other:
        return message
    return f"the file is not the expected one: its SHA-256 digest is {other[0]}, and data.sha256 is {expected.lower()}"
