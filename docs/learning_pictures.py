"""Trains the runs of docs/learning.md and draws its pictures: `python docs/learning_pictures.py`."""

import subprocess
import sys
import tempfile
from pathlib import Path

DOCS = Path(__file__).resolve().parent
CONFIGS = DOCS.parent / "configs"

#: Run name -> config and settings; the page's tables show the last train loss of each.
RATES = {
    f"lr-{lr}": ("noisy_line", f"optimizer.lr={lr}", "train.epochs=100", "model.init.weight=0", "model.init.bias=0")
    for lr in ("1e-6", "1e-4", "2.9e-4", "3.1e-4")
}
BATCHES = {
    f"batch-{size}": (
        "synthetic",
        f"train.batch_size={size}",
        "optimizer.lr=0.1",
        "train.epochs=20",
        "data.n_samples=300",
        "data.noise_std=1",
    )
    for size in ("1", "10", "full")
}
POINTS = {"points": ("points",)}


def linreg(*arguments: str, folder: Path, allowed: tuple[int, ...] = (0,)) -> str:
    """Run one command line in a folder; its stdout."""
    command = [sys.executable, "-m", "linreg_cli", *arguments]
    result = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
    if result.returncode not in allowed:
        raise RuntimeError(result.stderr)
    return result.stdout


def train(folder: Path) -> None:
    """Train every run, into `outputs/NAME-0001` below the folder."""
    for name, (config, *settings) in {**RATES, **BATCHES, **POINTS}.items():
        options = [part for setting in (*settings, "plots=false") for part in ("--set", setting)]
        command = ["train", "-c", str(CONFIGS / f"{config}.yaml"), *options, "--name", name, "-q", "--force"]
        linreg(*command, folder=folder, allowed=(0, 4))  # one of the rates diverges


def draw(folder: Path) -> dict[str, bytes]:
    """The pictures of the runs below a folder: file name -> PNG."""
    asked = {
        "rates.png": [f"{name}-0001" for name in RATES],
        "batches.png": [f"{name}-0001" for name in BATCHES],
        "points.png": [f"{name}-0001" for name in POINTS] + ["--kind", "fit"],
    }
    return {
        picture: (folder / linreg("plot", *arguments, "-o", "pictures", folder=folder).strip()).read_bytes()
        for picture, arguments in asked.items()
    }


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        train(Path(temporary))
        for picture, content in draw(Path(temporary)).items():
            (DOCS / "images" / picture).write_bytes(content)
            print(DOCS / "images" / picture)
