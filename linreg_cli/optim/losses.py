"""The five losses, of residuals e = prediction - target, shape (n_samples, n_targets).

    mse       mean of e^2                                  gradient 2 e / n
    sse       sum of e^2                                   gradient 2 e
    half_mse  mean of e^2 / 2                              gradient e / n
    mae       mean of |e|                                  gradient sign(e) / n, and 0 where e = 0
    huber     mean of e^2 / 2 where |e| <= delta,          gradient clip(e, -delta, delta) / n
              delta (|e| - delta / 2) elsewhere

A mean is over all elements, as in torch, so with several targets n counts samples times targets.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

#: Rows of one pass over a split; keeps the memory of an evaluation small beside the data.
CHUNK_ROWS = 131_072

_ELEMENTWISE: dict[str, Callable[[Tensor, float], Tensor]] = {
    "mse": lambda e, _: e.square(),
    "sse": lambda e, _: e.square(),
    "half_mse": lambda e, _: e.square() / 2,
    "mae": lambda e, _: e.abs(),
    "huber": lambda e, delta: torch.where(e.abs() <= delta, e.square() / 2, delta * (e.abs() - delta / 2)),
}

#: Squared losses, c * (sum of e^2): name -> c for one element, and whether it is divided by the number of elements.
_SQUARED: dict[str, tuple[float, bool]] = {"mse": (1.0, True), "sse": (1.0, False), "half_mse": (0.5, True)}


def is_squared(name: str) -> bool:
    """Whether a loss is a multiple of the sum of squared residuals, and so a quadratic of the parameters."""
    return name in _SQUARED


def loss_scale(name: str, n_samples: int, n_targets: int) -> float:
    """The c in loss = c * (sum of squared residuals): 1/(n k) for mse, 1 for sse, 1/(2 n k) for half_mse.

    Args:
        name: of the loss.
        n_samples: n, rows.
        n_targets: k.

    >>> loss_scale("half_mse", 5, 1)
    0.1

    Raises:
        ValueError: for a loss that is not squared.
    """
    if name not in _SQUARED:
        raise ValueError(f"{name} is not a squared loss; squared are {', '.join(_SQUARED)}")
    scale, is_mean = _SQUARED[name]
    return scale / (n_samples * n_targets) if is_mean else scale


@dataclass(frozen=True)
class Loss:
    """One of the five losses.

    Attributes:
        name: `mse`, `sse`, `half_mse`, `mae` or `huber`.
        huber_delta: where the Huber loss turns from a parabola to a line, in units of the target.
    """

    name: str
    huber_delta: float = 1.0

    def __post_init__(self) -> None:
        assert self.name in _ELEMENTWISE, self.name

    @property
    def is_sum(self) -> bool:
        """Whether the loss adds the samples up instead of averaging them."""
        return self.name == "sse"

    @property
    def is_squared(self) -> bool:
        """Whether the loss is a quadratic of the parameters: mse, sse and half_mse."""
        return is_squared(self.name)

    def elements(self, residual: Tensor) -> Tensor:
        """The loss of each residual, before they are added up or averaged; the shape of `residual`."""
        return _ELEMENTWISE[self.name](residual, self.huber_delta)

    def __call__(self, prediction: Tensor, target: Tensor) -> Tensor:
        """The loss of a batch, a scalar of the batch's dtype.

        >>> loss = Loss("mse")
        >>> float(loss(torch.tensor([[1.0], [2.0]]), torch.tensor([[3.0], [2.0]])))
        2.0

        Raises:
            ValueError: unless both have the same shape (n_samples, n_targets); nothing is broadcast.
        """
        if prediction.shape != target.shape or prediction.dim() != 2:
            raise ValueError(f"shapes differ: prediction {tuple(prediction.shape)}, target {tuple(target.shape)}")
        elements = self.elements(prediction - target)
        return elements.sum() if self.is_sum else elements.mean()

    @torch.no_grad()
    def over(self, model: nn.Module, X_nd: Tensor, y_nk: Tensor) -> float:
        """The loss of a whole split, summed up in float64 over chunks of rows.

        Args:
            model: maps (n_samples, n_features) to (n_samples, n_targets).
            X_nd: inputs.
            y_nk: targets.
        """
        total = torch.zeros((), dtype=torch.float64, device=X_nd.device)
        for start in range(0, len(X_nd), CHUNK_ROWS):
            rows = slice(start, start + CHUNK_ROWS)
            residual = model(X_nd[rows]).double() - y_nk[rows].double()
            total += self.elements(residual).sum()
        return float(total) if self.is_sum else float(total) / y_nk.numel()
