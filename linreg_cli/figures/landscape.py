"""The loss of a run around its path: as a function of its parameters, or in the plane of two directions."""

from dataclasses import dataclass

import numpy as np
import torch

from linreg_cli.data import Preprocessor
from linreg_cli.errors import UsageError
from linreg_cli.figures.epochs import how_it_ended
from linreg_cli.figures.material import Material
from linreg_cli.figures.path import Descent, Landscape
from linreg_cli.model import unfold_parameters
from linreg_cli.seeds import numpy_stream
from linreg_cli.wording import number, percent

#: States that are drawn of a long run: every one of the first, and evenly spaced others.
_FIRST, _MOST = 200, 2_000
#: Where the loss is computed from the rows: the most of them, drawn at random of more, and the most cells of residuals
#: at once. There are 18,000 points, so that 32,768 rows take some seconds, and 10,000,000 half an hour.
_ROWS, _CELLS = 32_768, 2**19


@dataclass(frozen=True)
class Plane:
    """The coordinates of a picture: those of (theta - origin) along some directions, plus the shift.

    Attributes:
        origin: parameters of one target in scaled units, shape (n_parameters,).
        directions: orthonormal, shape (n_parameters, d) with d of 1 or 2.
        shift: added to the coordinates, shape (d,).
    """

    origin: np.ndarray
    directions: np.ndarray
    shift: np.ndarray

    def of(self, theta: np.ndarray) -> np.ndarray:
        """The coordinates, shape (m, d), of parameters of shape (m, n_parameters)."""
        out: np.ndarray = (theta - self.origin) @ self.directions + self.shift
        return out


def landscape(run: Material, target: str) -> tuple[Landscape, str, Plane]:
    """The loss around the optimum, a note on what its plane is, and the coordinates.

    One parameter and two parameters are the coordinates themselves. Of more, the coordinates are the distances from the
    optimum along the steepest and the flattest direction of the loss, which is shown in the plane of both through the
    optimum.

    Raises:
        UsageError: for mae and huber with more than two parameters, and if the rows cannot be read.
    """
    rows = run.train_rows()
    problem, k = rows.problem, rows.dataset.targets.index(target)
    names, short = _names(run), _short_names(run)
    if problem.optimum is None:
        if len(names) > 2:
            reason = problem.no_optimum_reason or f"loss: {problem.plan.loss.name} is not quadratic"
            raise UsageError(
                f"a path of more than two parameters needs the optimum of a squared loss; {reason}", run.id
            )
        return _from_rows(run, k, names, short)
    optimum, spectrum = problem.optimum, problem.spectrum
    best = optimum.weights[:, k] if optimum.bias is None else np.append(optimum.weights[:, k], optimum.bias[k])
    decay = optimum.weight_decay
    lowest = optimum.objective if len(rows.dataset.targets) == 1 else 0.0
    name = "loss with its penalty" if decay else "loss"
    name += "" if len(rows.dataset.targets) == 1 else " above its lowest"
    if len(names) <= 2:
        plane = Plane(np.zeros(len(names)), np.eye(len(names)), np.zeros(len(names)))
        hessian = (spectrum.eigenvectors * (spectrum.eigenvalues + decay)) @ spectrum.eigenvectors.T
        centre, note = best, ""
    else:
        ends = [0, max(spectrum.rank - 1, 1)]
        plane = Plane(best, spectrum.eigenvectors[:, ends], np.zeros(2))
        short = ["steepest direction", "flattest direction"]
        hessian, centre = np.diag(spectrum.eigenvalues[ends] + decay), np.zeros(2)
        names = [_direction(word, spectrum.loadings(problem.features, which, 2))
                 for word, which in zip(("steepest", "flattest"), ends, strict=True)]  # fmt: skip
        ratio = float(spectrum.largest / spectrum.smallest) if spectrum.smallest else np.inf
        note = f"plane of the steepest and the flattest direction; curvatures {number(ratio, 3)} to 1"

    def loss(points: np.ndarray) -> np.ndarray:
        off = points - centre
        out: np.ndarray = lowest + np.einsum("ij,jk,ik->i", off, hessian, off) / 2
        return out

    known = centre if optimum.is_unique or decay else None
    return Landscape(loss, known, tuple(names), name, tuple(short)), note, plane


def _names(run: Material) -> list[str]:
    """The parameters, with their units where these are not the original ones."""
    preprocess = run.config.preprocess
    scaled = " (standardised units)" if preprocess.standardize or preprocess.standardize_target else ""
    names = [f"weight of {feature}{scaled}" for feature in run.record()["data"]["features"]]
    return names + ([f"bias{scaled}"] if run.config.model.bias else [])


def _short_names(run: Material) -> list[str]:
    return [*run.record()["data"]["features"], *(["bias"] if run.config.model.bias else [])]


def _direction(word: str, loadings: list[tuple[str, float]]) -> str:
    main = ", ".join(f"{name} {percent(share, 2)}" for name, share in loadings if share >= 0.05)
    return f"{word} direction ({main})"


def _from_rows(run: Material, k: int, names: list[str], short: list[str]) -> tuple[Landscape, str, Plane]:
    """The landscape of any loss, from the rows, or of many a sample; of at most two parameters."""
    problem = run.train_rows().problem
    loss, n = problem.plan.loss, len(problem.X_nd)
    rows: slice | np.ndarray = slice(0, n)
    if n > _ROWS:
        rows = np.sort(numpy_stream(run.config.seed, "landscape").choice(n, _ROWS, replace=False))
    X, y = (np.asarray(values[rows], dtype=np.float64) for values in (problem.X_nd, problem.y_nk))
    X = np.column_stack([X, np.ones(len(X))]) if problem.bias else X
    weight_n = None if problem.weight_n is None else problem.weight_n[rows]

    def value(points: np.ndarray) -> np.ndarray:
        out, most = np.empty(len(points)), max(1, _CELLS // len(X))
        for start in range(0, len(points), most):
            part = points[start : start + most]
            elements = loss.elements(torch.from_numpy(X @ part.T - y[:, k, None])).numpy()
            elements = elements if weight_n is None else elements * weight_n[:, None]
            out[start : start + most] = elements.sum(axis=0)
        return out * (n / len(X)) if loss.is_sum else out / len(X)

    robust, best = problem.robust, None
    if robust is not None and robust.is_unique:
        best = robust.weights[:, k] if robust.bias is None else np.append(robust.weights[:, k], robust.bias[k])
    plane = Plane(np.zeros(len(names)), np.eye(len(names)), np.zeros(len(names)))
    note = f"loss of {len(X):,} of the {n:,} train rows, drawn at random" if len(X) < n else ""
    return Landscape(value, best, tuple(names), "loss", tuple(short)), note, plane


def descent(run: Material, target: str, label: str, plane: Plane) -> Descent:
    """The states of a run in the coordinates of a picture.

    Raises:
        StoreError: if `history.csv` is damaged.
    """
    history = run.history(run.parameter_columns(target))
    assert history is not None
    if len(history) > _MOST:
        some = np.unique(np.linspace(_FIRST, len(history) - 1, _MOST - _FIRST).astype(int))
        history = history[np.concatenate([np.arange(_FIRST), some])]
    values = run.read_json("preprocess.json")
    with run.reporting_damage("preprocess.json"):
        preprocessor = Preprocessor.from_json(values)
    has_bias, k = run.config.model.bias, run.targets.index(target)
    weights, bias = (history[:, :-1].T, history[:, -1]) if has_bias else (history.T, None)
    with np.errstate(all="ignore"):  # of a run that diverged
        weights, bias = unfold_parameters(weights, bias, preprocessor, k)
    steps = plane.of((weights if bias is None else np.vstack([weights, bias])).T)
    return Descent(label, steps, how_it_ended(run))
