"""Whether the table of a config is that of statistics, as far as a glance at its files tells."""

from linreg_cli.addresses import is_elsewhere
from linreg_cli.config.data import STDIN, TableData
from linreg_cli.config.schema import Config
from linreg_cli.data.tables.glance import digest_of
from linreg_cli.data.tables.location import locate
from linreg_cli.errors import DataError
from linreg_cli.statistics.facts import TableStatistics


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
