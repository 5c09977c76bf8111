"""The folded weights as safetensors, for programs that make the inputs of the model themselves."""

import json

import numpy as np
from safetensors.numpy import load, save

from linreg_cli.data.columns.kinds import Column
from linreg_cli.data.encoding.transform import inverse
from linreg_cli.export.formula import Formula

FORMAT = "1"


def content(formula: Formula, dtype: str) -> bytes:
    """The file: `weight`, shape (n_targets, n_features), and `bias`, shape (n_targets,), as `nn.Linear` has them.

    f(y) = X weight' + bias in original units. The metadata has `columns` (the names of the features, such as
    `city=Ulm` and `log(area)`) and `targets`, both as JSON lists, `transform` (f) and `estimate`.

    Args:
        formula: the model.
        dtype: `float64` or `float32`.
    """
    weight = np.stack([term.weights for term in formula.terms], axis=1)
    tensors = {"weight": weight.astype(dtype), "bias": formula.bias.astype(dtype)}
    metadata = {
        "format": FORMAT,
        "run": formula.run,
        "columns": json.dumps([term.feature for term in formula.terms], ensure_ascii=False),
        "targets": json.dumps(list(formula.targets), ensure_ascii=False),
        "transform": formula.transform,
        "estimate": formula.estimate,
        "fills": json.dumps(formula.fills, ensure_ascii=False),
    }
    return save({name: np.ascontiguousarray(values) for name, values in tensors.items()}, metadata)


def predictions(written: bytes, X_nd: Column, transform: str) -> Column:
    """What a file predicts, in its own dtype, shape (n_rows, n_targets).

    Args:
        written: the file.
        X_nd: the features in original units, shape (n_rows, n_features).
        transform: the function f.
    """
    tensors = load(written)
    weight = tensors["weight"]
    out = np.zeros((len(X_nd), len(weight)), dtype=weight.dtype)
    with np.errstate(all="ignore"):
        for values, weights in zip(X_nd.T.astype(weight.dtype), weight.T, strict=True):
            out += values[:, None] * weights
        return inverse(transform, out + tensors["bias"])
