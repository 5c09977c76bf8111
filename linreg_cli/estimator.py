"""`SGDLinearRegression`: the training of a run as a scikit-learn estimator, without a run folder."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from linreg_cli import remedies
from linreg_cli.calls import own_arithmetic
from linreg_cli.config import Config, LoadedConfig, load_config
from linreg_cli.config.plain import plain
from linreg_cli.config.source import ConfigText
from linreg_cli.data import Dataset
from linreg_cli.data.columns.kinds import Column, row_numbers
from linreg_cli.data.roles import RowWeights
from linreg_cli.errors import DivergedError, LinregError
from linreg_cli.findings import Finding
from linreg_cli.optim.engines.select import resolve_device
from linreg_cli.pipeline.in_memory import Trained, remedy, trained_in_memory
from linreg_cli.pipeline.prepare import assemble_run
from linreg_cli.pipeline.prepared import Prepared
from linreg_cli.pipeline.silent import Silent
from linreg_cli.readers import Estimator, named_as_parameters, written_for

try:
    from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
    from sklearn.utils import check_random_state
    from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data
except ImportError as error:
    raise ImportError("SGDLinearRegression needs scikit-learn 1.6 or later: pip install 'linreg[sklearn]'") from error

_NAME = "the rows of fit"


class SGDLinearRegression(MultiOutputMixin, RegressorMixin, BaseEstimator):
    """Linear regression by gradient descent, y = X w + b, trained as `linreg train` does.

    The parameters are keys of the config and mean the same; `docs/configuration.md` has all of it. `fit_intercept` is
    `model.bias`, and `random_state` is `seed`. The defaults are those that reach least squares.

    Args:
        lr: learning rate, or `auto`, which chooses it from the curvature of the loss.
        momentum: momentum, or `auto`.
        dampening: of the momentum.
        nesterov: Nesterov momentum.
        weight_decay: L2 penalty as torch has it, the intercept's too.
        schedule: the learning rate by epoch, such as `{"kind": "cosine", "T_max": 100}`; None: constant.
        loss: `mse`, `sse`, `half_mse`, `mae` or `huber`.
        huber_delta: where the Huber loss turns linear.
        epochs: passes over the rows.
        batch_size: rows in a step, or `full`.
        shuffle: whether each epoch has a new order of the rows; or `blocks`.
        stop_gap: stop once (loss - optimum) / optimum is certain to be below this; None: never.
        standardize: whether the features are scaled to mean 0 and standard deviation 1. `coef_` is in original units
            in any case.
        fit_intercept: whether the model has an intercept. Without one, features are scaled and not centred.
        dtype: of the training, `float64` or `float32`.
        device: `auto`, `cpu`, `cuda`, `cuda:N`.
        engine: the executor; `auto`: the fastest.
        random_state: the seed of the start and of the orders of the rows; a `RandomState` gives one, and None takes one
            from numpy's global state, as in scikit-learn.

    Attributes:
        coef_: w in original units, shape (n_features,), or (n_targets, n_features) for 2-D targets.
        intercept_: b, a number or shape (n_targets,); 0.0 without an intercept.
        n_iter_: epochs done.
        lr_: the learning rate of the first epoch.
        momentum_: the momentum.
        loss_curve_: the train loss before training and after each epoch, in scaled units.
        warnings_: what a run would have warned of, `{"kind", "message"}` each.
        n_features_in_: features.
        feature_names_in_: their names, where X has names that are text.

    >>> model = SGDLinearRegression().fit([[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0])
    >>> model.predict([[3.0]]).round(6).tolist()
    [7.0]
    """

    def __init__(
        self,
        *,
        lr: float | str = "auto",
        momentum: float | str = "auto",
        dampening: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
        schedule: dict[str, Any] | None = None,
        loss: str = "mse",
        huber_delta: float = 1.0,
        epochs: int = 1000,
        batch_size: int | str = "full",
        shuffle: bool = True,
        stop_gap: float | None = None,
        standardize: bool = True,
        fit_intercept: bool = True,
        dtype: str = "float64",
        device: str = "auto",
        engine: str = "auto",
        random_state: Any = 0,
    ) -> None:
        self.lr = lr
        self.momentum = momentum
        self.dampening = dampening
        self.nesterov = nesterov
        self.weight_decay = weight_decay
        self.schedule = schedule
        self.loss = loss
        self.huber_delta = huber_delta
        self.epochs = epochs
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.stop_gap = stop_gap
        self.standardize = standardize
        self.fit_intercept = fit_intercept
        self.dtype = dtype
        self.device = device
        self.engine = engine
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "SGDLinearRegression":
        """Train.

        Args:
            X: features, shape (n_samples, n_features), finite numbers.
            y: targets, shape (n_samples,) or (n_samples, n_targets).
            sample_weight: shape (n_samples,), at least 0. A weight of 0 is a row that is left out. The loss of a row is
                multiplied by its weight, scaled to mean 1 for a loss that is a mean; so for a full batch an integer
                stands for so many equal rows.

        Raises:
            ValueError: for arrays that scikit-learn refuses.
            ConfigError: for parameters that a config refuses.
            DataError: for values that overflow the dtype.
            DivergedError: if training diverged, or must.
        """
        with own_arithmetic(), _for_parameters():
            return self._fit(X, y, sample_weight)

    def _fit(self, X: Any, y: Any, sample_weight: Any) -> "SGDLinearRegression":
        given = X
        X, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True, multi_output=True)
        y = np.asarray(y, dtype=np.float64)
        weights = None
        if sample_weight is not None:
            weights = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
            used = weights > 0
            if not used.any():
                raise ValueError("Sample weights must contain at least one non-zero number.")
            X, y, weights = X[used], y[used], weights[used]
            # Rows that are all repeated have the same mean; a sum does not change only where the weights are 1.
            none = 1.0 if self.loss == "sse" else weights[0]
            weights = None if (weights == none).all() else weights
        loaded = self._config()
        features = self._names()
        targets = tuple(f"y{position}" for position in range(1 if y.ndim == 1 else y.shape[1]))
        rows = _Rows(features, tuple(_free(name, features) for name in targets), X, y.reshape(len(y), -1), weights)
        with written_for(_reader(given, features)):
            part = _assembled(loaded, loaded.config, rows)
            result, formula = self._trained(loaded, part), part.formula()
        self._formula = formula
        several = y.ndim > 1
        intercept = np.zeros(len(targets)) if formula.bias is None else formula.bias
        self.coef_ = np.ascontiguousarray(formula.weights.T) if several else formula.weights[:, 0].copy()
        self.intercept_ = intercept.copy() if several else float(intercept[0])
        self.n_iter_, self.loss_curve_ = result.epochs, result.losses
        self.lr_, self.momentum_ = float(part.chosen.lr.value), float(part.chosen.momentum.value)
        return self

    def predict(self, X: Any) -> Column:
        """Predictions, shape (n_samples,), or (n_samples, n_targets) for 2-D targets.

        A row has the same bits alone and among others: see `LinearFormula.predict`.

        Args:
            X: features, shape (n_samples, n_features).
        """
        check_is_fitted(self)
        with own_arithmetic():
            X = validate_data(self, X, dtype=np.float64, reset=False)
            names = self._formula.features
            found = self._formula.predict({name: X[:, position] for position, name in enumerate(names)})
        return found[:, 0] if np.ndim(self.intercept_) == 0 else found

    def _config(self) -> LoadedConfig:
        seed = self.random_state
        if not isinstance(seed, int | np.integer):
            seed = check_random_state(seed).randint(2**31 - 1)
        optimizer = ("lr", "momentum", "dampening", "nesterov", "weight_decay")
        train = ("epochs", "batch_size", "shuffle", "stop_gap", "dtype", "device", "engine")
        values = {
            "seed": seed,
            "data": {"source": "frame", "target": "y"},
            "preprocess": {"standardize": self.standardize},
            "model": {"bias": self.fit_intercept},
            "loss": self.loss,
            "huber_delta": self.huber_delta,
            "optimizer": {key: getattr(self, key) for key in optimizer},
            "train": {key: getattr(self, key) for key in train},
        }
        if self.schedule is not None:
            values["optimizer"]["schedule"] = self.schedule
        name = "the parameters"
        return load_config([ConfigText(name, remedies.flow(plain(values, name)), "estimator")])

    def _names(self) -> tuple[str, ...]:
        """Names of the features, for messages: those of X where it has them."""
        names = tuple(getattr(self, "feature_names_in_", ()))
        if len({*names}) == self.n_features_in_:
            return names
        return tuple(f"x{position}" for position in range(self.n_features_in_))

    def _trained(self, loaded: LoadedConfig, part: Prepared) -> Trained:
        """Check and take the steps."""
        warnings = part.check(loaded, Silent(), force=False)
        part = part.started(loaded, Silent(), warnings)
        self.warnings_ = [Finding(each.kind, named_as_parameters(each.message)).as_json() for each in warnings]
        result = trained_in_memory(part)
        if result.diverged_in is not None:
            raise DivergedError(f"training diverged in epoch {result.diverged_in:,}. {remedy(part)}", _NAME)
        return result


@contextlib.contextmanager
def _for_parameters() -> Iterator[None]:
    """A block whose errors call settings as the parameters of the estimator."""
    with written_for(Estimator()):
        try:
            yield
        except LinregError as error:
            error.faults = tuple(replace(each, message=named_as_parameters(each.message)) for each in error.faults)
            error.args = (named_as_parameters(str(error)),)
            raise


def _reader(X: Any, features: tuple[str, ...]) -> Estimator:
    """How the caller leaves columns out of X: by name where it is a data frame, else by position."""
    frame = {"pandas": "columns=", "polars": ""}.get(type(X).__module__.partition(".")[0])
    return Estimator({name: position for position, name in enumerate(features)}, frame)


class _Rows:
    """Features and targets with their names: X of shape (n_samples, n_features), y of shape (n_samples, n_targets).

    Args:
        features: names of the columns of X.
        targets: names of the columns of y.
        X: inputs.
        y: targets.
        weights: of the rows, above 0, shape (n_samples,); None: all are 1.
    """

    def __init__(
        self, features: tuple[str, ...], targets: tuple[str, ...], X: Column, y: Column, weights: Column | None
    ) -> None:
        self.features, self.targets, self.X, self.y, self.weights = features, targets, X, y, weights

    def dataset(self, *, is_sum: bool) -> Dataset:
        """All rows in the train split.

        Args:
            is_sum: whether the loss is a sum, which the weights are not scaled for.
        """
        columns = {name: self.X[:, position] for position, name in enumerate(self.features)}
        columns |= {name: self.y[:, position] for position, name in enumerate(self.targets)}
        nothing = row_numbers(0, 0)
        splits = {"train": row_numbers(0, len(self.X)), "validation": nothing, "test": nothing}
        weights = None
        if self.weights is not None:
            scaled = RowWeights.of(self.weights, "sample_weight", splits["train"])
            weights = replace(scaled, scale=1.0) if is_sum else scaled
        return Dataset(_NAME, self.features, self.targets, columns, splits, weights=weights)


def _assembled(loaded: LoadedConfig, config: Config, rows: _Rows) -> Prepared:
    try:
        device = resolve_device(config.train.device)
    except ValueError as error:
        raise loaded.error("train.device", str(error)) from None
    return assemble_run(loaded, config, device, rows.dataset(is_sum=config.loss == "sse"))


def _free(name: str, taken: tuple[str, ...]) -> str:
    """A name that no feature has."""
    while name in taken:
        name += "_"
    return name
