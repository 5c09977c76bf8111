"""Tables at http(s) addresses: downloaded once, verified, kept under their digest."""

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from linreg_cli.errors import DataError
from linreg_cli.files import CACHE, cache_folder

MAX_REDIRECTS = 3
#: Seconds until a connection stands, and between two pieces of an answer.
TIMEOUT = (10.0, 30.0)
#: An answer that does not say its length may not be longer.
MAX_BYTES = 4 << 30

_PIECE = 1 << 18
#: Nobody writes to a file any more that was not written to for so long.
_ABANDONED_SECONDS = 3600.0


def fetch(address: str, sha256: str, progress: Callable[[str], None] = lambda _: None) -> Path:
    """The file at an address, from the cache if it was downloaded before.

    Args:
        address: http or https.
        sha256: digest of the file; it is also where the file is kept.
        progress: called with a line of text now and then.

    Raises:
        DataError: for an address that does not answer with the whole of that file; nothing is kept then.
    """
    import pooch
    import requests

    pooch.get_logger().setLevel("ERROR")
    name = Path(unquote(urlsplit(address).path)).name or "table"
    cached = cache_folder()
    if cached is None:
        raise DataError(f"cannot be kept: the user has no home folder; set {CACHE} to a folder", address)
    folder = cached / sha256.lower()

    def download(url: str, output_file: str, _: Any) -> None:
        _download(url, output_file, progress)

    sweep(folder, "tmp*")
    try:
        path = pooch.retrieve(address, f"sha256:{sha256.lower()}", fname=name, path=folder, downloader=download)
    except requests.RequestException as error:
        raise DataError(f"cannot be downloaded: {_reason(error)}", address) from None
    except ValueError as error:
        raise DataError(f"{_digest(str(error), sha256)}; nothing was kept", address) from None
    except OSError as error:
        where = str(error.filename or folder)
        raise DataError(f"cannot be kept in {where}: {error.strerror}; set {CACHE} to a folder", address) from None
    finally:
        with contextlib.suppress(OSError):
            folder.rmdir()  # where nothing came to be in it
    return Path(path)


def sweep(folder: Path, pattern: str) -> None:
    """Remove files that were begun by runs which were killed while they wrote.

    Args:
        folder: where they are.
        pattern: of their names.
    """
    for part in folder.glob(pattern):
        with contextlib.suppress(OSError):
            if time.time() - part.stat().st_mtime > _ABANDONED_SECONDS:
                part.unlink()


def _download(url: str, output_file: str, progress: Callable[[str], None]) -> None:
    """Write the answer to a file.

    Raises:
        requests.RequestException: if it does not come, or is not as long as it says.
    """
    import requests

    session = requests.Session()
    session.max_redirects = MAX_REDIRECTS
    with session, session.get(url, stream=True, timeout=TIMEOUT, headers={"Accept-Encoding": "identity"}) as answer:
        answer.raise_for_status()
        said = answer.headers.get("Content-Length", "")
        length = int(said) if said.isdigit() and "Content-Encoding" not in answer.headers else None
        received = 0
        with open(output_file, "wb") as file:
            for piece in answer.iter_content(_PIECE):
                file.write(piece)
                received += len(piece)
                if received > (MAX_BYTES if length is None else length):
                    raise requests.RequestException(f"the answer is longer than {MAX_BYTES:,} bytes")
                of = f" of {length / 1e6:,.1f}" if length else ""
                progress(f"downloading, {received / 1e6:,.1f}{of} MB")
        if length is not None and received != length:
            raise requests.RequestException(f"{received:,} bytes came, and {length:,} were announced")


def _reason(error: Exception) -> str:
    """What went wrong, without the libraries' own words where there are better ones."""
    import requests

    if isinstance(error, requests.TooManyRedirects):
        return f"more than {MAX_REDIRECTS} redirects; give the address of the file itself"
    if isinstance(error, requests.Timeout):
        return f"no answer within {TIMEOUT[0]:g} s, or a pause of {TIMEOUT[1]:g} s"
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"the server answered {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection ended before the whole file had come"
    if isinstance(error, requests.exceptions.InvalidSchema | requests.exceptions.InvalidURL):
        return "it is, or leads to, no http(s) address"
    if isinstance(error, requests.ConnectionError):
        return "no connection; is the address right, and the server up?"
    return str(error)


def _digest(message: str, expected: str) -> str:
    """pooch's words about a digest, in ours; other complaints about an address as they are."""
    found = [word.strip("().") for word in message.split() if len(word.strip("().")) == 64]
    other = [word for word in found if word != expected.lower()]
    if not other:
        return message
    return f"its SHA-256 digest is {other[0]}, and data.sha256 says {expected.lower()}; it is another file"
