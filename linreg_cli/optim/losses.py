"""The five losses, as functions of residuals e = prediction - target, shape (n_samples, n_targets).

    mse       mean of e^2                                  gradient 2 e / n
    sse       sum of e^2                                   gradient 2 e
    half_mse  mean of e^2 / 2                              gradient e / n
    mae       mean of |e|                                  gradient sign(e) / n, and 0 where e = 0
    huber     mean of e^2 / 2 where |e| <= delta,          gradient clip(e, -delta, delta) / n
              delta (|e| - delta / 2) elsewhere

A mean is over all elements, as in torch, so with several targets n counts samples times targets.

With weights w of the rows, whose mean over the train split is 1, the loss of each element is multiplied by that of its
row, and the gradient too. The mean of a batch is over its number of elements, so that batches have the expectation of
the whole.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

#: Rows that an evaluation takes at a time, to keep its memory small compared with the data.
CHUNK_ROWS = 32_768
#: The most numbers that it takes at a time of a table of more than 128 inputs: 16 MiB in float32.
CHUNK_NUMBERS = 2**22

_ELEMENTWISE: dict[str, Callable[[Tensor, float], Tensor]] = {
    "mse": lambda e, _: e.square(),
    "sse": lambda e, _: e.square(),
    "half_mse": lambda e, _: e.square() / 2,
    "mae": lambda e, _: e.abs(),
    "huber": lambda e, delta: torch.where(e.abs() <= delta, e.square() / 2, delta * (e.abs() - delta / 2)),
}

#: Squared losses, c * (sum of e^2): name -> (c for one element, whether it is divided by the number of elements).
_SQUARED: dict[str, tuple[float, bool]] = {"mse": (1.0, True), "sse": (1.0, False), "half_mse": (0.5, True)}


def chunk_rows(n_features: int) -> int:
    """Rows that an evaluation takes at a time, of a wide table fewer, but a multiple of 16.

    So all of them begin at a multiple of 64 bytes also within a larger matrix: at other addresses MKL's product has
    other bits, and rows in memory would not have those of rows on the disk, which are read to such an address.

    >>> chunk_rows(16), chunk_rows(1_600)
    (32768, 2608)
    """
    return min(CHUNK_ROWS, max(16, CHUNK_NUMBERS // max(1, n_features) // 16 * 16))


def is_squared(name: str) -> bool:
    """Whether a loss is a multiple of the sum of squared residuals, and so quadratic in the parameters.

    >>> is_squared("half_mse"), is_squared("huber")
    (True, False)
    """
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
        ValueError: for `mae` and `huber`.
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
        huber_delta: |e| up to which the Huber loss is quadratic and above which it is linear, in scaled units of the
            target.
    """

    name: str
    huber_delta: float = 1.0

    def __post_init__(self) -> None:
        assert self.name in _ELEMENTWISE, self.name

    @property
    def is_sum(self) -> bool:
        """Whether the loss is a sum over elements and not a mean."""
        return self.name == "sse"

    @property
    def is_squared(self) -> bool:
        """Whether the loss is quadratic in the parameters: mse, sse and half_mse."""
        return is_squared(self.name)

    def elements(self, residual: Tensor) -> Tensor:
        """The loss of each residual, before the sum or mean; same shape and dtype as `residual`."""
        return _ELEMENTWISE[self.name](residual, self.huber_delta)

    def __call__(self, prediction: Tensor, target: Tensor, weight_n: Tensor | None = None) -> Tensor:
        """The loss of a batch, a scalar of the dtype of the batch.

        Args:
            prediction: shape (n_samples, n_targets).
            target: the same shape.
            weight_n: of the rows, which their losses are multiplied by, shape (n_samples,); None: all are 1. A mean is
                still over the number of elements, whatever the weights of a batch add up to.

        >>> loss = Loss("mse")
        >>> float(loss(torch.tensor([[1.0], [2.0]]), torch.tensor([[3.0], [2.0]])))
        2.0

        Raises:
            ValueError: if the shapes differ or are not 2-D; nothing is broadcast.
        """
        if prediction.shape != target.shape or prediction.dim() != 2:
            raise ValueError(f"shapes differ: prediction {tuple(prediction.shape)}, target {tuple(target.shape)}")
        elements = self.elements(prediction - target)
        if weight_n is not None:
            elements = elements * weight_n[:, None]
        return elements.sum() if self.is_sum else elements.mean()

    def of_best_constant(self, y_nk: Tensor, weight_n: Tensor | None = None) -> float:
        """The lowest loss of predicting one constant for each target, in float64.

        The best constant is the mean for a squared loss, the median for mae, and for huber the root of the gradient.

        Args:
            y_nk: targets, shape (n_samples, n_targets), any float dtype.
            weight_n: of the rows, with mean 1, float64, shape (n_samples,); None: all are 1.

        >>> Loss("mse").of_best_constant(torch.tensor([[1.0], [3.0]]))
        1.0
        """
        y = y_nk.detach().double()
        if self.is_squared:
            constant = y.mean(dim=0) if weight_n is None else weight_n @ y / weight_n.sum()
        elif self.name == "mae":
            constant = y.median(dim=0).values if weight_n is None else _weighted_median(y, weight_n)
        else:
            constant = self._huber_constant(y, weight_n)
        elements = self.elements(constant - y)
        if weight_n is not None:
            elements = elements * weight_n[:, None]
        return float(elements.sum() if self.is_sum else elements.mean())

    def _huber_constant(self, y: Tensor, weight_n: Tensor | None) -> Tensor:
        """The root of the mean of clip(c - y, -delta, delta), which increases with c, by bisection for each target."""
        below, above = y.amin(dim=0), y.amax(dim=0)
        for _ in range(64):
            middle = (below + above) / 2
            slopes = (middle - y).clamp(-self.huber_delta, self.huber_delta)
            low = (slopes if weight_n is None else slopes * weight_n[:, None]).mean(dim=0) < 0
            below, above = torch.where(low, middle, below), torch.where(low, above, middle)
        return (below + above) / 2

    def over(self, model: nn.Module, X_nd: Tensor, y_nk: Tensor, weight_n: Tensor | None = None) -> float:
        """The loss of a whole split, accumulated in float64 over blocks of rows.

        A mean is weighted: the sum over rows of weight times loss, over the sum of the weights (and of the targets).

        Args:
            model: maps (n_samples, n_features) to (n_samples, n_targets).
            X_nd: inputs, shape (n_samples, n_features), of the model's dtype.
            y_nk: targets, shape (n_samples, n_targets).
            weight_n: of the rows, scaled as those of the train split, shape (n_samples,); None: all are 1.
        """
        total = self.sum_over(model, X_nd, y_nk, weight_n=weight_n)
        n_elements = y_nk.numel() if weight_n is None else float(weight_n.double().sum()) * y_nk.shape[1]
        return self.of_sum(total, n_elements)

    def of_sum(self, total: float, n_elements: float) -> float:
        """The loss of elements whose losses add up to a total; with weights, their sum is the number of elements."""
        return total if self.is_sum else total / n_elements

    @torch.no_grad()
    def sum_over(
        self,
        model: Callable[[Tensor], Tensor],
        X_nd: Tensor,
        y_nk: Tensor,
        before: float = 0.0,
        *,
        weight_n: Tensor | None = None,
    ) -> float:
        """The losses of all elements of a split, added up in float64 over blocks of `chunk_rows` rows; as `over`.

        Args:
            model: as `over`.
            X_nd: as `over`.
            y_nk: as `over`.
            before: the sum over earlier rows, a multiple of `chunk_rows`.
            weight_n: as `over`.
        """
        total = torch.full((), before, dtype=torch.float64, device=X_nd.device)
        size = chunk_rows(X_nd.shape[1])
        for start in range(0, len(X_nd), size):
            rows = slice(start, start + size)
            residual = model(X_nd[rows]).double() - y_nk[rows].double()
            elements = self.elements(residual)
            total += (elements if weight_n is None else elements * weight_n[rows, None].double()).sum()
        return float(total)


def _weighted_median(y: Tensor, weight_n: Tensor) -> Tensor:
    """For each column a number with at most half of the weights below it and at most half above it, shape (k,)."""
    values, order = y.sort(dim=0, stable=True)
    total = weight_n[order].cumsum(dim=0)
    at = (total < total[-1] / 2).sum(dim=0, keepdim=True)
    return values.gather(0, at)[0]
