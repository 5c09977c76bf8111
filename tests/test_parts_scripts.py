"""The scripts of docs/howto/parts.md: a shell loop, a Makefile and a Slurm array give the same bits."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import REPOSITORY
from summarised import CONFIG, table

HOWTO = REPOSITORY / "docs" / "howto"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the scripts, a table, a config, and a `linreg` for their PATH."""
    for name in ("parts.sh", "parts.mk", "parts.sbatch"):
        shutil.copy(HOWTO / name, tmp_path)
    table().to_csv(tmp_path / "t.csv", index=False)
    (tmp_path / "parts.yaml").write_text(CONFIG)
    command = tmp_path / "bin" / "linreg"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m linreg_cli "$@"\n')
    command.chmod(0o755)
    return tmp_path


def made_by(folder: Path, *words: str, **variables: str) -> None:
    environment = {**os.environ, **variables, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}
    environment["PYTHONPATH"] = str(REPOSITORY)
    subprocess.run(words, cwd=folder, env=environment, check=True, capture_output=True)


def test_the_loop_the_makefile_and_the_array_make_the_same_files(folder):
    made_by(folder, "sh", "parts.sh", "parts.yaml", "2")
    names = ("part-1.safetensors", "part-2.safetensors", "all.safetensors")
    first = [(folder / name).read_bytes() for name in names]
    for name in names:
        (folder / name).unlink()
    made_by(folder, "bash", "parts.sbatch", "parts.yaml", SLURM_ARRAY_TASK_ID="2", SLURM_ARRAY_TASK_COUNT="2")
    assert (folder / names[1]).read_bytes() == first[1]
    (folder / names[1]).unlink()
    made_by(folder, "make", "-j2", "-f", "parts.mk", "CONFIG=parts.yaml", "N=2")
    assert [(folder / name).read_bytes() for name in names] == first
