"""The rows that a run was trained on, for pictures that need more than the files in its folder."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa

from linreg_cli.convergence.on_disk import problem_within_limit
from linreg_cli.convergence.problem import Problem
from linreg_cli.data import Dataset, Preprocessor, load_dataset
from linreg_cli.errors import DataError, UsageError
from linreg_cli.runs.contents import RunContents


@dataclass(frozen=True)
class TrainRows:
    """The rows of a run.

    Attributes:
        dataset: the rows of all splits, in original units.
        preprocessor: encoding and scaling, as fitted on the train split.
        make_problem: makes `problem`; most pictures do not need it.
    """

    dataset: Dataset
    preprocessor: Preprocessor
    make_problem: Callable[[], Problem]

    @cached_property
    def problem(self) -> Problem:
        """The train split in scaled units, with its optimum and curvature."""
        return self.make_problem()


def read_again(run: RunContents, frame: pa.Table | None = None) -> TrainRows:
    """Read the table of a run again.

    Args:
        run: any run that was prepared, also one that diverged.
        frame: the rows of `source: frame`.

    Raises:
        UsageError: if the table cannot be read any more, or has changed.
        StoreError: if a file of the run is missing or damaged.
    """
    values = run.read_json("preprocess.json")
    with run.reporting_damage("preprocess.json"):
        preprocessor = Preprocessor.from_json(values)
    config, record = run.config, run.record()
    if "statistics" in record:
        raise UsageError("the picture needs the rows of the table, and the run was trained from statistics", run.id)
    try:
        dataset = load_dataset(config, preprocessor.encoder, frame=frame)
    except DataError as error:
        raise UsageError(f"the picture needs the rows of the table, which cannot be read: {error}", run.id) from None
    if dataset.fingerprint() != (record.get("data") or {}).get("fingerprint"):
        raise UsageError("the picture needs the rows of the table, and the table has changed since the run", run.id)
    return TrainRows(dataset, preprocessor, lambda: problem_within_limit(config, dataset, preprocessor, resumed=True))
