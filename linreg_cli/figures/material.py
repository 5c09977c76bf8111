"""What the pictures of a run are drawn from: the files in its folder, and where these are not enough its rows."""

import math
import os
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from linreg_cli.data.columns.arrow import indices, to_numpy
from linreg_cli.data.columns.kinds import Column, take
from linreg_cli.data.encoding.transform import forward
from linreg_cli.figures.clouds import SplitPoints
from linreg_cli.figures.some_predictions import is_long, some_predictions
from linreg_cli.figures.train_rows import TrainRows, read_again
from linreg_cli.least_squares.influence import largest_rows
from linreg_cli.runs.contents import RunContents
from linreg_cli.runs.store import RunFolder


@dataclass(frozen=True)
class Material(RunContents):
    """A run as the pictures see it.

    Attributes:
        rows: the rows of the run where they are at hand; None: they are read again if a picture needs them.
    """

    rows: TrainRows | None = field(default=None, compare=False)

    @classmethod
    def of(cls, run: RunFolder, rows: TrainRows | None = None) -> "Material":
        """The material of a run; what a `RunContents` has read is not read again."""
        if isinstance(run, Material):
            return run
        found = cls(run.path, rows=rows)
        if isinstance(run, RunContents):
            object.__setattr__(found, "_cache", run._cache)
        return found

    @property
    def evaluated(self) -> bool:
        """Whether the run has metrics, and predictions where it keeps some."""
        ended = self.record()["status"] == "finished" or self.has("metrics.json")
        return ended and (self.has_predictions or self.config.evaluate.predictions == "none")

    @property
    def has_predictions(self) -> bool:
        """Whether there is a `predictions.csv`."""
        return os.path.isfile(self.path / "predictions.csv")

    @property
    def predictions(self) -> pa.Table:
        """`predictions.csv`, of a long one some lines."""
        if is_long(self):
            return self._once("some predictions", lambda: some_predictions(self))
        return self.table("predictions.csv", text=("split",))

    def train_rows(self) -> TrainRows:
        """The rows of the run; raises as `read_again`."""
        return self._once("rows", lambda: self.rows or read_again(self))

    @property
    def transform(self) -> str:
        """The transform of the target."""
        return str(self.record().get("target_transform", "none"))

    @property
    def feature(self) -> str | None:
        """The single feature over which the fit is a straight line; None if there is none."""
        if self.transform != "none":
            return None
        names: list[str] = self.predictions.column_names
        return next((name.removeprefix("feature:") for name in names if name.startswith("feature:")), None)

    def of_target(self, values: Any, target: str) -> Any:
        """The part of a value of `metrics.json` that is about a target, where there are several."""
        return values[target] if len(self.targets) > 1 else values

    def of_target_inference(self, target: str) -> Any:
        """The inference of the exact fit for a target; None where it is refused.

        A run of an older version has only that of the trained model.
        """
        metrics = self.read_json("metrics.json")
        found = (metrics.get("optimum") or {}).get("inference") or metrics.get("inference") or {"refused": "older"}
        return None if isinstance(found.get("refused"), str) else self.of_target(found, target)

    @property
    def fit_name(self) -> str:
        """The fit of `influence.csv`, for titles: the run, or its exact fit where the trained model is far from it."""
        inference = self.read_json("metrics.json").get("inference") or {}
        return f"exact fit of {self.id}" if "refused" in inference else self.id

    def fitted_name(self, target: str) -> str:
        """The target in the units in which it was fitted, such as `log of price`."""
        return target if self.transform == "none" else f"{self.transform} of {target}"

    def points(self, target: str, *, fitted: bool = False) -> list[SplitPoints]:
        """The points of each split.

        Args:
            target: its name.
            fitted: whether actual and predicted values are in the units of the fit, with the target's transform.
        """
        table, suffix = self.predictions, f":{target}" if len(self.targets) > 1 else ""
        actual, predicted = floats(table, f"target{suffix}"), floats(table, f"prediction{suffix}")
        if fitted and self.transform != "none":
            actual, predicted = forward(self.transform, actual), forward(self.transform, predicted)
            predicted = predicted - self._smearing(target)
        x = floats(table, f"feature:{self.feature}") if self.feature else None
        root = np.sqrt(floats(table, "weight")) if "weight" in table.column_names else None
        split = table.column("split").dictionary_encode().unify_dictionaries()
        codes, points, numbers = indices(split), [], floats(table, "row").astype(np.int64)
        for code, name in enumerate(split.chunk(0).dictionary.to_pylist() if len(codes) else []):
            rows = codes == code
            feature, n_rows = None if x is None else x[rows], self.record()["data"]["rows"].get(name)
            own = None if root is None else root[rows]
            points.append(SplitPoints(name, actual[rows], predicted[rows], feature, numbers[rows], n_rows, own))
        return points

    def _smearing(self, target: str) -> float:
        """The logarithm of the smearing factor, which predictions of the mean have in the units of the fit."""
        factors = self.read_json("preprocess.json").get("smearing")
        return 0.0 if factors is None else math.log(factors[self.targets.index(target)])

    def influence_weights(self, target: str) -> np.ndarray | None:
        """The number of rows that each row of `influence.csv` stands for, shape (n,); None where it has all."""
        inference, table = self.of_target_inference(target), self.table("influence.csv")
        assert inference is not None
        if len(table) >= inference["n"]:
            return None

        def largest(name: str) -> np.ndarray:
            columns = [floats(table, column) for column in table.column_names if column.partition(":")[0] == name]
            found: np.ndarray = np.max(np.abs(columns), axis=0)
            return found

        extreme = largest_rows(largest("cooks_distance"), largest("standardized_residual"), largest("leverage"))
        weights = np.full(len(table), (inference["n"] - len(extreme)) / max(len(table) - len(extreme), 1))
        weights[extreme] = 1.0
        return weights

    def standardized(self, target: str) -> tuple[np.ndarray, np.ndarray]:
        """Of the rows of `influence.csv`: the standardised residuals of a target, and the row numbers."""
        table, suffix = self.table("influence.csv"), f":{target}" if len(self.targets) > 1 else ""
        return floats(table, f"standardized_residual{suffix}"), floats(table, "row").astype(np.int64)

    def exactly_fitted(self, target: str) -> np.ndarray:
        """What the exact fit predicts for the rows of `influence.csv`.

        In the units of the fit, y - r s sqrt(1 - h), with the standardised residual r and leverage h; with weights of
        the rows r is divided by the square root of that of the row.
        """
        inference = self.of_target_inference(target)
        assert inference is not None
        residuals, wanted = self.standardized(target)
        leverage = floats(self.table("influence.csv"), "leverage")
        errors = np.nan_to_num(residuals) * inference["residual_std"] * np.sqrt(np.clip(1 - leverage, 0, 1))
        if getattr(self.config.data, "weight", None) is not None:
            weights = self.train_rows().dataset.weights_of(wanted - 1)
            errors = errors if weights is None else errors / np.sqrt(weights)
        fitted: np.ndarray = self._actual(target, wanted) - errors
        return fitted

    def _actual(self, target: str, wanted: np.ndarray) -> np.ndarray:
        """The target in some rows of the train split, in the units of the fit; raises as `train_rows`."""
        rows = self.rows_of("train") if self.has_predictions else wanted[:0]
        order = np.argsort(rows, kind="stable")
        at = np.searchsorted(rows[order], wanted)
        actual: np.ndarray
        if len(rows) < len(wanted) or not np.array_equal(rows[order[np.minimum(at, len(rows) - 1)]], wanted):
            columns = self.train_rows().dataset.columns  # a sample of the predictions has other rows
            actual = forward(self.transform, take(columns, target, wanted - 1))
        else:
            (points,) = (p for p in self.points(target, fitted=True) if p.split == "train")
            actual = points.actual[order[at]]
        return actual

    def rows_of(self, split: str) -> np.ndarray:
        """The numbers of the rows of a split that `predictions.csv` has, from 1."""
        here = np.array(self.predictions.column("split")) == split
        rows: np.ndarray = floats(self.predictions, "row")[here].astype(np.int64)
        return rows

    def history(self, columns: list[str]) -> np.ndarray | None:
        """Columns of `history.csv`, shape (n_lines, n_columns); None if it lacks one."""
        table = self.table("history.csv")
        if not set(columns) <= set(table.column_names):
            return None
        return np.column_stack([floats(table, column) for column in columns])

    def parameter_columns(self, target: str) -> list[str]:
        """The columns of `history.csv` that hold the parameters of a target, the bias last."""
        prefix, suffix = (f"{target}:", f":{target}") if len(self.targets) > 1 else ("", "")
        columns = [f"weight:{prefix}{feature}" for feature in self.record()["data"]["features"]]
        return columns + ([f"bias{suffix}"] if self.config.model.bias else [])


def floats(table: pa.Table, column: str) -> Column:
    """A column of a table, shape (n_rows,), float64."""
    return to_numpy(table.column(column))
