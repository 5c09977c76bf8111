"""Generated rows: y = X w + b + noise, with known w and b.

Rows are generated in chunks of a fixed size, each from its own random stream, and those of a wide table piece by piece.
A table of any size takes the memory of one piece, and the same seed gives the same rows.
"""

import copy
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from linreg_cli.config.data import SyntheticData
from linreg_cli.config.types import Distribution
from linreg_cli.data.dataset import Column
from linreg_cli.errors import DataError
from linreg_cli.seeds import numpy_stream

CHUNK_ROWS = 65_536
#: A chunk of more numbers comes in pieces of about so many.
_MOST_CELLS, _PIECE_CELLS = 2**22, 2**20

_STANDARD_NORMAL = Distribution("normal", 0.0, 1.0)


def generate(config: SyntheticData, seed: int) -> Iterator[dict[str, Column]]:
    """The columns, some rows after the other: the features, then the target.

    Args:
        config: the true parameters and the distributions of the features.
        seed: of the random streams.

    Yields:
        name -> float64 values, shape (n_rows,).

    Raises:
        DataError: for a value that overflows float64, with its row and column.
    """
    names, n = config.feature_names, config.n_samples
    given = config.features or dict.fromkeys(names, _STANDARD_NORMAL)
    distributions = [given[name] for name in names]
    in_pieces = min(n, CHUNK_ROWS) * (len(names) + 1) > _MOST_CELLS
    size = max(1, _PIECE_CELLS // (len(names) + 1)) if in_pieces else CHUNK_ROWS
    for begin in range(0, n, CHUNK_ROWS):
        end, stream = min(begin + CHUNK_ROWS, n), numpy_stream(seed, "synthetic", begin // CHUNK_ROWS)
        streams = _streams(distributions, np.arange(begin, end), n, stream) if in_pieces else [stream] * len(names)
        for start in range(begin, end, size):
            rows = np.arange(start, min(start + size, end))
            with np.errstate(over="ignore", invalid="ignore"):
                drawn = zip(names, distributions, streams, strict=True)
                columns = {name: _draw(distribution, rows, n, of_column) for name, distribution, of_column in drawn}
                target = np.full(len(rows), config.bias)
                for name, weight in zip(names, config.true_weights, strict=True):
                    target += weight * columns[name]
                target += config.noise_std * stream.standard_normal(len(rows))
            columns[config.target] = target
            _refuse_overflow(columns, start)
            yield columns


def _streams(
    distributions: Sequence[Distribution], rows: np.ndarray, n_samples: int, stream: np.random.Generator
) -> list[np.random.Generator]:
    """A stream for each column, which stands where its numbers of some rows begin, after those of the columns before.

    The numbers are drawn for it once more than they are needed, a column at a time. `stream` then stands behind them.
    """
    found = []
    for distribution in distributions:
        found.append(copy.deepcopy(stream))
        with np.errstate(over="ignore", invalid="ignore"):
            _draw(distribution, rows, n_samples, stream)
    return found


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
