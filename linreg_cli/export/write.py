"""The bytes of an exported model, compared with the run before anything is written."""

import json
from importlib.util import find_spec

from linreg_cli.data.columns.kinds import Column
from linreg_cli.errors import UsageError
from linreg_cli.evaluation.saved_model import SavedModel
from linreg_cli.export import as_json, as_safetensors
from linreg_cli.export.check import Check, compared
from linreg_cli.export.formula import formula_of
from linreg_cli.export.rows import CheckedRows
from linreg_cli.wording import json_text


def exported(saved: SavedModel, format_: str, dtype: str = "float64") -> tuple[bytes, Check]:
    """The content of the file, and how it compares.

    Args:
        saved: the model.
        format_: `json`, `safetensors` or `onnx`.
        dtype: `float64`, or `float32`, whose loss is measured.

    Raises:
        UsageError: for what the format cannot express, and if onnx is not installed.
        StoreError: if the exported model in float64 does not predict what the run does.
    """
    if format_ == "json" and dtype != "float64":
        message = "JSON has all digits of a float64; leave the option out, or take --format safetensors"
        raise UsageError(message, f"--dtype {dtype}")
    formula = formula_of(saved)
    if format_ == "json":
        content = f"{json_text(as_json.document(formula))}\n".encode()
        model = json.loads(content)
        return content, compared(saved, lambda rows: as_json.predictions(model, rows.cells))
    if format_ == "onnx":
        _require_onnx()
        from linreg_cli.export import as_onnx

        graph = as_onnx.content(formula, dtype)
        return graph, compared(saved, lambda rows: as_onnx.predictions(graph, rows.cells, dtype), dtype)
    content = as_safetensors.content(formula, dtype)

    def predict(rows: CheckedRows) -> Column:
        return as_safetensors.predictions(content, rows.features, formula.transform)

    return content, compared(saved, predict, dtype)


def _require_onnx() -> None:
    if find_spec("onnx") is None:
        raise UsageError("onnx is not installed; install it with: pip install 'linreg[onnx]'", "--format onnx")
