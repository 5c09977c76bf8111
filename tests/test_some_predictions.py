"""Pictures of a long table are drawn from the rows that a sample of its predictions would have."""

import pyarrow as pa
import pyarrow.csv as pcsv
import pytest

from linreg_cli.errors import StoreError
from linreg_cli.figures import some_predictions
from linreg_cli.figures.material import Material
from linreg_cli.runs.store import RunFolder

CONFIG = """
data: {source: synthetic, n_samples: 30000, weights: [2.0], split: {train: 0.7, validation: 0.1, test: 0.2}}
train: {epochs: 1, batch_size: full}
plots: false
"""


@pytest.fixture
def trained(tmp_path, linreg):
    """Trains, and gives the folder of the run."""

    def call(kept):
        (tmp_path / "c.yaml").write_text(CONFIG)
        options = ("--set", f"evaluate.predictions={kept}", "--name", kept, "--outputs", tmp_path, "-q")
        assert linreg("train", "-c", tmp_path / "c.yaml", *options).code == 0
        return tmp_path / f"{kept}-0001"

    return call


def lines(table):
    return sorted(zip(*(table.column(name).to_pylist() for name in table.column_names), strict=True))


def test_they_are_those_that_a_sample_has(trained, monkeypatch):
    run, sample = trained("all"), trained("sample")
    assert len(Material.of(RunFolder(run)).predictions) == 30_000  # a short file is read as a whole
    monkeypatch.setattr(some_predictions, "MOST_BYTES", 1_000)
    whole = Material.of(RunFolder(run))
    numbers = {name: pa.float64() for name in ("row", "target", "prediction", "feature:x1")}
    kept = pcsv.read_csv(sample / "predictions.csv", convert_options=pcsv.ConvertOptions(column_types=numbers))
    assert len(kept) == 10_000
    assert whole.predictions.column_names == kept.column_names
    assert lines(whole.predictions) == lines(kept)
    # Pictures say of how many rows these are.
    assert [points.n_rows for points in whole.points("y")] == [21_000, 3_000, 6_000]


def test_a_file_that_is_cut_off_is_damaged(trained, monkeypatch):
    monkeypatch.setattr(some_predictions, "MOST_BYTES", 1_000)
    run = trained("all")
    path = run / "predictions.csv"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:20_000]))
    with pytest.raises(StoreError, match="as many rows"):
        _ = Material.of(RunFolder(run)).predictions
