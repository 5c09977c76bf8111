"""Warnings as data: a stable kind that a gate can count, and a message for people."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

#: The kinds of warnings, each with what it is about. The names are stable: gates name them.
KINDS: Mapping[str, str] = {
    "autocorrelation": "the residuals of neighbouring rows are alike, or opposite: Durbin-Watson outside 1.5 to 2.5",
    "collinear": "columns are linear combinations of others, so the optimum is not unique",
    "config": "a setting has no effect",
    "constant": "a feature has one value in the train split",
    "constant_target": "a target has one value in the train split",
    "duplicate": "a column is the same as another",
    "duplicate_rows": "rows of the validation or test split are also in the train split",
    "encoding": "the encoding of a text file was guessed from its letters",
    "engine": "an engine that `auto` chose cannot start, and another one is used",
    "few_clusters": "there are fewer than 20 clusters for cluster-robust standard errors",
    "few_effective_rows": "a few rows have nearly all of the weight",
    "font": "no installed font has the characters of a name",
    "header": "the header of a text file may be its first row",
    "heteroskedastic": "classic and HC3 standard errors differ by more than half",
    "identifier": "a column looks like an identifier of the rows",
    "index": "a column is the stored index of a data frame",
    "influential": "a row has a Cook's distance above 1",
    "leak": "features determine the target",
    "left_out": "a column of a table without a config is not used, because of its cells",
    "lookalike": "two names or levels look the same and are not",
    "loss_rose": "the train loss at the end is above that of the start",
    "memory": "a table that a model is applied to is read as a whole, and is larger than the memory limit of the run",
    "multicollinear": "a column of numbers has a variance inflation factor above 10",
    "no_exact_fit": "for a table without a config: the exact fit is not known, or has no standard errors",
    "no_prediction": "rows of a table that a model is applied to have none, because cells are missing",
    "not_converged": "a coefficient is 0.01 standard errors or more from the exact fit",
    "number_format": "numbers may have been written in another way than they were read",
    "placeholder": "a level of a category may stand for a missing cell",
    "plots": "a picture could not be drawn",
    "ranks": "one process would train faster than several",
    "rate": "the learning rate is above a limit of stability",
    "resumed": "something has changed since the run was started, or a checkpoint is damaged",
    "stop_gap": "`train.stop_gap` cannot be certified",
    "stream": "rows stay on the disk, which changed the order of rows or the split",
    "total_row": "the last row of a table without a config holds the sums of the rows above",
    "tracker": "a tracker of `track` does not have the run",
    "truth": "the file beside a table that holds the true coefficients cannot be read",
}


@dataclass(frozen=True)
class Finding:
    """A warning.

    Attributes:
        kind: one of `KINDS`.
        message: what was found and what to do, for people; no code reads it.

    >>> Finding("leak", "price_eur alone determines price").as_json()
    {'kind': 'leak', 'message': 'price_eur alone determines price'}
    """

    kind: str
    message: str

    def __post_init__(self) -> None:
        """Check the kind."""
        assert self.kind in KINDS, self.kind

    def as_json(self) -> dict[str, str]:
        """For `run.json` and `--json`: `{"kind", "message"}`."""
        return asdict(self)


#: Is given a warning, before what it is about.
Warn = Callable[[Finding], None]


def shown(messages: Sequence[str], most: int = 10) -> list[str]:
    """The first messages, and how many there are more; for a terminal and a report.

    >>> shown(["a", "b", "c"], most=2)
    ['a', 'b', 'and 1 more, see warnings in run.json']
    """
    more = len(messages) - most
    return [*messages[:most], *([f"and {more} more, see warnings in run.json"] if more > 0 else [])]


def counts(kinds: Iterable[str]) -> dict[str, int]:
    """The number of warnings of every kind, for gates; 0 for a kind that did not occur.

    >>> counts(["leak"])["leak"], counts([])["leak"]
    (1, 0)
    """
    found = Counter(kinds)
    return {kind: found[kind] for kind in KINDS}
