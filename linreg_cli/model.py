"""The model, nn.Sequential(nn.Linear), and the formula in original units that it folds into."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from linreg_cli.config.schema import InitConfig
from linreg_cli.config.types import Distribution
from linreg_cli.data.columns.kinds import Column, Rows, take
from linreg_cli.data.encoding.transform import inverse
from linreg_cli.data.preprocessor import Preprocessor
from linreg_cli.errors import SettingError
from linreg_cli.seeds import torch_stream
from linreg_cli.wording import number


def build_model(
    n_features: int, n_targets: int, *, bias: bool, dtype: torch.dtype, device: torch.device | str = "cpu"
) -> nn.Sequential:
    """`nn.Sequential(nn.Linear(n_features, n_targets))`, whose parameters `initialise` sets.

    The state of torch's global random generator is left unchanged.

    >>> build_model(3, 1, bias=True, dtype=torch.float64)[0].weight.shape
    torch.Size([1, 3])

    Args:
        n_features: columns of X.
        n_targets: columns of y.
        bias: whether the model has an intercept.
        dtype: of the parameters.
        device: of the parameters.
    """
    # Not nn.utils.skip_init: it creates the layer on the meta device, for which torch imports sympy (half a second).
    with torch.random.fork_rng(devices=()):
        linear = nn.Linear(n_features, n_targets, bias=bias, dtype=dtype)
    return nn.Sequential(linear).to(device)


def linear_layer(model: nn.Sequential) -> nn.Linear:
    """The single `nn.Linear` of the model."""
    layer = model[0]
    assert isinstance(layer, nn.Linear)
    return layer


def initialise(model: nn.Sequential, init: InitConfig, seed: int) -> None:
    """Set the parameters in place, in scaled units; the weight is drawn before the bias.

    Args:
        model: from `build_model`.
        init: the initial values: a constant, a list or a distribution.
        seed: of the random stream ("init") that values of a distribution are drawn from, in float64.

    Raises:
        SettingError: at `model.init.weight` or `.bias`, for a list whose length is not the number of parameters, and
            for a value that overflows their dtype.
    """
    layer, stream = linear_layer(model), torch_stream(seed, "init")
    for key, parameter in (("weight", layer.weight), ("bias", layer.bias)):
        if parameter is None:
            continue
        start = getattr(init, key)
        if isinstance(start, Distribution):
            noise = torch.empty(parameter.shape, dtype=torch.float64)
            draw = noise.normal_ if start.kind == "normal" else noise.uniform_
            values = draw(start.first, start.second, generator=stream)
        elif isinstance(start, tuple):
            if len(start) != parameter.numel():
                message = f"{len(start)} values for {parameter.numel()} parameters"
                raise SettingError(("model", "init", key), message)
            values = torch.tensor(start, dtype=torch.float64).reshape(parameter.shape)
        else:
            values = torch.full(parameter.shape, start, dtype=torch.float64)
        with torch.no_grad():
            parameter.copy_(values)
        if not bool(torch.isfinite(parameter).all()):
            name = str(parameter.dtype).removeprefix("torch.")
            message = f"{number(float(values.abs().max()))} overflows {name}; start from smaller values"
            raise SettingError(("model", "init", key), message)


@dataclass(frozen=True)
class LinearFormula:
    """f(y) = X w + b in original units, where f is the transform of the target.

    Attributes:
        features: names of the columns of X.
        targets: names of the columns of y.
        weights: w, shape (n_features, n_targets), units of f(target) per feature unit.
        bias: b, shape (n_targets,), units of f(target); None for a model without an intercept.
        transform: what f is: `none`, `log` or `log1p`.
        smearing: the factor s of each target by which exp(X w + b) is multiplied, shape (n_targets,), so that
            predictions estimate the mean; None: they estimate the median.
    """

    features: tuple[str, ...]
    targets: tuple[str, ...]
    weights: Column
    bias: Column | None
    transform: str = "none"
    smearing: Column | None = None

    def smeared(self, factors: Column) -> "LinearFormula":
        """The same with smearing factors, shape (n_targets,), each above 0."""
        assert self.transform != "none", "without a transform there is nothing to smear"
        return replace(self, smearing=factors)

    def predict(self, columns: Mapping[str, Column], rows: Rows | slice = slice(None)) -> Column:
        """Predictions y = f^-1(X w + b) in original units, shape (n_rows, n_targets), float64.

        With smearing factors s they are f^-1(X w + b + log s), which multiplies exp(X w + b) by s.

        The sum is computed column by column, so that a row gives the same bits alone and among other rows; a matrix
        product does not guarantee that.

        Args:
            columns: feature -> values, shape (n_samples,).
            rows: the rows to predict; default: all.

        >>> formula = LinearFormula(("x",), ("y",), np.array([[2.0]]), np.array([1.0]))
        >>> formula.predict({"x": np.array([1.0, 2.0])}).tolist()
        [[3.0], [5.0]]
        """
        out = self.linear(columns, rows)
        with np.errstate(over="ignore", invalid="ignore"):
            return inverse(self.transform, out if self.smearing is None else out + np.log(self.smearing))

    def linear(self, columns: Mapping[str, Column], rows: Rows | slice = slice(None)) -> Column:
        """X w + b, in units of f(target), as `predict` takes it and in its shape."""
        out = np.zeros((0, len(self.targets)))
        with np.errstate(over="ignore", invalid="ignore"):
            for position, feature in enumerate(self.features):
                values = take(columns, feature, rows)
                out = out if position else np.zeros((len(values), len(self.targets)))
                out += values[:, None] * self.weights[position]
            if self.bias is not None:
                out += self.bias
        return out


def fold(model: nn.Sequential, preprocessor: Preprocessor) -> LinearFormula:
    """The trained layer and the scaling around it as one formula in original units, in float64.

    With x' = (x - m) / s and f(y) = m_y + s_y y':  w = s_y w' / s  and  b = m_y + s_y b' - sum_j w_j m_j.
    A column that is constant in the train split has s = 0 and gets w = 0.

    Args:
        model: from `build_model`.
        preprocessor: that the model was trained with.
    """
    return fold_parameters(*parameters_of(model), preprocessor)


def parameters_of(model: nn.Sequential) -> tuple[Column, Column | None]:
    """Weights (n_features, n_targets) and bias (n_targets,) of the layer, in scaled units and float64."""
    layer = linear_layer(model)
    bias = None if layer.bias is None else layer.bias.detach().cpu().double().numpy()
    return layer.weight.detach().cpu().double().numpy().T, bias


def fold_parameters(weights_dk: Column, bias_k: Column | None, preprocessor: Preprocessor) -> LinearFormula:
    """`fold` for any parameters in scaled units: weights (n_features, n_targets), bias (n_targets,) or None.

    Several stacked, (N, n_features, n_targets) and (N, n_targets), give a formula whose parameters are stacked, too.
    """
    features, targets = preprocessor.features, preprocessor.targets
    reciprocal = np.divide(1.0, features.scale, out=np.zeros_like(features.scale), where=features.scale != 0)
    # Multiplying by 1 is exact, so parameters of columns that are not scaled keep every bit.
    weights = weights_dk * reciprocal[:, None] * targets.scale + 0.0  # a constant column has no negative zero
    if bias_k is None:
        return LinearFormula(features.columns, targets.columns, weights, None, targets.transform, preprocessor.smearing)
    bias = targets.center + targets.scale * bias_k - features.center @ weights
    return LinearFormula(features.columns, targets.columns, weights, bias, targets.transform, preprocessor.smearing)


def unfold_parameters(
    weights_dk: Column, bias_k: Column | None, preprocessor: Preprocessor, target: int | slice = slice(None)
) -> tuple[Column, Column | None]:
    """The inverse of `fold_parameters`: weights and bias in scaled units, in the shapes given.

    Args:
        weights_dk: in original units, shape (n_features, n_targets).
        bias_k: in original units, shape (n_targets,); None for a model without an intercept.
        preprocessor: that the model was trained with.
        target: the position of the one target that all columns are of, such as the states of a run; default: a column
            is of each target.
    """
    features, scale, center = preprocessor.features, preprocessor.targets.scale[target], preprocessor.targets.center
    weights = weights_dk * features.scale[:, None] / scale
    if bias_k is None:
        return weights, None
    return weights, (bias_k - center[target] + features.center @ weights_dk) / scale
