"""Whether the table of a config is that of statistics, as far as a glance at its files tells."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from linreg_cli.addresses import is_elsewhere
from linreg_cli.config.data import STDIN, TableData
from linreg_cli.config.schema import Config
from linreg_cli.data.tables.location import locate
from linreg_cli.data.tables.table_file import TableFile
from linreg_cli.errors import DataError
from linreg_cli.statistics.facts import TableStatistics

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


def refuse_other_table(config: Config, found: TableStatistics, path: str) -> None:
    """Refuse statistics of another table than that of the config, where its files are at hand.

    Statistics are made where the rows lie, and used elsewhere: a table that is not there is no fault. An address is
    not read for this.

    Args:
        config: of the run.
        found: the statistics.
        path: of their file.

    Raises:
        DataError: if the files of the table are not those that were summarised.
    """
    data = config.data
    assert isinstance(data, TableData)
    if data.path == STDIN or is_elsewhere(data.path):
        return
    try:
        digest = digest_of(locate(data.path).files)
    except (DataError, OSError):
        return
    if digest != found.table["digest"]:
        message = f"the statistics are not those of {data.path} as it is now (data.path)"
        remedy = "make them anew with: linreg stats -c CONFIG -o FILE, or set data.path to the table that they are of"
        raise DataError(f"{message}; {remedy}", path)
