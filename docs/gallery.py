"""Draws every kind of picture and writes docs/gallery.md: `python docs/gallery.py`."""

import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

DOCS = Path(__file__).resolve().parent
IMAGES = DOCS / "images" / "gallery"

#: The commands that make the runs, in a folder in which `configs` is.
RUNS = (
    "linreg generate-data -c configs/housing.yaml -o houses.csv",
    "linreg train houses.csv --target price",
    "linreg train -c configs/noisy_line.yaml",
    "linreg train -c configs/parabola.yaml",
    "linreg train -c configs/bowl.yaml",
    "linreg train -c configs/points.yaml --name small --set optimizer.lr=0.006 --set train.epochs=20",
    "linreg train -c configs/points.yaml --name large --set optimizer.lr=0.0541 --set train.epochs=20",
    "linreg train -c configs/points.yaml --name unstable --set optimizer.lr=0.0607 --set train.epochs=20 --force",
    "linreg sweep -c configs/noisy_line.yaml --set optimizer.lr=1e-6,1e-5,1e-4,2e-4,2.5e-4,3e-4,4e-4 "
    "--set train.epochs=10 --set name=lines --set plots=false",
    "linreg sweep -c configs/points.yaml --set optimizer.lr=0.01,0.03,0.06,0.12 --set optimizer.momentum=0,0.3,0.6,0.9 "
    "--set train.epochs=20 --set name=balls --set plots=false",
)
#: (file, the command that draws it, what it shows)
PICTURES = (
    ("coefficients", "linreg plot houses --kind coefficients",
     "Trained and exact coefficients, each for one standard deviation of its feature, with the 95 % intervals of the "
     "exact fit where it has them."),
    ("fit", "linreg plot noisy_line --kind fit",
     "The fitted line among the rows, and the line before training. Where inference is valid, with 95 % bands."),
    ("predicted", "linreg plot houses --kind predicted", "Predicted against actual values; test rows are hollow."),
    ("residuals", "linreg plot houses --kind residuals",
     "Residuals against predicted values, with a smooth curve: a bend is something that the model has missed."),
    ("qq", "linreg plot houses --kind qq",
     "Standardised residuals against normal quantiles, with a 95 % band for each point."),
    ("scale_location", "linreg plot houses --kind scale_location",
     "The size of the residuals: a level curve means that their variance is the same everywhere."),
    ("leverage", "linreg plot houses --kind leverage", "Which rows the fit depends on."),
    ("residuals_by_feature", "linreg plot houses --kind residuals_by_feature", "Residuals against each column."),
    ("correlation", "linreg plot houses --kind correlation", "Pearson's correlations of the train split."),
    ("learning_curve", "linreg plot houses --kind learning_curve",
     "The error of least squares against the number of rows: whether more rows would help."),
    ("loss", "linreg plot noisy_line --kind loss",
     "The loss after each epoch, on a logarithmic axis where it spans over two decades."),
    ("gap", "linreg plot noisy_line --kind gap", "The gap to the exact optimum, on a logarithmic axis."),
    ("parabola", "linreg plot parabola --kind path", "Gradient descent on x² from 0.5 at the rate 0.1."),
    ("bowl", "linreg plot bowl --kind path", "Gradient descent on x² + y² from (1, 1) at the rate 0.1."),
    ("rates", "linreg plot small large unstable --kind path",
     "Three rates in one valley: at 0.1, 0.9 and 1.01 of the limit it crawls, zigzags and diverges."),
    ("sweep", "linreg plot sweeps/lines", "A sweep of rates: the limit, what `auto` would choose, and what diverged."),
    ("sweep_map", "linreg plot sweeps/balls",
     "A sweep of two keys: the winner is outlined, and what diverged is hatched."),
)  # fmt: skip


def page() -> str:
    """The text of docs/gallery.md."""
    lines = [
        "# Gallery",
        "",
        "Made by `make docs`: every kind of picture, and the command that draws it. "
        "[The commands](commands.md) have all options.",
        "The runs:",
        "",
        "```sh",
        *RUNS,
        "```",
    ]
    for name, command, shows in PICTURES:
        lines += ["", f"## {name}", "", shows, "", "```sh", command, "```", "", f"![{name}](images/gallery/{name}.png)"]
    return "\n".join(lines) + "\n"


def draw(folder: Path, allowed: tuple[int, ...] = (0, 4)) -> dict[str, bytes]:
    """Run every command in a folder; file name -> PNG. One of the rates diverges, with exit code 4."""
    (folder / "configs").symlink_to(DOCS.parent / "configs")
    for command in RUNS:
        _linreg(command, folder, allowed)
    return {
        f"{name}.png": (folder / _linreg(command, folder, (0,)).strip()).read_bytes() for name, command, _ in PICTURES
    }


def _linreg(command: str, folder: Path, allowed: tuple[int, ...]) -> str:
    run = [sys.executable, "-m", "linreg_cli", *shlex.split(command)[1:]]
    result = subprocess.run(run, cwd=folder, check=False, capture_output=True, text=True)
    if result.returncode not in allowed:
        raise RuntimeError(f"{command}: {result.stderr}")
    return result.stdout


if __name__ == "__main__":
    (DOCS / "gallery.md").write_text(page(), encoding="utf-8")
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        for picture, content in draw(Path(temporary)).items():
            (IMAGES / picture).write_bytes(content)
            print(IMAGES / picture)
