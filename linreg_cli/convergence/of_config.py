"""The problem of a config and its rows: the scaled train split, the plan and the initial parameters."""

import functools
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from linreg_cli.config.schema import Config
from linreg_cli.convergence.problem import Problem
from linreg_cli.data import Dataset, Preprocessor
from linreg_cli.data.columns.divided import DividedRows
from linreg_cli.data.columns.kinds import Rows
from linreg_cli.data.columns.row_weights import WeightsOnAccess
from linreg_cli.data.columns.rows import Matrix, RowsOnAccess
from linreg_cli.least_squares.factor import Array, Factor
from linreg_cli.least_squares.optimum import Optimum
from linreg_cli.model import build_model, initialise, parameters_of
from linreg_cli.optim.plan import StepPlan
from linreg_cli.optim.row_order import RowOrder
from linreg_cli.optim.rows import TrainRows


def problem_of(
    config: Config,
    dataset: Dataset,
    preprocessor: Preprocessor,
    train: tuple[Matrix, Matrix] | None = None,
    *,
    eps: float | None = None,
    exact: dict[str, Optimum] | None = None,
    measured: Factor | None = None,
    divided: DividedRows | None = None,
    weights: RowsOnAccess | None = None,
) -> Problem:
    """What training a config minimises, and where it starts.

    Args:
        config: of the run; a rate or a momentum of `auto` counts as in `StepPlan.from_config`.
        dataset: the rows.
        preprocessor: fitted with the settings of the config.
        train: X (n_samples, n_features) and y (n_samples, n_targets) of the train split in scaled units and the dtype
            of training, as `RowOrder.arranged` has the rows, where they are there already.
        eps: see `Problem`.
        exact: see `Problem`; None: nothing was computed.
        measured: see `Problem`.
        divided: the rows of `train`, with their weights, where several processes have them; None: they are here.
        weights: of the rows of `train`, shape (n_samples, 1), where they lie on the disk as these do.

    Raises:
        DataError: for a value that overflows the dtype of training.
        SettingError: at `model.init`, as `model.initialise`.
    """
    dtype, plan = dtype_of(config), plan_of(config, dataset)
    X_nd, y_nk = train or arrays_of(plan, dataset, preprocessor, dtype)
    exact_already = dtype == torch.float64 or measured is not None
    given = None if exact_already else functools.partial(preprocessor.given_rows, dataset)
    start, weight_n = _start(config, dataset, dtype), None if divided is None else divided.weight_n
    if weights is not None:
        weight_n = WeightsOnAccess(len(weights), lambda at: weights[at][:, 0].astype(np.float64))
    elif dataset.weights is not None and divided is None:
        found = row_weights(dataset, plan.rows.arranged(dataset.splits["train"]), dtype)
        weight_n = None if found is None else found.double().numpy()
    problem = Problem(plan, X_nd, y_nk, dataset.features, start, eps=eps, given=given, weight_n=weight_n)
    problem.measured, problem.divided = measured, divided
    problem.exact.update(exact or {})
    return problem


def arrays_of(
    plan: StepPlan, dataset: Dataset, preprocessor: Preprocessor, dtype: torch.dtype
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """X and y of the train split in scaled units, as `RowOrder.arranged` has the rows."""
    rows = plan.rows.arranged(dataset.splits["train"])
    X_nd, y_nk = (each.tensor(dataset, rows, dtype).numpy() for each in (preprocessor.features, preprocessor.targets))
    return X_nd, y_nk


def rows_in_memory(
    dataset: Dataset,
    preprocessor: Preprocessor,
    split: str,
    dtype: torch.dtype,
    order: RowOrder | None = None,
    device: torch.device | None = None,
) -> TrainRows:
    """The scaled rows of a split as tensors; as `on_disk.rows_on_disk`.

    Args:
        dataset: the rows.
        preprocessor: its scaling.
        split: which rows.
        dtype: of the numbers.
        order: the order of training, as which the train split stands (`RowOrder.arranged`); None: as given.
        device: of the tensors; None: the CPU.
    """
    rows = dataset.splits[split] if order is None else order.arranged(dataset.splits[split])
    X_nd, y_nk = (
        each.tensor(dataset, rows, dtype).to(device) for each in (preprocessor.features, preprocessor.targets)
    )
    return TrainRows(X_nd, y_nk, row_weights(dataset, rows, dtype, device))


def plan_of(config: Config, dataset: Dataset) -> StepPlan:
    """The plan of a config for the train split; as `StepPlan.from_config`."""
    return StepPlan.from_config(config, len(dataset.splits["train"]), len(dataset.features) + len(dataset.targets))


def row_weights(
    dataset: Dataset, rows: Rows | slice, dtype: torch.dtype, device: torch.device | None = None
) -> torch.Tensor | None:
    """The weights of some rows in the dtype of training, shape (n_rows,); None: all are 1."""
    weights = dataset.weights_of(rows)
    return None if weights is None else torch.from_numpy(weights).to(dtype).to(device)


def dtype_of(config: Config) -> torch.dtype:
    """The dtype of training."""
    return torch.float64 if config.train.dtype == "float64" else torch.float32


def _start(config: Config, dataset: Dataset, dtype: torch.dtype) -> tuple[Array, Array | None]:
    model = build_model(len(dataset.features), len(dataset.targets), bias=config.model.bias, dtype=dtype)
    initialise(model, config.model.init, config.seed)
    return parameters_of(model)
