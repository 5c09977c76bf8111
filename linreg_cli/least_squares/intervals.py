"""Prediction and confidence intervals: the standard errors of predictions for rows of X, from a stored factor."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from linreg_cli.least_squares.decompositions import Array, solve_triangle
from linreg_cli.least_squares.distributions import t_quantile
from linreg_cli.least_squares.inference import Inference
from linreg_cli.least_squares.optimum import Optimum

#: What an interval is of: a further observation, or the mean of all observations with these features.
KINDS = ("prediction", "confidence")


@dataclass(frozen=True, eq=False)
class IntervalFactor:
    """What intervals need of the train split; with d features, p parameters and k targets.

    Attributes:
        factor: R, upper triangular, with R'R = Z'Z for the rows z = (x - center, 1), shape (p, p).
        center: of the features, shape (d,); 0 without an intercept.
        residual_std: the residual standard errors, shape (k,), in units of the transformed targets.
        degrees: the degrees of freedom of t: those of the residuals, with `cluster` the number of clusters - 1.
        root: for HC3 and cluster, W with W'W = the covariance of Q'y, shape (k, p, p); None: classic.
        covariance: `classic`, `HC3` or `cluster`.
    """

    factor: Array
    center: Array
    residual_std: Array
    degrees: int
    root: Array | None = None
    covariance: str = "classic"

    @classmethod
    def of(cls, optimum: Optimum, fits: Sequence[Inference]) -> "IntervalFactor":
        """From the exact fit in original units and its inference, one for each target, all with one covariance."""
        found, units = optimum.factor, optimum.factor.scale
        factor = found.R_pp * (np.append(units, 1.0) if found.bias else units)
        covariance = fits[0].covariance
        root = None if covariance == "classic" else np.stack([_root(fit.meat) for fit in fits])
        residual_std = np.array([fit.residual_std for fit in fits])
        return cls(factor, found.center, residual_std, fits[0].degrees, root, covariance)

    def half_widths(self, X_nd: Array, kind: str, level: float, weights: Array | None = None) -> Array:
        """t times the standard error of the predictions for some rows, shape (n_rows, k).

        The squared error of the mean is s^2 |q|^2 with q = inv(R)'z, or |W q|^2 with HC3 and cluster; that of an
        observation is s^2 more. t is the quantile of Student's t distribution.

        Args:
            X_nd: rows of features in original units, shape (n_rows, d).
            kind: one of `KINDS`.
            level: the probability that the interval covers, above 0 and below 1.
            weights: of the rows, scaled as those of the train split, shape (n_rows,); the variance of an observation is
                s^2 over its weight. None: all are 1.
        """
        z = X_nd - self.center
        if len(self.factor) > len(self.center):
            z = np.column_stack([z, np.ones(len(z))])
        q = z @ solve_triangle(self.factor, np.eye(len(self.factor)))
        if self.root is None:
            squares = np.einsum("ij,ij->i", q, q)[:, None] * self.residual_std**2
        else:
            squares = np.stack([np.einsum("ij,ij->i", image := q @ each.T, image) for each in self.root], axis=1)
        if kind == "prediction":
            variance = self.residual_std**2
            squares = squares + (variance if weights is None else variance / weights[:, None])
        t = t_quantile(self.degrees, (1 - level) / 2)
        widths: Array = t * np.sqrt(squares)
        return widths

    def tensors(self) -> dict[str, Array]:
        """The content of `inference.safetensors`, all float64."""
        found = {"factor": self.factor, "center": self.center, "residual_std": self.residual_std}
        found["degrees_of_freedom"] = np.array([float(self.degrees)])
        return found if self.root is None else {**found, f"root_{self.covariance.lower()}": self.root}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, npt.NDArray[np.generic]], n_features: int) -> "IntervalFactor":
        """The inverse of `tensors`.

        Raises:
            ValueError, KeyError: if they are not what `tensors` gives.
        """
        found = {name: np.asarray(values, dtype=np.float64) for name, values in tensors.items()}
        factor, std, degrees = found["factor"], found["residual_std"], found["degrees_of_freedom"]
        kind = next((each for each in ("HC3", "cluster") if f"root_{each.lower()}" in found), "classic")
        p, root = len(factor), found.get(f"root_{kind.lower()}")
        shapes = factor.shape == (p, p) and found["center"].shape == (n_features,) and p - n_features in (0, 1)
        shapes = shapes and std.ndim == 1 and degrees.shape == (1,) and (root is None or root.shape == (len(std), p, p))
        if not shapes or not all(np.isfinite(values).all() for values in found.values()):
            raise ValueError("its shapes do not fit the model, or it is not finite")
        if not (np.diag(factor).all() and degrees[0] >= 1 and (std >= 0).all()):
            raise ValueError("the factor is singular, or there are no residual degrees of freedom")
        return cls(factor, found["center"], std, int(degrees[0]), root, kind)


def _root(meat: Array) -> Array:
    """W with W'W = a symmetric matrix without negative eigenvalues but those of rounding."""
    values, vectors = np.linalg.eigh(meat)
    root: Array = np.sqrt(np.maximum(values, 0.0))[:, None] * vectors.T
    return root
