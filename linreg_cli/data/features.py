"""Which columns of a table are features, and which features are made of columns."""

from collections.abc import Collection, Mapping, Sequence

from linreg_cli.config.preprocess import PreprocessConfig
from linreg_cli.config.terms import Term, expand
from linreg_cli.data.encoding.treatments import Treatment, treatments
from linreg_cli.errors import DataError, Fault, SettingError, did_you_mean
from linreg_cli.remedies import setting


def choose_features(
    available: Sequence[str],
    targets: tuple[str, ...],
    features: tuple[str, ...] | None,
    ignore: tuple[str, ...],
    *,
    roles: Mapping[str, str] | None = None,
    index: Collection[str] = (),
    name: str,
) -> tuple[Term, ...]:
    """The features: those of the config, or every column without another use.

    Args:
        available: the columns of the table.
        targets: the columns to predict.
        features: the entries of `data.features`; None: every other column.
        ignore: columns that are no features by themselves; others may be made of them.
        roles: columns with another use, as `column_roles` gives them: features only if they are named.
        index: columns that hold the index of a data frame: features only if they are named.
        name: the table, for messages.

    Raises:
        SettingError: for entries that are not of the grammar; see `config/terms.py`.
        DataError: with every column that does not exist or has two uses, and if no feature is left.

    >>> [term.text for term in choose_features(["id", "x", "z", "y"], ("y",), None, ("id",), name="t.csv")]
    ['x', 'z']
    """
    uses = roles or {}
    taken = {*targets, *ignore, *uses.values(), *index}
    free = [column for column in available if column not in taken]
    terms, wrong = (list(map(Term.of_column, free)), []) if features is None else expand(features, available, free)
    if unread := [(("data", "features", at), str(error)) for at, error in wrong if error.column is None]:
        raise SettingError.of(unread)
    faults = _absent(available, {"data.target": targets}, name)
    faults += [Fault(f"data.features: {error}", name) for _, error in wrong]
    faults += _absent(available, {"data.ignore": ignore, **{key: (column,) for key, column in uses.items()}}, name)
    faults += [
        Fault(f"data.features: {_made_of(term, column)} is also under {key}", name)
        for key, columns in {"data.target": targets, "data.ignore": ignore}.items()
        for column in columns
        for term in (terms if features is not None else ())
        if column in term.columns and (term.is_plain or columns is not ignore)
    ]
    twice = [("data.ignore", column) for column in targets if column in ignore]
    twice += [(key, column) for key, column in uses.items() if column in targets]
    faults += [
        Fault(f"{key}: {column!r} is also the target; name another column, or none", name) for key, column in twice
    ]
    if not faults and not terms:
        message = "no feature is left: every column is a target or ignored"
        left = [column for column in index if column not in (*targets, *ignore, *uses.values())]
        if left:
            message += f", or the index of a data frame; to use that, set {setting('data.features', left)}"
        faults.append(Fault(message, name))
    if faults:
        raise DataError(faults)
    return tuple(terms)


def _absent(available: Sequence[str], wanted: Mapping[str, Sequence[str]], name: str) -> list[Fault]:
    return [
        Fault(f"{key}: there is no column {column!r}{did_you_mean(column, available)}", name)
        for key, columns in wanted.items()
        for column in columns
        if column not in available
    ]


def _made_of(term: Term, column: str) -> str:
    return repr(column) if term.is_plain else f"{term.text!r} is made of {column!r}, which"


def read_columns(terms: Sequence[Term]) -> dict[str, str]:
    """What is read for some features: name -> column of the table. A part of a date has a name of its own.

    >>> from linreg_cli.config.terms import parse
    >>> read_columns([parse("log(x)", ["x", "d"]), parse("month(d)", ["x", "d"])])
    {'x': 'x', 'month(d)': 'd'}
    """
    out: dict[str, str] = {}
    for term in terms:
        if term.part is not None:
            out[term.text] = term.columns[0]
        else:
            out |= {column: column for column in term.columns}
    return out


def feature_treatments(
    config: PreprocessConfig, terms: Sequence[Term], targets: Sequence[str], available: Collection[str]
) -> dict[str, Treatment]:
    """Name of `read_columns` or target -> what the config says about it.

    What it says about the entry of a part of a date, such as `month(sold)`, comes before what it says about the date.

    Args:
        config: with its exceptions.
        terms: the features.
        targets: the columns to predict.
        available: every column of the table.
    """
    out = treatments(config, tuple(read_columns(terms)), targets, available)
    for term in terms:
        if term.part is not None and term.text not in config.columns:
            out |= {term.text: treatments(config, term.columns, (), available)[term.columns[0]]}
    return out
