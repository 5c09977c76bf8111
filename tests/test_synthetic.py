"""Generated rows: their distributions, their chunks, and the table they become."""

import json

import numpy as np
import pytest

from linreg_cli.config.data import SyntheticData
from linreg_cli.data import synthetic
from linreg_cli.data.synthetic import CHUNK_ROWS, generate, truth
from linreg_cli.errors import DataError

N_LARGE = 3 * CHUNK_ROWS + 17


def rows(seed: int = 0, **settings) -> dict[str, np.ndarray]:
    chunks = list(generate(SyntheticData.model_validate(settings), seed))
    return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}


def column(distribution: dict, n_samples: int = N_LARGE, seed: int = 0) -> np.ndarray:
    return rows(seed, n_samples=n_samples, weights=[1.0], features={"x": distribution})["x"]


#: distribution -> its mean and variance, from the textbooks.
MOMENTS = {
    "normal": ([3, 2], 3, 4),
    "uniform": ([-1, 5], 2, 36 / 12),
    "integers": ([1, 6], 3.5, 35 / 12),
    "lognormal": ([0.5, 0.4], np.exp(0.58), (np.exp(0.16) - 1) * np.exp(1.16)),
}


@pytest.mark.parametrize("kind", MOMENTS)
def test_moments_are_those_of_the_distribution(kind):
    parameters, mean, variance = MOMENTS[kind]
    x = column({kind: parameters})
    # Five standard errors, of the mean and of the variance (through the fourth moment of the sample).
    assert abs(x.mean() - mean) < 5 * np.sqrt(variance / len(x))
    assert abs(x.var() - variance) < 5 * np.std((x - mean) ** 2) / np.sqrt(len(x))


def test_integers_hold_both_ends_equally_often():
    values, counts = np.unique(column({"integers": [-2, 3]}), return_counts=True)
    assert values.tolist() == [-2, -1, 0, 1, 2, 3]
    expected = N_LARGE / 6
    assert (abs(counts - expected) < 5 * np.sqrt(expected * 5 / 6)).all()
    assert set(column({"integers": [4, 4]}, 10)) == {4.0}


def test_uniform_stays_inside():
    x = column({"uniform": [-1, 5]})
    assert x.min() >= -1
    assert x.max() < 5


@pytest.mark.parametrize("n_samples", [2, 100, 101, CHUNK_ROWS + 1])
def test_linspace_is_even_and_has_both_ends(n_samples):
    x = column({"linspace": [0, 100]}, n_samples)
    assert (x[0], x[-1]) == (0, 100)
    np.testing.assert_allclose(x, np.linspace(0, 100, n_samples), rtol=1e-15)


def test_linspace_of_one_row_is_its_first_end():
    assert column({"linspace": [7, 9]}, 1).tolist() == [7]


def test_the_target_is_x_w_plus_b_plus_noise():
    weights = {"a": 2.0, "b": -3.4, "c": 0.5}
    data = rows(n_samples=N_LARGE, weights=weights, bias=4.2, noise_std=0.25)
    noise = data["y"] - 4.2 - sum(weight * data[name] for name, weight in weights.items())
    assert abs(noise.mean()) < 5 * 0.25 / np.sqrt(N_LARGE)
    # the standard error of a normal standard deviation is sigma / sqrt(2 n)
    assert abs(noise.std() - 0.25) < 5 * 0.25 / np.sqrt(2 * N_LARGE)
    for name in weights:
        assert abs(np.corrcoef(noise, data[name])[0, 1]) < 5 / np.sqrt(N_LARGE)


def test_without_noise_the_target_is_exact():
    data = rows(n_samples=100, weights=[2.0], bias=0.5, noise_std=0.0)
    assert (data["y"] == 0.5 + 2.0 * data["x1"]).all()


@pytest.mark.parametrize("n_samples", [5, CHUNK_ROWS, CHUNK_ROWS + 1, 3 * CHUNK_ROWS])
def test_rows_of_whole_chunks_do_not_depend_on_the_rows_after_them(n_samples):
    """A longer table begins with the rows of a shorter one, as far as whole chunks go."""
    settings = {"weights": [1.0, 2.0], "noise_std": 0.1}
    long, short = rows(n_samples=N_LARGE, **settings), rows(n_samples=n_samples, **settings)
    whole = n_samples // CHUNK_ROWS * CHUNK_ROWS
    for name in long:
        assert len(short[name]) == n_samples
        assert long[name][:whole].tobytes() == short[name][:whole].tobytes()


def test_chunks_have_streams_of_their_own():
    x = column({"normal": [0, 1]})
    first, second = x[:CHUNK_ROWS], x[CHUNK_ROWS : 2 * CHUNK_ROWS]
    assert abs(np.corrcoef(first, second)[0, 1]) < 5 / np.sqrt(CHUNK_ROWS)
    assert len(np.unique(x)) == N_LARGE


@pytest.mark.parametrize("n_samples", [50, CHUNK_ROWS + 901])
def test_a_wide_table_comes_in_pieces_with_the_same_numbers(n_samples, monkeypatch):
    kinds = [*({kind: parameters} for kind, (parameters, *_) in MOMENTS.items()), {"linspace": [0, 9]}]
    features = {f"x{position}": kinds[position % 5] for position in range(15)}
    settings = {"n_samples": n_samples, "features": features, "weights": dict.fromkeys(features, 0.5), "noise_std": 2}
    whole = rows(4, **settings)
    monkeypatch.setattr(synthetic, "_MOST_CELLS", 16 * 49)
    monkeypatch.setattr(synthetic, "_PIECE_CELLS", 16 * 7_000 if n_samples > 50 else 16 * 13)
    pieces = list(generate(SyntheticData.model_validate(settings), 4))
    assert len(pieces) == (4 if n_samples == 50 else 11)  # of 13 rows; of 7,000 of each chunk
    for name, values in whole.items():
        np.testing.assert_array_equal(np.concatenate([piece[name] for piece in pieces]), values)


def test_the_seed_decides():
    assert column({"normal": [0, 1]}, 100).tobytes() == column({"normal": [0, 1]}, 100).tobytes()
    assert not np.isin(column({"normal": [0, 1]}, 100, seed=1), column({"normal": [0, 1]}, 100)).any()


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"weights": [1.0], "features": {"x": {"lognormal": [1000, 1]}}}, "x"),
        ({"weights": [1.0], "features": {"x": {"uniform": [-1e308, 1e308]}}}, "x"),
        ({"weights": [1e308, 1e308, 1e308]}, "y"),
    ],
)
def test_a_value_beyond_the_range_of_floats_is_refused_with_its_row(settings, name):
    with pytest.raises(
        DataError, match=rf"synthetic data, row \d+, column '{name}': the generated value overflows float64"
    ):
        rows(n_samples=1000, **settings)


CONFIG = """
name: made
seed: 3
data:
  source: synthetic
  n_samples: 500
  target: price
  features:
    rooms: {integers: [1, 6]}
    area: {lognormal: [7.5, 0.4]}
    age: {uniform: [0, 100]}
  weights: {rooms: -20000, area: 280, age: -0.1}
  bias: 50000
  noise_std: 60000
  split: {train: 0.7, validation: 0.1, test: 0.2}
preprocess: {standardize: true, standardize_target: true}
plots: false
"""


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".csv.zst", ".tsv", ".parquet", ".arrow", ".feather"])
def test_the_written_table_trains_to_the_same_numbers(suffix, linreg, config_file, tmp_path):
    config = config_file(CONFIG)
    table = tmp_path / f"houses{suffix}"
    made = linreg("generate-data", "-c", config, "-o", table, "--json")
    assert made.code == 0, made.err
    assert made.json["rows"] == 500
    here = linreg("train", "-c", config, "--json")
    there = linreg("train", "-c", config, "--set", "data.source=table", "--set", f"data.path={table}", "--json")
    assert (here.code, there.code) == (0, 0), there.err
    assert here.json["metrics"] == there.json["metrics"]
    records = [json.loads((tmp_path / run.json["path"] / "run.json").read_text())["data"] for run in (here, there)]
    assert records[0]["fingerprint"] == records[1]["fingerprint"]
    assert records[0]["features"] == records[1]["features"] == ["rooms", "area", "age"]


def test_the_truth_lies_beside_the_table(linreg, config_file, tmp_path):
    linreg("generate-data", "-c", config_file(CONFIG), "-o", tmp_path / "houses.csv.gz")
    written = json.loads((tmp_path / "houses.truth.json").read_text())
    assert written["weights"] == {"rooms": -20000, "area": 280, "age": -0.1}
    assert (written["bias"], written["noise_std"], written["seed"], written["n_samples"]) == (50000, 60000, 3, 500)
    assert written["features"]["area"] == {"lognormal": [7.5, 0.4]}
    default = truth(SyntheticData(), 0)
    assert default["features"] == {"x1": {"normal": [0, 1]}, "x2": {"normal": [0, 1]}}
