"""Engines of others. Each imports its package when it is asked for, so that one that is missing is missed by name."""

import shutil
import tempfile
import warnings
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.ours import parameters, tensors
from benchmarks.problems import Array, write_csv
from benchmarks.steps import Steps

#: Where Vowpal Wabbit keeps the weight of the feature that is always 1.
CONSTANT = 11650396
BITS = 18


def jax_scan(steps: Steps) -> Callable[[], Array]:
    """`lax.scan` over the batches of an epoch, compiled; rows are put in order within it."""
    import jax
    import jax.numpy as jnp

    n, d = steps.table.X.shape
    batch, whole = min(steps.batch, n), n // steps.batch * steps.batch if steps.batch < n else n
    X, y = jnp.asarray(steps.table.X), jnp.asarray(steps.table.y)
    orders = [None if order is None else jnp.asarray(order.astype(np.int32)) for order in steps.orders()]

    def step(carry: Any, rows: Any) -> Any:
        (w, b, mw, mb), (x, t) = carry, rows
        e = x @ w + b - t
        mw = steps.momentum * mw + 2 / len(t) * (e @ x)
        mb = steps.momentum * mb + 2 * e.mean()
        return (w - steps.rate * mw, b - steps.rate * mb, mw, mb), None

    def epoch(carry: Any, X: Any, y: Any, order: Any) -> Any:
        X, y = (X, y) if order is None else (X[order], y[order])
        batches = X[:whole].reshape(-1, batch, d), y[:whole].reshape(-1, batch)
        carry, _ = jax.lax.scan(step, carry, batches)
        return step(carry, (X[whole:], y[whole:]))[0] if whole < n else carry

    def as_given(X: Any, y: Any) -> Any:
        return jax.lax.fori_loop(0, steps.epochs, lambda _, carry: epoch(carry, X, y, None), start())

    def start() -> Any:
        return jnp.zeros(d), jnp.zeros(()), jnp.zeros(d), jnp.zeros(())

    given, shuffled = jax.jit(as_given), jax.jit(epoch)

    def run() -> Array:
        if orders[0] is None:
            w, b, *_ = given(X, y)
        else:
            carry = start()
            for order in orders:
                carry = shuffled(carry, X, y, order)
            w, b, *_ = carry
        return np.append(np.asarray(w, dtype=np.float64), float(b))

    return run


def sgd_regressor(steps: Steps) -> Callable[[], Array]:
    """scikit-learn. Its gradient is e x where that of the mean squared error is 2 e x, so eta0 is twice the rate."""
    from sklearn.linear_model import SGDRegressor

    X, y, orders = steps.table.X, steps.table.y, steps.orders()
    options: dict[str, Any] = {"alpha": 0.0, "learning_rate": "constant", "eta0": 2 * steps.rate, "shuffle": False}

    def run() -> Array:
        if orders[0] is None:
            model = SGDRegressor(**options, tol=None, max_iter=steps.epochs).fit(X, y)
        else:
            model = SGDRegressor(**options)
            for order in orders:
                model.partial_fit(X[order], y[order])
        return np.append(model.coef_.astype(np.float64), model.intercept_)

    return run


def vowpal_wabbit(steps: Steps) -> Callable[[], Array]:
    """Its plain SGD, from its binary cache, which is written beforehand."""
    flags = f"--sgd -l {steps.rate!r} --power_t 0 --initial_t 1 --holdout_off"
    return vowpal(steps, f"{flags} --min_prediction -1e9 --max_prediction 1e9 --passes {steps.epochs}")


def vowpal(steps: Steps, flags: str) -> Callable[[], Array]:
    """Vowpal Wabbit with any flags, from the cache of the table."""
    from vowpalwabbit import Workspace

    cache, features = _cache_of(steps), steps.table.X.shape[1]

    def run() -> Array:
        # Made with a file as its data, a workspace has learnt from it when it is there.
        learner = Workspace(arg_list=[*f"--cache_file {cache} -b {BITS} --quiet {flags}".split()])
        weights = [learner.get_weight_from_name(f"x{column + 1}") for column in range(features)]
        weights.append(learner.get_weight(CONSTANT & (2**BITS - 1)))
        learner.finish()
        return np.array(weights, dtype=np.float64)

    return run


#: (the table, for as long as it lives) -> its cache, in a folder that goes with it.
_CACHES: "weakref.WeakKeyDictionary[Any, str]" = weakref.WeakKeyDictionary()


def _cache_of(steps: Steps) -> str:
    from vowpalwabbit import Workspace

    if steps.table not in _CACHES:
        folder = tempfile.mkdtemp(prefix="linreg-bench-")
        weakref.finalize(steps.table, shutil.rmtree, folder, ignore_errors=True)
        text, cache = Path(folder) / "table.csv", f"{folder}/table.cache"
        write_csv(steps.table, text, target="_label")
        Workspace(arg_list=[*f"--csv -d {text} --cache_file {cache} -b {BITS} --quiet".split()]).finish()
        text.unlink()
        _CACHES[steps.table] = cache
    return _CACHES[steps.table]


def lightning(steps: Steps) -> Callable[[], Array]:
    """A LightningModule and its Trainer, with everything turned off that can be."""
    import lightning as L  # noqa: N812 - its own name for itself
    import torch

    X, y = tensors(steps)
    dataset = torch.utils.data.TensorDataset(X, y)
    orders = steps.orders()
    sampler = None if orders[0] is None else orders[0].tolist()
    # A full batch is handed over whole: collating its rows would take longer than the step.
    whole: Any = [(X, y)]
    loader = torch.utils.data.DataLoader(whole, batch_size=None)
    if steps.batch < len(X):
        loader = torch.utils.data.DataLoader(dataset, batch_size=steps.batch, sampler=sampler)

    class Regression(L.LightningModule):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(X.shape[1], 1)
            for parameter in self.layer.parameters():
                torch.nn.init.zeros_(parameter)

        def training_step(self, batch: Any, _: int) -> Any:
            inputs, target = batch
            return torch.nn.functional.mse_loss(self.layer(inputs), target)

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), lr=steps.rate, momentum=steps.momentum)

    quiet: dict[str, Any] = {
        "logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False,
        "accelerator": "cpu", "devices": 1, "max_epochs": steps.epochs,
    }  # fmt: skip

    def run() -> Array:
        with warnings.catch_warnings(), _quiet_lightning():
            warnings.simplefilter("ignore")
            model = Regression()
            L.Trainer(**quiet).fit(model, loader)
        return parameters(model.layer)

    return run


class _quiet_lightning:  # noqa: N801 - used like a function
    """Lightning tells the devices and the end of training as log lines."""

    def __enter__(self) -> None:
        import logging

        self._loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
        self._levels = [logger.level for logger in self._loggers]
        for logger in self._loggers:
            logger.setLevel(logging.ERROR)

    def __exit__(self, *_: object) -> None:
        for logger, level in zip(self._loggers, self._levels, strict=True):
            logger.setLevel(level)
