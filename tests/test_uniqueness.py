"""Which columns are said to depend on each other, how, and that what is said agrees with the rank."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cars import cars

from linreg_cli.config import load_config
from linreg_cli.convergence.uniqueness import not_unique
from linreg_cli.pipeline.prepare import prepare
from linreg_cli.pipeline.silent import Silent

N = 400
STREAM = np.random.default_rng(5)
A, B, C = STREAM.normal(size=(3, N)) * [[1], [100], [1e-3]]
Y = A + B / 50 + STREAM.normal(size=N)


@pytest.fixture
def found(tmp_path, config_file):
    """The warning of a table for some settings, or None."""

    def call(columns, *settings):
        pq.write_table(pa.table({**columns, "y": columns.get("y", Y)}), tmp_path / "t.parquet")
        config = config_file(f"data: {{path: {tmp_path}/t.parquet, target: y}}\n")
        prepared = prepare(load_config([str(config)], settings), Silent())
        found = not_unique(prepared.problem, prepared.preprocessor)
        return found.message if found else None

    return call


def how(message: str) -> str:
    """The dependence, without the rank before it and the consequence behind it."""
    return message.split("): ")[1].split(". The weights")[0]


@pytest.mark.parametrize("settings", [[], ["train.dtype=float64"], ["preprocess.standardize=true"]])
@pytest.mark.parametrize(
    ("columns", "formula"),
    [
        ({"a": A, "b": B, "sum": A + B}, "sum = a + b"),
        ({"a": A, "b": B, "f": 3 - 1.8 * A + 32}, "f = - 1.8 a + 35"),
        ({"big": A * 1e9 + 1e12, "a": A, "b": B}, "a = 1e-09 big - 1,000"),
        ({"a": A, "b": B / 100, "c": A + 1e-5 * B / 100}, "c = a + 1e-05 b"),
        ({"a": A, "b": B, "twin": A}, "twin = a"),
        ({"a": A, "b": B, "shifted": A + 5}, "shifted = a + 5"),
    ],
)
def test_one_sentence_says_how_whatever_is_trained_on(columns, formula, settings, found):
    message = found(columns, *settings)
    assert how(message) == formula
    assert f"(rank {len(columns)} of {len(columns) + 1})" in message


def test_sound_columns_are_not_warned_of(found):
    numbers = {"a": A, "b": B, "c": C, "square": A**2, "cube": A**3, "n": np.arange(N) % 7.0}
    assert found(numbers) is None
    assert found({**numbers, "near": A + B / 100 + 1e-3 * STREAM.normal(size=N)}) is None


def test_a_shifted_column_depends_only_beside_an_intercept(found):
    assert found({"a": A, "shifted": A + 5, "b": B}, "model.bias=false") is None


def test_a_penalty_makes_the_optimum_unique(found):
    assert found({"a": A, "twin": A}, "optimizer.weight_decay=0.1") is None


def test_a_column_far_from_zero_hides_no_digits_of_others(found):
    """Float32 keeps a time stamp to 128 seconds; a and b differ by a thousandth of their spread."""
    columns = {"stamp": 1.7e9 + np.arange(N) * 3600.0, "a": A, "b": A + 1e-3 * B / 100}
    assert found(columns) is None
    assert how(found({**columns, "sum": A + columns["b"]})) == "sum = a + b"


def test_a_dependence_that_only_the_rounding_of_float32_hides(found):
    """The three columns add up; cast to float32 they do so to 1e-7, which no step can tell from 0."""
    parts = {"net": np.abs(B) + 1e3, "tax": np.abs(A) + 7.0}
    message = found({**parts, "gross": parts["net"] + parts["tax"]}, "preprocess.standardize=true")
    assert how(message) == "gross = net + tax"


def test_constant_columns_beside_an_intercept(found):
    columns = {"a": A, "k": np.full(N, 3.0), "l": np.full(N, -1.0)}
    assert how(found(columns)) == "k, l are constant"
    assert found(columns, "preprocess.standardize=true") is None  # left at 0, they change no prediction


def test_fewer_rows_than_parameters(found):
    columns = {name: values[:3] for name, values in {"a": A, "b": B, "c": C, "y": Y}.items()}
    assert "3 rows are fewer than 4 parameters" in found(columns)
    assert found(columns, "model.bias=false") is None


def test_levels_are_reported_by_the_column_of_the_table(found):
    message = found(cars(STREAM, N) | {"a": A}, "preprocess.categorical=one_hot")
    assert how(message).startswith("4 levels of model are linear combinations of inputs of maker")
    assert "set data.ignore: [model]" in message


def test_an_indicator_that_is_a_column_of_numbers(found):
    sex = np.array(["f", "m"])[STREAM.integers(0, 2, N)]
    one_hot = "preprocess.categorical=one_hot"
    assert how(found({"a": A, "sex": sex, "female": (sex == "f") * 1.0}, one_hot)) == "female = - sex=m + 1"
    assert how(found({"sex": sex, "a": A, "sum": A + (sex == "m") * 2}, one_hot)) == "sum = 2 sex=m + a"


def test_many_columns_far_apart(found):
    columns = {f"x{number:03}": STREAM.normal(size=N) for number in range(190)}
    columns |= {"sum": columns["x001"] + 2 * columns["x100"] - columns["x180"], "last": STREAM.normal(size=N)}
    columns |= {"more": columns["last"] - columns["x064"]}
    assert how(found(columns)) == "sum = x001 + 2 x100 - x180; more = - x064 + last"


@pytest.mark.parametrize("names", [("twin", "copy"), ("no", "a: b"), ("Größe, m²", "y n")])
def test_the_remedy_works_as_it_stands(names, found):
    more = {"both": [f"k{k % 3}{k % 2}" for k in range(N)], "third": [f"k{k % 3}" for k in range(N)]}
    columns = {"a": A, "b": B, names[0]: A + B, names[1]: 2 * B, **more}
    message = found(columns, "preprocess.categorical=one_hot")
    remedy = message.split("set data.ignore: ")[1].split(", or optimizer")[0]
    assert found(columns, "preprocess.categorical=one_hot", f"data.ignore={remedy}") is None


def test_inspect_train_and_metrics_give_one_answer(linreg, config_file, tmp_path):
    columns = {"a": A, "b": B / 100, "c": A + 1e-5 * B / 100, "y": Y}
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    config = config_file(f"data: {{path: {tmp_path}/t.parquet, target: y}}\ntrain: {{epochs: 1}}\nplots: false\n")
    shown = linreg("inspect", "-c", config, "--json")
    trained = linreg("train", "-c", config, "--json")
    optimum = trained.json["metrics"]["optimum"]
    assert shown.json["rank"] == optimum["rank"] == 3
    assert shown.json["dependent_columns"] == optimum["dependent_columns"] == ["a", "b", "c"]
    assert (shown.json["condition_number"], optimum["condition_number"]) == (None, None)
    assert shown.err == ""
    assert trained.err.count("warning: ") == trained.err.count("(rank 3 of 4): c = a + 1e-05 b.") == 1
    assert json.loads((tmp_path / trained.json["path"] / "run.json").read_text())["data"]["warnings"] == []


def test_a_table_that_takes_too_long_to_factorise_is_searched_in_a_sample(found, monkeypatch):
    """Every other row is sampled: a sum is found, and a column that is constant in the sample alone is not named."""
    from linreg_cli.convergence import affordable

    rare = np.zeros(N)
    rare[1] = 1.0
    columns = {"a": A, "b": B, "rare": rare, "sum": A + B, "nearly": A + np.where(np.arange(N) == 1, 1e-3, 0.0)}
    monkeypatch.setattr(affordable, "MOST_WORK", 36 * N // 2)
    message = found(columns)
    assert message.startswith("the optimum is not unique: sum = a + b. The weights depend")
    monkeypatch.setattr(affordable, "MOST_WORK", 36)
    assert found(columns) is None  # a sample of one row says nothing


def test_the_rate_that_inspect_proposes_is_that_of_auto_whatever_the_rank(linreg, config_file, tmp_path):
    """c = a + b + 1e-8: float32 does not see the difference, so neither auto nor inspect counts its curvature."""
    columns = {"a": A, "b": B / 100, "c": A + B / 100 + 1e-8 * STREAM.normal(size=N), "y": Y}
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    config = config_file(
        f"data: {{path: {tmp_path}/t.parquet, target: y}}\noptimizer: {{lr: auto, momentum: auto}}\n"
        "train: {epochs: 2000, batch_size: full}\nplots: false\n"
    )
    for dtype, rank in (("float32", 3), ("float64", 4)):
        shown = linreg("inspect", "-c", config, "--json", "--set", f"train.dtype={dtype}").json
        path = linreg("train", "-c", config, "--json", "--set", f"train.dtype={dtype}").json["path"]
        record = json.loads((tmp_path / path / "run.json").read_text())
        metrics = json.loads((tmp_path / path / "metrics.json").read_text())
        assert shown["rank"] == metrics["optimum"]["rank"] == rank
        [best] = [plan for plan in shown["alternatives"] if plan["label"] == "best rate and momentum"]
        if dtype == "float32":  # in float64 the epochs are too few for the optimal heavy ball, and auto takes another
            assert record["lr"]["value"] == pytest.approx(best["lr"], rel=1e-3)
        if dtype == "float32":
            assert "not unique in float32 (rank 3 of 4, and 4 as given); " in metrics["inference"]["refused"]
