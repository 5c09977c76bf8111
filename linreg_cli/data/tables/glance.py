"""Whether files are those of another table, as far as a glance tells: their sizes, ends, and pieces in between."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from linreg_cli.data.tables.table_file import TableFile

#: Bytes at each end of a file that tell it from others.
_ENDS = 65_536
#: Pieces between the ends, evenly spread over all files of a table, and the bytes of each.
_PIECES, _PIECE_BYTES = 63, 1_024
#: Pieces that are asked for at once: each is a request where the file is in a store.
_AT_ONCE = 16


def digest_of(files: Sequence[str]) -> str:
    """SHA-256 of the sizes of some files, of their ends, and of pieces between these; not of their names.

    Args:
        files: of a table, in the order of its rows.

    Raises:
        OSError, DataError: if one cannot be read.
    """
    digest = hashlib.sha256()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for file in map(TableFile, files):
            with file.opened() as stream:
                size = stream.size()
                digest.update(f"{size}\0".encode())
                for content in pool.map(stream.read_at, *zip(*_ranges(size, _PIECES // len(files)), strict=True)):
                    digest.update(content)
    return digest.hexdigest()


def _ranges(size: int, pieces: int) -> list[tuple[int, int]]:
    """Bytes and position of what is read of a file: all of one of two ends, of a longer one some pieces, too."""
    if size <= 2 * _ENDS:
        return [(size, 0)]
    between = [(_PIECE_BYTES, size * piece // (pieces + 1)) for piece in range(1, pieces + 1)]
    return [(_ENDS, 0), *between, (_ENDS, size - _ENDS)]
