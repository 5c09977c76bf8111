"""A table that a saved model is applied to, and that comes into memory as a whole though the run has a memory limit."""

from linreg_cli.data.opening import limit_in
from linreg_cli.data.tables.blocks import NotInBlocksError
from linreg_cli.data.tables.table import Table
from linreg_cli.data.tables.table_file import TableFile
from linreg_cli.errors import DataError
from linreg_cli.evaluation.saved_model import SavedModel
from linreg_cli.findings import Finding, Warn
from linreg_cli.wording import bytes_of


def warn_of_whole(saved: SavedModel, table: Table, warn: Warn) -> None:
    """Warn that a table is read as a whole, if its files are larger than the memory limit of the run.

    Args:
        saved: the model.
        table: that cannot be read in blocks.
        warn: is given the warning.
    """
    limit = limit_in(saved.config.data)
    if limit is None:
        return
    try:
        size = sum(TableFile(name).size() for name in table.files())
    except (NotInBlocksError, OSError, DataError):  # a data frame; and reading says what is wrong with a file
        return
    if size > limit:
        message = f"the table cannot be read block by block, so all of its {bytes_of(size)} come into memory, more "
        message += f"than data.memory_limit of the run ({bytes_of(limit)}); write it as Parquet to stay below it"
        warn(Finding("memory", message))
