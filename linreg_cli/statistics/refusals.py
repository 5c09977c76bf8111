"""What keeps statistics from being those of a config: other settings, and columns that it does not allow or hold."""

from collections.abc import Iterator, Mapping, Sequence

from linreg_cli.config.schema import Config
from linreg_cli.config.terms import Term
from linreg_cli.data.encoding.cells import too_many_levels
from linreg_cli.data.encoding.levels import MISSING_LEVEL
from linreg_cli.data.encoding.treatments import Treatment
from linreg_cli.data.opening import limit_in
from linreg_cli.data.tables.parquet_rows import reader_bytes
from linreg_cli.errors import ConfigError, DataError, Fault, SettingError
from linreg_cli.remedies import change, leave_out, missing, quoted, setting
from linreg_cli.statistics.collected import bytes_with
from linreg_cli.statistics.facts import ColumnFacts, TableStatistics
from linreg_cli.statistics.merge import changed_settings
from linreg_cli.statistics.settings import settings_of
from linreg_cli.wording import bytes_of, plural


def refuse_other_settings(
    config: Config, found: TableStatistics, terms: Sequence[Term], treated: Mapping[str, Treatment], path: str
) -> None:
    """Refuse statistics that were made with other settings than those of the config.

    Raises:
        ConfigError: with each of them.
    """
    asked = settings_of(config, terms, treated)
    if changed := changed_settings(asked, found.settings):
        message = f"the config is not that of the statistics: {changed}"
        raise ConfigError(f"{message}; make them anew with: linreg stats -c CONFIG -o FILE", path)


def refuse_columns(config: Config, found: TableStatistics, treated: Mapping[str, Treatment], path: str) -> None:
    """Refuse columns that the config does not allow, as far as statistics know them.

    Raises:
        DataError: for missing cells that are not filled in, medians that are not kept, levels that the train split does
            not have, and categories with too many levels.
    """
    known = [each for each in found.columns if each.column in treated]  # others are made of these
    faults = [fault for each in known for fault in _faults(each, treated[each.column], config, found, path)]
    if faults:
        raise DataError(faults)


def refuse_width(config: Config, n_keys: int, n_rows: int) -> None:
    """Refuse columns whose factor takes more memory than the limit of the config leaves beside the reader.

    Args:
        config: of a table.
        n_keys: columns of the moments.
        n_rows: train rows that were collected for it so far; a small table may end before there are too many.

    Raises:
        SettingError: at `data.memory_limit`.
    """
    limit, needed = limit_in(config.data), bytes_with(n_keys)
    if limit is None or bytes_with(n_keys, n_rows) <= (left := limit - reader_bytes(limit)):
        return
    more = setting("data.memory_limit", f"{-(-needed * limit // left // 2**20) + 1}MiB")
    message = (
        f"the factor of {n_keys:,} columns takes {bytes_of(needed)}, and reading leaves {bytes_of(left)} of the limit"
    )
    raise SettingError(("data", "memory_limit"), f"{message}; set {more}, or leave columns out (data.ignore)")


def _faults(
    each: ColumnFacts, treatment: Treatment, config: Config, found: TableStatistics, path: str
) -> Iterator[Fault]:
    way, where = treatment.missing, f"{path}, column {each.column!r}"
    if way == "median" and each.role != "target" and not each.is_category and each.histogram is None:
        again = "make the statistics with this config to have its median"
        yield Fault(f"its values are not kept; {again}, or {change(*missing(each.column, 'mean'))}", where)
    if each.is_category and each.levels:
        n_cells = found.n_rows - each.missing
        fault = too_many_levels(tuple(each.levels), n_cells, each.column, treatment, path)
        if fault is not None:
            yield fault
        elif config.preprocess.unknown == "error":
            yield from _unknown(each, way, found, where)
    # Cells of rows that are dropped may be missing; they are counted with those of held-out rows.
    gaps = each.gaps if found.n_dropped else each.missing
    if gaps and (way == "error" or (each.is_category and way in ("mean", "median"))):
        ways = "level" if each.is_category else "mean"
        remedy = f"{change(*missing(each.column, ways))}, or leave the column out with {leave_out(each.column)}"
        yield Fault(f"{plural(gaps, 'cell')} {'is' if gaps == 1 else 'are'} missing; {remedy}", where)


def _unknown(each: ColumnFacts, way: str, found: TableStatistics, where: str) -> Iterator[Fault]:
    """The fault of levels that held-out rows have and train rows do not."""
    unseen = [quoted(level) for level, count in each.levels.items() if not count]
    if way == "level" and not each.gaps and each.missing and not found.n_dropped:
        unseen.append(MISSING_LEVEL)
    if unseen:
        named = ", ".join(unseen[:5]) + (", ..." if len(unseen) > 5 else "")
        ignore = f"to treat it as none of them, {change('preprocess.unknown', 'ignore')}"
        message = f"{plural(len(unseen), 'level')} of held-out rows that the train split does not have: {named}"
        yield Fault(f"{message}; {ignore}", where)
