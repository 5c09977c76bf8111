"""Generated rows: y = X w + b + noise, with known w and b.

Rows are generated in chunks of a fixed size, each from its own random stream. A table of any size takes the memory
of one chunk, and the same seed gives the same rows.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from linreg_cli.config.data import SyntheticData
from linreg_cli.config.types import Distribution
from linreg_cli.data.dataset import Column
from linreg_cli.errors import DataError
from linreg_cli.seeds import numpy_stream

CHUNK_ROWS = 65_536

_STANDARD_NORMAL = Distribution("normal", 0.0, 1.0)


def generate(config: SyntheticData, seed: int) -> Iterator[dict[str, Column]]:
    """The columns, chunk by chunk: the features, then the target.

    Args:
        config: the true parameters and the distributions of the features.
        seed: of the random streams.

    Yields:
        name -> float64 values, shape (rows of the chunk,).

    Raises:
        DataError: for a value that overflows float64, with its row and column.
    """
    names = config.feature_names
    distributions = config.features or dict.fromkeys(names, _STANDARD_NORMAL)
    for start in range(0, config.n_samples, CHUNK_ROWS):
        rows = np.arange(start, min(start + CHUNK_ROWS, config.n_samples))
        stream = numpy_stream(seed, "synthetic", start // CHUNK_ROWS)
        with np.errstate(over="ignore", invalid="ignore"):
            columns = {name: _draw(distributions[name], rows, config.n_samples, stream) for name in names}
            target = np.full(len(rows), config.bias)
            for name, weight in zip(names, config.true_weights, strict=True):
                target += weight * columns[name]
            target += config.noise_std * stream.standard_normal(len(rows))
        columns[config.target] = target
        _refuse_overflow(columns, start)
        yield columns


def _refuse_overflow(columns: dict[str, Column], start: int) -> None:
    for name, values in columns.items():
        finite = np.isfinite(values)
        if not finite.all():
            row = start + int(np.argmin(finite)) + 1
            raise DataError(
                "the generated value overflows float64; use smaller features or weights",
                f"synthetic data, row {row}, column {name!r}",
            )


def _draw(distribution: Distribution, rows: np.ndarray, n_samples: int, stream: np.random.Generator) -> Column:
    kind, first, second = distribution
    size = len(rows)
    if kind == "normal":
        return first + second * stream.standard_normal(size)
    if kind == "uniform":
        return first + (second - first) * stream.random(size)
    if kind == "integers":
        return stream.integers(int(first), int(second), size=size, endpoint=True).astype(np.float64)
    if kind == "lognormal":
        return np.asarray(np.exp(first + second * stream.standard_normal(size)))
    assert kind == "linspace", kind
    return np.asarray(first + (second - first) * (rows / max(n_samples - 1, 1)))


def truth(config: SyntheticData, seed: int) -> dict[str, Any]:
    """The content of `<stem>.truth.json`, which is written beside a generated table: the true parameters."""
    return {
        "format": 1,
        "seed": seed,
        "n_samples": config.n_samples,
        "target": config.target,
        "weights": dict(zip(config.feature_names, config.true_weights, strict=True)),
        "bias": config.bias,
        "noise_std": config.noise_std,
        "features": {
            name: {kind: [first, second]}
            for name, (kind, first, second) in (
                config.features or dict.fromkeys(config.feature_names, _STANDARD_NORMAL)
            ).items()
        },
    }
