"""`linreg export`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from linreg_cli import wording
from linreg_cli.cli import destination, options, output
from linreg_cli.paths import output_path


class Format(StrEnum):
    """What a model is written as."""

    json = "json"
    safetensors = "safetensors"
    onnx = "onnx"


class Dtype(StrEnum):
    """The type of the numbers."""

    float64 = "float64"
    float32 = "float32"


def export(
    run: options.Run,
    format_: Annotated[Format, typer.Option("--format", help="What to write.")],
    dtype: Annotated[
        Dtype, typer.Option("--dtype", help="The type of the numbers; what float32 loses is measured.")
    ] = Dtype.float64,
    out: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="PATH",
            parser=output_path,
            help="Where to write; - is stdout; default: export.FORMAT in the run.",
        ),
    ] = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    outputs: options.Outputs = options.OUTPUTS,
) -> None:
    """Write the model in original units, for other programs.

    It is compared with the predictions of the run on its own rows, where its table is there. Prints the path.
    """
    from linreg_cli.evaluation.saved_model import load_saved_model
    from linreg_cli.export.write import exported
    from linreg_cli.files import write_bytes
    from linreg_cli.runs.find import find_run

    to_stdout = destination.goes_to_stdout(out, as_json=as_json)
    folder = find_run(outputs, run)
    name = f"export.{format_.value}"
    if out is not None:
        destination.refuse_run_folder(out, name)
        destination.check_suffix(out, (f".{format_.value}",), "exported models of this format")
    path = folder.path / name if out is None else out
    content, check = exported(load_saved_model(folder), format_.value, dtype.value)
    write_bytes(path, content, own=out is None)
    if not as_json:
        output.tell(f"note: {check}")
    for feature, lost in check.lossy.items():
        share = f"{wording.number(lost, 2)} of the target's standard deviation"
        name = wording.one_line(feature)
        output.warn(f"{name} loses up to {share} in float32; write --dtype float64, or subtract a constant from it")
    if as_json:
        result = {
            "run": folder.id,
            "path": str(path),
            "format": format_.value,
            "dtype": dtype.value,
            "check": check.as_json(),
        }
        output.print_json(result)
    elif not to_stdout:
        output.show(wording.one_line(str(path)))
