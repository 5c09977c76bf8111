"""The keys of `preprocess.columns` that are of no use for a table: they fit no column, or columns that are not used."""

from collections.abc import Collection, Iterator, Sequence

from linreg_cli.config.roles import column_roles
from linreg_cli.config.schema import Config
from linreg_cli.config.terms import Term
from linreg_cli.data.tables.table import Table
from linreg_cli.errors import DataError, Fault, closest, did_you_mean
from linreg_cli.findings import Finding
from linreg_cli.patterns import is_pattern, matches
from linreg_cli.remedies import setting
from linreg_cli.wording import plural

#: Keys that one warning names; the others are counted.
_NAMED = 5


def refuse_unknown_columns(config: Config, table: Table, terms: Sequence[Term]) -> None:
    """Refuse names and patterns of `preprocess.columns` that fit no column.

    Raises:
        DataError: with each of them.
    """
    faults, known = [], [*table.columns, *(term.text for term in terms if term.part is not None)]
    for key in config.preprocess.columns:
        if key in known or any(matches(key, column) for column in table.columns):
            continue
        found = f"no column matches {key!r}" if is_pattern(key) else f"there is no column {key!r}"
        faults.append(Fault(f"preprocess.columns: {found}{did_you_mean(key, known)}", table.name))
    if faults:
        raise DataError(faults)


def unused_settings(config: Config, table: Table, used: Collection[str], targets: Sequence[str]) -> Iterator[Finding]:
    """A warning for keys of `preprocess.columns` that fit columns of the table, none of which is used.

    It is no error: leaving a column out, by `data.ignore` or in a sweep over `data.features`, needs one change then.

    Args:
        config: whose keys all fit a column.
        table: that was opened.
        used: the columns and parts of dates that features are made of.
        targets: the columns to predict.
    """
    wanted, columns = [*used, *targets], config.preprocess.columns
    unused = [key for key in columns if not any(key == name or _matches(key, name, table) for name in wanted)]
    if not unused:
        return
    shown = [_shown(key, config, table, used) for key in unused[:_NAMED]]
    more = f", and {plural(len(unused) - _NAMED, 'other')}" if len(unused) > _NAMED else ""
    rest = {key: each.model_dump(exclude_none=True) for key, each in columns.items() if key not in unused}
    these = "this entry" if len(unused) == 1 else "these entries"
    message = f"preprocess.columns has no effect on columns that are no features: {', '.join(shown)}{more}"
    yield Finding(
        "config",
        f"{message}; name them in data.features, or leave {these} out with {setting('preprocess.columns', rest)}",
    )


def _matches(key: str, name: str, table: Table) -> bool:
    return key not in table.columns and matches(key, name)


def _shown(key: str, config: Config, table: Table, used: Collection[str]) -> str:
    """A key, why its columns are no features, and the feature that may be meant."""
    fitting = [key] if key in table.columns else [each for each in table.columns if matches(key, each)]
    others = {column: use for use, column in column_roles(config).items()}
    others |= dict.fromkeys(getattr(config.data, "ignore", ()), "data.ignore")
    uses = dict.fromkeys(f"it is under {others[each]}" for each in fitting if each in others)
    meant = closest(key, [each for each in used if each not in config.preprocess.columns])
    reasons = [*uses, *([f"did you mean {meant!r}?"] if meant is not None else [])]
    return f"{key!r} ({'; '.join(reasons)})" if reasons else repr(key)
