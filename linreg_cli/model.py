"""The model, nn.Sequential(nn.Linear), and the formula in original units that it folds into."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from linreg_cli.config.schema import InitConfig
from linreg_cli.config.types import Distribution
from linreg_cli.data.dataset import Column
from linreg_cli.data.preprocess import Preprocessor
from linreg_cli.seeds import torch_stream


def build_model(
    n_features: int, n_targets: int, *, bias: bool, dtype: torch.dtype, device: torch.device | str = "cpu"
) -> nn.Sequential:
    """An uninitialised nn.Sequential(nn.Linear(n_features, n_targets)); torch's random state is not touched."""
    linear = nn.utils.skip_init(nn.Linear, n_features, n_targets, bias=bias, dtype=dtype, device=device)  # type: ignore[no-untyped-call]
    return nn.Sequential(linear)


def linear_layer(model: nn.Sequential) -> nn.Linear:
    """The only layer of the model."""
    layer = model[0]
    assert isinstance(layer, nn.Linear)
    return layer


def initialise(model: nn.Sequential, init: InitConfig, seed: int) -> None:
    """Set the parameters in place, in trained units; the weight is drawn before the bias.

    Args:
        model: from `build_model`.
        init: what to start from.
        seed: of the stream that random values come from.

    Raises:
        ValueError: for a list whose length is not the number of parameters; the message begins with the key.
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
                raise ValueError(f"{key}: {len(start)} values for {parameter.numel()} parameters")
            values = torch.tensor(start, dtype=torch.float64).reshape(parameter.shape)
        else:
            values = torch.full(parameter.shape, start, dtype=torch.float64)
        with torch.no_grad():
            parameter.copy_(values)


@dataclass(frozen=True)
class LinearFormula:
    """y = X w + b in original units.

    Attributes:
        features: names of the columns of X.
        targets: names of the columns of y.
        weights: w, shape (n_features, n_targets), target units per feature unit.
        bias: b, shape (n_targets,), target units; None for a model without an intercept.
    """

    features: tuple[str, ...]
    targets: tuple[str, ...]
    weights: Column
    bias: Column | None

    def predict(self, columns: dict[str, Column]) -> Column:
        """Predictions, shape (n_samples, n_targets).

        The sum runs column by column, so that one row alone gives the same bits as that row among others,
        which a matrix product does not promise.

        >>> formula = LinearFormula(("x",), ("y",), np.array([[2.0]]), np.array([1.0]))
        >>> formula.predict({"x": np.array([1.0, 2.0])}).tolist()
        [[3.0], [5.0]]
        """
        n_samples = len(columns[self.features[0]])
        out = np.zeros((n_samples, len(self.targets)))
        with np.errstate(over="ignore", invalid="ignore"):
            for position, feature in enumerate(self.features):
                out += columns[feature][:, None] * self.weights[position]
            return out if self.bias is None else out + self.bias


def fold(model: nn.Sequential, preprocessor: Preprocessor) -> LinearFormula:
    """The trained layer and the scaling around it as one formula in original units, in float64.

    With x' = (x - m) / s and y = m_y + s_y y':  w = s_y w' / s  and  b = m_y + s_y b' - sum_j w_j m_j.
    A column with s = 0 is constant in training and gets w = 0.
    """
    layer, features, targets = linear_layer(model), preprocessor.features, preprocessor.targets
    trained = layer.weight.detach().cpu().double().numpy().T
    inverse = np.divide(1.0, features.scale, out=np.zeros_like(features.scale), where=features.scale != 0)
    # Multiplying by 1 is exact, so parameters of columns that are not scaled keep every bit.
    weights = trained * inverse[:, None] * targets.scale
    if layer.bias is None:
        return LinearFormula(features.columns, targets.columns, weights, None)
    bias = targets.center + targets.scale * layer.bias.detach().cpu().double().numpy()
    return LinearFormula(features.columns, targets.columns, weights, bias - features.center @ weights)
