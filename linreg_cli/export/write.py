"""The bytes of an exported model, compared with the run before anything is written."""

import json

from linreg_cli.evaluation.saved_model import SavedModel
from linreg_cli.export import as_json
from linreg_cli.export.check import Check, compared
from linreg_cli.export.formula import formula_of
from linreg_cli.wording import json_text


def exported(saved: SavedModel, format_: str) -> tuple[bytes, Check]:
    """The content of the file, and how it compares.

    Args:
        saved: the model.
        format_: `json`.

    Raises:
        UsageError: for what the format cannot express.
        StoreError: if the exported model does not predict what the run does.
    """
    assert format_ == "json"
    content = f"{json_text(as_json.document(formula_of(saved)))}\n".encode()
    written = json.loads(content)
    return content, compared(saved, lambda rows: as_json.predictions(written, rows.cells))
