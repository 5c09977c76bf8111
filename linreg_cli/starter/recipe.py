"""The way of training that leads to the exact fit."""

from typing import Any

#: Dotted key -> value, with the reason that stands beside it.
RECIPE: tuple[tuple[str, Any, str], ...] = (
    ("preprocess.standardize", True, "for training; results are in original units"),
    ("preprocess.standardize_target", True, "the same"),
    ("optimizer.lr", "auto", "the best constant rate, from the curvature"),
    ("optimizer.momentum", "auto", "the same"),
    ("train.epochs", 100_000, "at most; stop_gap ends it"),
    ("train.batch_size", "full", "every step sees every train row"),
    ("train.dtype", "float64", "float32 stops before the exact fit of many tables"),
    ("train.stop_gap", 1e-12, "(loss - optimum) / optimum: far below 0.01 standard errors of any coefficient"),
)
