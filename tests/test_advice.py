"""The settings that `inspect` advises end lower than those of the config when they are followed."""

import re

import numpy as np
import pytest

CASE = """
name: advice
data: {{source: inline, columns: [a, b, c, y], rows: {rows}}}
preprocess: {{standardize: true}}
optimizer: {optimizer}
train: {train}
plots: false
"""


def rows() -> list[list[float]]:
    """Two columns that are almost the same."""
    stream = np.random.default_rng(11)
    X = stream.normal(size=(60, 3))
    X[:, 1] = X[:, 0] + 0.02 * X[:, 1]
    y = X @ [1.0, 1.0, -1.0] + stream.normal(size=60)
    return [[round(float(v), 5) for v in row] for row in np.column_stack([X, y])]


def advised(page: str) -> list[str]:
    """The first settings that the page says to set."""
    words = " ".join(page.split("What to do:")[1].split("\n\n")[0].split())
    settings = re.search(r"[Ss]et (.*?)(?: \(|\.$|\. )", words)
    assert settings, words
    return re.split(r", (?=\w+\.)", settings[1])


def gap_of(result) -> float:
    assert result.code == 0, result.err
    return result.json["metrics"]["optimum"]["gap"]


@pytest.mark.parametrize(
    ("optimizer", "train"),
    [
        # The optimal heavy ball needs more epochs than are given, and ends far above the start after these.
        ("{lr: auto}", "{epochs: 60, batch_size: full, dtype: float64}"),
        ("{lr: auto, momentum: 0.9}", "{epochs: 100, batch_size: full, dtype: float64}"),
        ("{lr: 0.2, momentum: 0.3}", "{epochs: 30, batch_size: full, dtype: float64}"),
        # The schedule ends above what the best rate reaches, and neither reaches a gap of 1e-3.
        ("{lr: 0.0001, schedule: {kind: exponential, gamma: 0.9}}", "{epochs: 40, batch_size: 7, dtype: float64}"),
    ],
)
def test_advised_settings_end_below_those_of_the_config(linreg, config_file, optimizer, train):
    config = config_file(CASE.format(rows=rows(), optimizer=optimizer, train=train))
    before = gap_of(linreg("train", "-c", config, "--json"))
    settings = advised(linreg("inspect", "-c", config).out)
    followed = linreg("train", "-c", config, "--json", *(part for each in settings for part in ("--set", each)))
    assert gap_of(followed) < before, settings


@pytest.mark.parametrize(
    ("optimizer", "train", "certain"),
    [
        ("{lr: 0.6, momentum: 0.9}", "{epochs: 1, batch_size: full, dtype: float64}", True),
        ("{lr: 0.2}", "{epochs: 1, batch_size: 1, dtype: float64, shuffle: false}", True),
        ("{lr: 0.05, momentum: 0.5}", "{epochs: 3, batch_size: 7, dtype: float64}", False),
    ],
)
def test_a_run_that_ends_above_its_start_is_said_to(linreg, config_file, optimizer, train, certain):
    X = np.array(rows())
    X[:, :3] = (X[:, :3] - X[:, :3].mean(0)) / X[:, :3].std(0)
    A = np.column_stack([X[:, :3], np.ones(60)])
    weights = (np.linalg.lstsq(A, X[:, 3], rcond=None)[0] + 0.01).tolist()
    config = config_file(CASE.format(rows=rows(), optimizer=optimizer, train=train))
    start = f"model.init={{weight: {weights[:3]}, bias: {weights[3]}}}"  # near the optimum, by numpy's lstsq
    result = linreg("inspect", "-c", config, "--set", start)
    words = " ".join(result.out.split("What to do:")[1].split("\n\n")[0].split())
    assert words.startswith(f"The run {'will' if certain else 'is expected to'} end above its start: at a gap of "), (
        words
    )
    trained = linreg("train", "-c", config, "--set", start, "--json")
    assert trained.code == 0, (trained.err, words)
    assert "loss_rose" in [each["kind"] for each in trained.json["warnings"]]
    settings = [part for each in advised(result.out) for part in ("--set", each)]
    followed = linreg("train", "-c", config, "--set", start, *settings, "--json")
    assert followed.code == 0, (followed.err, words)
    assert "loss_rose" not in [each["kind"] for each in followed.json["warnings"]]


def test_a_sum_in_a_fixed_order_at_its_best_rate_has_no_other_plan_and_is_advised(linreg, config_file):
    path = config_file(CASE.format(rows=rows(), optimizer="{lr: auto}", train="{batch_size: 7, shuffle: false}"))
    result = linreg("inspect", "-c", path, "--json", "--set", "loss=sse")
    assert result.code == 0, result.err
    assert result.json["alternatives"] == []
    assert result.json["advice"][0].startswith("In this order, batches at the rate ")


def test_a_column_that_is_constant_in_float32_only_is_said_to_be(linreg, config_file):
    """float32 has steps of 64 at 1e9."""
    far = [[1e9 + place % 7, *row[1:]] for place, row in enumerate(rows())]
    case = CASE.replace("preprocess: {{standardize: true}}\n", "").format(
        rows=far, optimizer="{lr: 1.0e-19}", train="{}"
    )
    page = " ".join(linreg("inspect", "-c", config_file(case)).out.split())
    assert "Column a is constant or linearly dependent in float32 only. Set train.dtype=float64." in page
