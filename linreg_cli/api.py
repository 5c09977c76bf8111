"""What `import linreg_cli` offers: `train`, `load_run`, and the `Run` that both give.

The same functions as behind the command line, without its terminal: no signal handler, no setting of the process.
"""

import copy
import os
from collections.abc import Mapping
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from linreg_cli.calls import in_python
from linreg_cli.config.plain import Given, expressions, loaded_from
from linreg_cli.data.tables.frames import like, table_of
from linreg_cli.errors import DataError, UsageError
from linreg_cli.findings import Finding
from linreg_cli.gates import GateResult
from linreg_cli.launched import refuse_several
from linreg_cli.paths import expanded
from linreg_cli.runs.config import config_of
from linreg_cli.runs.contents import RunContents
from linreg_cli.runs.find import find_run
from linreg_cli.runs.store import RunFolder

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from linreg_cli.evaluation.saved_model import SavedModel

#: What `run.json` has in place of a command line.
_COMMAND = "linreg_cli.train"
#: What to do in one of several processes.
_TOGETHER = "train them together by 'torchrun -m linreg_cli train -c CONFIG', call this in one process alone"
#: The level of an interval where none is given.
_LEVEL = 0.95


@in_python
def train(
    config: Given,
    overrides: Mapping[str, Any] | None = None,
    *,
    data: object = None,
    statistics: str | os.PathLike[str] | None = None,
    outputs: str | os.PathLike[str] = "outputs",
    force: bool = False,
) -> "Run":
    """Train a model, evaluate it on every split, and leave a run folder, as `linreg train -c` does.

    Args:
        config: the path of a YAML file, several of them (later ones override earlier ones), or a mapping.
        overrides: dotted key -> value, as `--set` has them.
        data: rows to train on in place of those of the config: a data frame, or a mapping of column to array, each of
            shape (n_rows,). The config's `data` then says `source: frame`, and the target.
        statistics: the path of a file of `linreg stats`, in place of the rows of the config's table.
        outputs: the folder of the run folders.
        force: train even at a learning rate that must diverge.

    Returns:
        The run. A gate that fails is in `Run.gates` and raises nothing.

    Raises:
        ConfigError, DataError, StoreError: before training, with no run folder left behind.
        DivergedError: before training, or with the last finite state in the run folder.
        UsageError: for data and statistics, and in one of several processes that torchrun has started.

    >>> from tempfile import TemporaryDirectory
    >>> rows = {"x": [1.0, 2.0, 3.0, 4.0], "y": [3.0, 5.0, 7.0, 9.0]}
    >>> with TemporaryDirectory() as folder:
    ...     run = train({"data": {"target": "y"}}, {"train.epochs": 5}, data=rows, outputs=folder)
    ...     run.id, run.metrics["train"]["n"]
    ('run-0001', 4)
    """
    if statistics is not None and data is not None:
        raise UsageError("statistics stand for the rows of a table, and data are other rows; give one", "statistics")
    refuse_several("train a run of its own", _TOGETHER)
    frame = _own(data)
    loaded = loaded_from(config, overrides or {}, has_frame=frame is not None)
    from linreg_cli.pipeline.silent import Silent
    from linreg_cli.pipeline.workflow import train_run

    path = None if statistics is None else expanded(os.fspath(statistics))
    done = train_run(
        loaded, outputs=_folder(outputs), reporter=Silent(), command=[_COMMAND], force=force, frame=frame,
        statistics=path,
    )  # fmt: skip
    return Run(done.run)


@in_python
def load_run(run: str | os.PathLike[str], outputs: str | os.PathLike[str] = "outputs") -> "Run":
    """A run of the run store.

    Args:
        run: an id, the name of runs (the latest of them), a unique prefix of an id, `latest`, or the path of a folder.
        outputs: the folder of the run folders.

    Raises:
        StoreError: if there is no such run, or more than one, or it is damaged.
    """
    found = Run(find_run(_folder(outputs), os.fspath(run)))
    _ = found.status
    return found


class Run:
    """A run: what is in its folder, its model and its pictures.

    Args:
        folder: of the run.

    Attributes:
        id: the run id, such as `houses-0001`.
        path: the run folder, absolute.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.id, self.path = folder.id, folder.path.absolute()
        self._contents = RunContents(self.path)
        self._later: list[Finding] = []

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    @property
    def status(self) -> str:
        """`finished`, `running`, `diverged`, `interrupted` or `failed`."""
        return str(self._contents.record()["status"])

    @cached_property
    def record(self) -> dict[str, Any]:
        """The content of `run.json`: times, versions, decisions, warnings."""
        return copy.deepcopy(self._contents.record())

    @cached_property
    def config(self) -> dict[str, Any]:
        """The resolved config, every key written out; `train` takes it as it is."""
        return config_of(self._contents).config.model_dump(mode="json")

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """The content of `metrics.json`.

        Raises:
            StoreError: for a run that was not evaluated, because it diverged or was interrupted.
        """
        return copy.deepcopy(self._contents.read_json("metrics.json"))

    @property
    def gates(self) -> list[GateResult]:
        """The result of each gate of the config."""
        return [GateResult(**each) for each in self.record.get("gates") or []]

    @property
    def warnings(self) -> list[dict[str, str]]:
        """What was warned of, `{"kind", "message"}` each: in training, and then by calls of this object, each once."""
        return [*(self.record.get("warnings") or []), *(each.as_json() for each in self._later)]

    def _warn(self, finding: Finding) -> None:
        if finding not in self._later:
            self._later.append(finding)

    @cached_property
    def history(self) -> pa.Table:
        """`history.csv`: the loss after each epoch, one row an epoch, the first before training."""
        table = self._contents.table("history.csv")
        for position, name in enumerate(table.column_names):
            if name in ("epoch", "step"):
                table = table.set_column(position, name, table.column(name).cast(pa.int64()))
        return table

    def coefficients(self) -> pa.Table:
        """The coefficients, the bias last, with their 95 % intervals.

        `estimate` is the trained one. The statistics are those of `evaluate.covariance`: of the trained model where
        they are valid, else of the exact fit, and null where there are none. `distance` says how many standard errors
        the trained coefficient lies above the exact one. The metadata of the table has `statistics_of` (`trained`,
        `exact` or `none`) and `covariance`.

        Returns:
            term, estimate, std_err, t, p, ci_low, ci_high, distance; with several targets, `target` comes first.

        Raises:
            StoreError: as `metrics`.
        """
        from linreg_cli.evaluation.coefficients import as_arrow, coefficient_tables

        targets = self._contents.targets
        with self._contents.reporting_damage("{run,metrics}.json"):
            return as_arrow(coefficient_tables(self.metrics, targets))

    @in_python
    def predict(self, data: object, interval: str | None = None, level: float = _LEVEL) -> Any:
        """Predictions in original units for the rows of a frame, whose columns are matched by name.

        Args:
            data: a data frame, a mapping of column to array, each of shape (n_rows,), or the path of a table. The
                target may be absent.
            interval: `prediction` (of an observation) or `confidence` (of the mean); None: no interval.
            level: the probability that the interval covers; without one it is 0.95.

        Returns:
            The columns `prediction` and, with an interval, `prediction_low` and `prediction_high`, one row for each of
            the rows: as a frame of their kind, for pandas with its index; for a mapping as name -> array, for a path as
            an Arrow table. A row of which training drops the like (`missing: drop`) has none. With several targets
            `prediction:TARGET`; where the frame has such a column, `prediction_2`.

        Raises:
            DataError: as `linreg predict`.
            UsageError: for another interval, a level that is no probability, and a level without an interval.
            StoreError: if the run has no model, or is damaged.
        """
        from linreg_cli.evaluation.intervals import Asked
        from linreg_cli.evaluation.predict import Predictions

        if interval is None and level != _LEVEL:
            raise UsageError("it is the level of intervals; add interval='prediction' or 'confidence'", "level")
        asked = None if interval is None else Asked.checked(interval, level)
        found = Predictions(self._saved, _rows_of(data), self._warn, interval=asked, one_dictionary=False)
        added = pa.schema([(name, pa.float64()) for name in found.added])
        batches = found.handed_to(lambda rows: [batch.select(found.added) for batch in rows])
        table = pa.Table.from_batches(batches, added)
        return like(data, {name: table.column(name) for name in found.added})

    @in_python
    def evaluate(self, data: object = None, *, rows: object = None) -> dict[str, Any]:
        """Metrics, as `linreg evaluate` has them: of the run's own splits, or of other rows.

        Args:
            data: other rows, with the inputs and the targets, as `predict` takes them; their metrics are `data`.
                None: the run's own splits, whose table is read again.
            rows: the frame of a run of a frame, for its own splits.

        Raises:
            DataError: for rows that cannot be read or used, and for own ones that are not those of the run any more.
            StoreError: as `predict`.
        """
        from linreg_cli.evaluation.evaluate import evaluate_splits, evaluate_table

        if data is not None:
            if rows is not None:
                raise UsageError("data are other rows, and rows are the run's own; give one of them", "rows")
            return evaluate_table(self._saved, _rows_of(data), self._warn)
        metrics, unchanged = evaluate_splits(self._saved, _own(rows))
        if not unchanged:
            raise DataError("the rows are not those that the run was trained on; give other rows as data", self.id)
        return metrics

    @in_python
    def resume(self, overrides: Mapping[str, Any] | None = None, *, rows: object = None) -> "Run":
        """Continue the run, as `linreg train --resume` does; a run that is complete is returned as it is.

        Args:
            overrides: dotted key -> value; `train.epochs` may be raised; of the rest only `data.path`, `data.stream`
                and `data.memory_limit` may differ, which change no bit.
            rows: the frame of a run of a frame, which must be those that it began with.

        Raises:
            StoreError: if the run is in use, damaged, or has diverged.
            ConfigError, DataError: for another config or other data, and for the rows of a frame that are not given.
            DivergedError, UsageError: as `train`.
        """
        refuse_several("train the run", _TOGETHER)
        from linreg_cli.pipeline.silent import Silent
        from linreg_cli.pipeline.workflow import resume_run

        folder = RunFolder(self.path)
        resume_run(folder, (), expressions(overrides or {}), reporter=Silent(), command=[_COMMAND], frame=_own(rows))
        return Run(folder)

    @in_python
    def plot(
        self, kind: str = "loss", *, target: str | None = None, rows: object = None, scale: str = "auto",
        x: str = "epoch",
    ) -> "Figure":  # fmt: skip
        """One picture of the run.

        Args:
            kind: as `linreg plot --kind` has them, such as `loss`, `predicted` or `residuals`.
            target: of a run with several; a picture is of one.
            rows: the frame of a run of a frame, for the kinds that show them.
            scale: of `loss` and `gap`: `auto`, `linear` or `log`.
            x: of `loss` and `gap`: `epoch` or `step`.

        Returns:
            A matplotlib figure without a window; a notebook shows it.

        Raises:
            UsageError: for a kind that the run does not have, and where the rows are needed and are not at hand.
            PlotError: if matplotlib cannot draw.
            StoreError: if a file of the run is missing or damaged.
        """
        from linreg_cli.figures.canvas import render
        from linreg_cli.figures.epochs import Axes
        from linreg_cli.figures.fonts import warning_of_lacking
        from linreg_cli.figures.of_run import figure_of
        from linreg_cli.figures.train_rows import read_again

        own = None if rows is None else read_again(self._contents, _own(rows))
        with warning_of_lacking(self._warn):
            figure = figure_of(self._contents, kind, target, axes=Axes.checked(scale, x), rows=own)
        # A notebook knows how to show a figure only once pyplot was imported.
        figure._repr_png_ = partial(render, figure, "png")  # type: ignore[attr-defined]
        return figure

    @in_python
    def _repr_html_(self) -> str:
        from linreg_cli.figures.fonts import warning_of_lacking
        from linreg_cli.report.in_notebook import in_notebook

        with warning_of_lacking(self._warn):
            return in_notebook(self._contents)

    @cached_property
    def _saved(self) -> "SavedModel":
        from linreg_cli.evaluation.saved_model import load_saved_model

        return load_saved_model(self._contents)


def _rows_of(data: object) -> str | pa.Table:
    """A frame as an Arrow table, and a path as text."""
    return expanded(os.fspath(data)) if isinstance(data, str | os.PathLike) else table_of(data)


def _own(rows: object) -> pa.Table | None:
    return None if rows is None else table_of(rows)


def _folder(outputs: str | os.PathLike[str]) -> Path:
    return Path(expanded(os.fspath(outputs)))
