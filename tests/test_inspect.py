"""`linreg inspect` against numpy and against itself in words."""

import csv
import itertools
import json
import math

import numpy as np
import pytest
import yaml
from conftest import CONFIGS, REPOSITORY

KEYS = {
    "n_samples", "n_features", "rank", "condition_number", "condition_number_standardized", "curvature", "stable_lr",
    "forecast", "columns", "advice",
}  # fmt: skip


def design(columns, names):
    return np.column_stack([*(columns[name] for name in names), np.ones(len(columns[names[0]]))])


@pytest.fixture
def table(tmp_path):
    """Write columns as a CSV and a config beside it; gives the config's path."""

    def write(columns, *, target="y", name="t", **sections):
        names = list(columns)
        with open(tmp_path / f"{name}.csv", "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(names)
            writer.writerows(zip(*(np.asarray(columns[n]).tolist() for n in names), strict=True))
        config = {
            "name": name, "data": {"path": str(tmp_path / f"{name}.csv"), "target": target}, "plots": False,
            "train": {"batch_size": "full", "dtype": "float64"},
        }  # fmt: skip
        for key, value in sections.items():
            config[key] = {**config.get(key, {}), **value} if isinstance(value, dict) else value
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump(config))
        return path

    return write


def from_svd(rng, n, condition, d=4):
    """Columns whose standardised design has this condition number, exactly but for the means."""
    U = np.linalg.qr(rng.normal(size=(n, d)) - rng.normal(size=(1, d)))[0]
    U = np.linalg.qr(U - U.mean(0))[0]
    V = np.linalg.qr(rng.normal(size=(d, d)))[0]
    X = math.sqrt(n) * U * np.geomspace(1, 1 / condition, d) @ V.T
    return {f"x{j + 1}": X[:, j] for j in range(d)}


def test_the_contract_holds(linreg):
    values = linreg("inspect", "-c", CONFIGS / "noisy_line.yaml", "--json").json
    assert set(values) >= KEYS
    assert set(values["curvature"]) >= {"max", "min"}
    assert set(values["stable_lr"]) >= {"full_batch", "batch_safe"}
    assert set(values["forecast"]) >= {"1e-3", "1e-6"}
    assert (values["n_samples"], values["n_features"], values["rank"]) == (100, 1, 2)
    assert values["columns"][0] == {
        "name": "x", "role": "feature", "kind": "real", "min": 0.0, "max": 100.0, "mean": pytest.approx(50),
        "std": pytest.approx(np.linspace(0, 100, 100).std()), "missing": 0,
    }  # fmt: skip


def test_noisy_line_has_the_published_limit(linreg):
    # "The full-batch stability limit here is about 3e-4": 2 / lambda_max of (2/n) [x 1]'[x 1].
    values = linreg("inspect", "-c", CONFIGS / "noisy_line.yaml", "--json").json
    A = np.column_stack([np.linspace(0, 100, 100), np.ones(100)])
    eigenvalues = np.linalg.eigvalsh(2 / 100 * A.T @ A)
    assert values["stable_lr"]["full_batch"] == pytest.approx(2 / eigenvalues[-1], rel=1e-12)
    assert values["stable_lr"]["full_batch"] == pytest.approx(3e-4, rel=0.01)
    assert values["curvature"]["max"] == pytest.approx(eigenvalues[-1], rel=1e-12)
    assert values["curvature"]["min"] == pytest.approx(eigenvalues[0], rel=1e-12)
    assert values["condition_number"] == pytest.approx(np.linalg.cond(A), rel=1e-12)
    assert values["condition_number_standardized"] == pytest.approx(1, rel=1e-12)
    assert values["curvature"]["carried_by"]["max"][0]["column"] == "x"


def test_dependent_columns_are_named(linreg, table):
    rng = np.random.default_rng(0)
    a, b, c = rng.normal(size=(3, 30))
    columns = {"a": a, "b": b, "same": 2 * a + 1, "flat": np.full(30, 7.0), "y": a + b + c}
    config = table(columns)
    values = linreg("inspect", "-c", config, "--json").json
    assert (values["rank"], values["n_parameters"]) == (3, 5)
    assert values["dependent_columns"] == ["a", "same", "flat"]
    assert values["condition_number"] is None
    assert "dependent" in values["condition_number_reason"]
    assert values["rank_meaning"].startswith("2 directions of the parameters change no prediction")
    A = design(columns, ["a", "b", "same", "flat"])
    nonzero = np.linalg.eigvalsh(2 / 30 * A.T @ A)[2:]
    assert values["curvature"]["min"] == pytest.approx(nonzero[0], rel=1e-9)
    said = " ".join(values["advice"])
    assert "Columns a, same are linearly dependent: leave out one of them (data.ignore)." in said
    assert "Column flat is constant in the train split: leave it out (data.ignore)." in said
    assert values["columns"][3]["kind"] == "constant"


@pytest.mark.parametrize(
    ("features", "said"),
    [
        ("a, same, b", "Columns a, same are linearly dependent: leave out one of them (data.ignore)."),
        ("a, b, same, sum", "Columns a, b, same, sum are linearly dependent: leave out same, sum (data.ignore)."),
        ("a, b, far", "Column far is constant within rounding error: leave it out (data.ignore)."),
    ],
)
def test_the_advice_names_as_many_columns_as_the_rank_lacks(linreg, table, features, said):
    """`far` is 1e16 or 1e16 + 2, which are neighbours in float64."""
    a, b, noise = np.random.default_rng(0).normal(size=(3, 30))
    far = 1e16 + 2 * (np.arange(30) % 2)
    config = table({"a": a, "b": b, "same": 2 * a + 1, "sum": a + b, "far": far, "y": a + noise})
    options = ["--set", f"data.features=[{features}]", "--set", "train.dtype=float64"]
    assert said in linreg("inspect", "-c", config, *options, "--json").json["advice"]


def test_one_row(linreg):
    for settings in ([], ["preprocess.standardize=true"], ["loss=mse", "model.bias=false"], ["preprocess.ddof=1"]):
        options = [part for setting in ["data.rows=[[1, 2]]", *settings] for part in ("--set", setting)]
        values = linreg("inspect", "-c", CONFIGS / "points.yaml", "--json", *options).json
        assert values["rank"] == 1
        assert values["advice"]
        assert linreg("inspect", "-c", CONFIGS / "points.yaml", *options).code == 0


@pytest.mark.parametrize("size", ["full", 1])
def test_nothing_that_moves_or_is_curved(linreg, size):
    settings = ["optimizer.momentum=0.5", "optimizer.dampening=1", f"train.batch_size={size}"]
    options = [part for setting in settings for part in ("--set", setting)]
    values = linreg("inspect", "-c", CONFIGS / "points.yaml", "--json", *options).json
    assert values["stable_lr"]["full_batch"] is None
    assert "no rate is too large" in values["stable_lr"]["full_batch_reason"]
    assert "dampening" in values["forecast"]["1e-3_reason"]
    settings = ["model.bias=false", "data.rows=[[0, 1], [0, 2], [0, 4]]", f"train.batch_size={size}"]
    options = [part for setting in settings for part in ("--set", setting)]
    values = linreg("inspect", "-c", CONFIGS / "points.yaml", "--json", "--ridge", *options).json
    assert (values["rank"], values["curvature"]["max"], values["dependent_columns"]) == (0, 0, ["x"])


def test_a_target_whose_logarithm_is_trained_may_have_squares_that_overflow(linreg, table):
    """The condition number is about the columns alone; numpy is silent about the target."""
    x, noise = np.random.default_rng(0).normal(size=(2, 30))
    config = table({"x": x, "y": 1e160 * np.exp(x + noise / 9)})
    found = linreg("inspect", "-c", config, "--set", "preprocess.target_transform=log", "--json")
    assert found.err == ""
    A = np.column_stack([x, np.ones(30)])
    assert found.json["condition_number"] == pytest.approx(np.linalg.cond(A), rel=1e-12)


@pytest.mark.parametrize("unit", ["1e200", "1e-200"])
def test_values_whose_squares_are_no_numbers_are_refused(linreg, unit):
    rows = f"data.rows=[[{unit}, 1], [2{unit[1:]}, 2], [3{unit[1:]}, 4]]"
    result = linreg("inspect", "-c", CONFIGS / "points.yaml", "--set", rows)
    assert result.code == 3
    assert "beyond the range of float64; give the columns in another unit" in result.err


def test_fewer_rows_than_parameters(linreg, table):
    rng = np.random.default_rng(0)
    values = linreg("inspect", "-c", table({**from_svd(rng, 9, 2), "y": rng.normal(size=9)}), "--json").json
    assert values["rank"] == 5
    few = {name: column[:3] for name, column in from_svd(rng, 9, 2).items()}
    values = linreg("inspect", "-c", table({**few, "y": [1.0, 2.0, 4.0]}), "--json").json
    assert values["rank"] == 3
    assert "fewer rows than parameters" in values["advice"][0]


def test_a_constant_target(linreg, table):
    values = linreg("inspect", "-c", table({"x": [1.0, 2.0, 3.0], "y": [5.0, 5.0, 5.0]}), "--json").json
    assert values["forecast"]["1e-3"] is None
    assert values["advice"][-1] == "The target is constant: there is nothing to learn."


def test_filip_is_hopeless_and_norris_is_not(linreg, real_data, table, config_file):
    # NIST StRD: Filip's columns are ten powers of one variable.
    def config(name):
        path = str(real_data / "nist" / f"{name}.csv")
        train = {"batch_size": "full", "dtype": "float64"}
        return config_file(yaml.safe_dump({"data": {"path": path, "target": "y"}, "train": train}))

    # Of the singular values of the standardised columns, numpy finds two below what float32 rounds off, 4e-7.
    settings = {(): 11, ("--set", "preprocess.standardize=true"): 11, ("--set", "train.dtype=float32"): 9}
    for options, rank in settings.items():
        values = linreg("inspect", "-c", config("Filip"), "--json", *options).json
        assert values["rank"] == rank
        assert values["condition_number_standardized"] == pytest.approx(4e9, rel=0.1)
        assert values["forecast"]["1e-6"] is None
        assert "will not converge in a practical number of epochs" in " ".join(values["advice"])
    assert "will not converge in a practical number of epochs" in " ".join(
        linreg("inspect", "-c", config("Filip")).out.split()
    )
    values = linreg("inspect", "-c", config("Norris"), "--json").json
    assert values["condition_number_standardized"] == pytest.approx(1, rel=1e-9)
    assert "preprocess.standardize=true" in " ".join(values["advice"])


@pytest.mark.parametrize("loss", ["mae", "huber"])
def test_what_does_not_apply_to_other_losses_is_said(linreg, loss):
    values = linreg("inspect", "-c", CONFIGS / "points.yaml", "--set", f"loss={loss}", "--ridge", "--json").json
    assert set(values) >= KEYS
    assert values["curvature"]["max"] is values["stable_lr"]["full_batch"] is values["forecast"]["1e-3"] is None
    assert values["ridge"] is None
    for reason in (
        values["curvature"]["reason"], values["stable_lr"]["reason"], values["forecast"]["1e-3_reason"],
        values["ridge_reason"],
    ):  # fmt: skip
        assert reason.startswith(f"{loss} is not a squared loss")
    assert values["rank"] == 2
    assert values["condition_number_standardized"] == pytest.approx(1)
    # The Huber loss is nowhere more curved than half_mse.
    half = linreg("inspect", "-c", CONFIGS / "points.yaml", "--set", "loss=half_mse", "--json").json["stable_lr"]
    assert values["stable_lr"].get("sufficient") == (half["full_batch"] if loss == "huber" else None)


def test_mini_batches_have_three_limits(linreg):
    values = linreg("inspect", "-c", CONFIGS / "synthetic.yaml", "--json").json["stable_lr"]
    assert values["batch_safe"] < values["mean_square"] < values["full_batch"]
    assert "every possible batch of 10 rows" in values["batch_safe_covers"]
    above = (values["mean_square"] + values["full_batch"]) / 2
    told = linreg("inspect", "-c", CONFIGS / "synthetic.yaml", "--json", "--set", f"optimizer.lr={above}").json
    assert "may not converge" in told["forecast"]["1e-3_reason"]
    assert "may not converge" in told["advice"][0]
    assert told["forecast"]["floor_gap"] is None
    assert "may not converge" in told["forecast"]["floor_gap_reason"]
    ordered = linreg("inspect", "-c", CONFIGS / "sgd.yaml", "--json").json["stable_lr"]
    assert ordered["batch_safe"] == pytest.approx(2 / (2 * 3.0**2))  # the row x = 3, without a bias
    assert ordered["mean_square_reason"] == "the order of the rows is fixed, not random"
    assert values["fixed_order"] is None
    assert "train.shuffle: false" in values["fixed_order_reason"]
    assert ordered["batch_safe"] < ordered["fixed_order"]


def test_ridge_agrees_with_refitting(linreg, table):
    from sklearn.linear_model import Ridge

    rng = np.random.default_rng(4)
    X = rng.normal(size=(12, 6))
    y = X[:, 0] + 2 * rng.normal(size=12)
    y -= y.mean()
    columns = {f"x{j}": X[:, j] for j in range(6)}
    config = table({**columns, "y": y}, model={"bias": False})
    ridge = linreg("inspect", "-c", config, "--ridge", "--json").json["ridge"]
    assert len(ridge["path"]) == 25
    best = ridge["best"]
    assert best["leave_one_out_mse"] == min(step["leave_one_out_mse"] for step in ridge["path"])
    assert best["leave_one_out_mse"] < ridge["no_penalty"]["leave_one_out_mse"]
    step = next(step for step in ridge["path"] if step["weight_decay"] == best["weight_decay"])
    # mse + wd / 2 |w|^2 is (sum of squares + (n wd / 2) |w|^2) / n.
    alpha = 12 * step["weight_decay"] / 2
    errors = []
    for row in range(12):
        rest = np.arange(12) != row
        errors.append(y[row] - Ridge(alpha, fit_intercept=False).fit(X[rest], y[rest]).predict(X[row : row + 1])[0])
    assert step["leave_one_out_mse"] == pytest.approx(float(np.mean(np.square(errors))), rel=1e-9)
    weights = Ridge(alpha, fit_intercept=False).fit(X, y).coef_
    assert [w[0] for w in step["weights"].values()] == pytest.approx(weights, rel=1e-9)
    text = linreg("inspect", "-c", config, "--ridge").out
    assert f"* best: optimizer.weight_decay: {best['weight_decay']:.4g}" in text


def table_lines(page):
    """The lines of tables, whose cells are separated by two blanks; what the limits cover is prose."""
    tables = [part for part in page.split("\n\n") if not part.startswith("Limits of the learning rate")]
    return [line for part in tables for line in part.splitlines() if "  " in line.strip()[20:]]


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_config_fits_the_page(linreg, path, request, tmp_path):
    tables = {"king_county": "kc_house.csv", "auto_mpg": "auto_mpg.csv"}
    options = ()
    if path.stem in tables:
        with open(request.getfixturevalue("real_data") / tables[path.stem]) as file:
            (tmp_path / "t.csv").write_text("".join(itertools.islice(file, 2001)))  # for a page they are enough
        options = ("--set", f"data.path={tmp_path / 't.csv'}")
    result = linreg("inspect", "-c", path, "--ridge", *options)
    assert result.code == 0, result.err
    assert result.err == "" or options
    assert max(map(len, table_lines(result.out))) <= 80
    assert result.out.split("\n\n")[1].startswith("What to do:\n  ")
    if not options:
        assert json.loads(linreg("inspect", "-c", path, "--ridge", "--json").out)["advice"]


def test_long_names_and_many_columns_fit_the_page(linreg, table):
    rng = np.random.default_rng(6)
    columns = {
        f"a_column_with_a_very_long_name_indeed_number_{j}\x1b[31m": rng.normal(size=60) * 1e-7 for j in range(45)
    }
    columns["y"] = rng.normal(size=60) * 1e9
    out = linreg("inspect", "-c", table(columns)).out
    assert max(map(len, table_lines(out))) <= 80
    assert "... and 5 more; --json has them all" in out
    assert "\x1b" not in out


def test_several_targets(linreg, table):
    rng = np.random.default_rng(7)
    columns = {**from_svd(rng, 40, 3), "y": rng.normal(size=40), "z": rng.normal(size=40)}
    values = linreg("inspect", "-c", table(columns, target=["y", "z"]), "--json", "--ridge").json
    A = design(columns, ["x1", "x2", "x3", "x4"])
    assert values["curvature"]["max"] == pytest.approx(np.linalg.eigvalsh(A.T @ A / 40)[-1], rel=1e-9)
    assert [column["role"] for column in values["columns"]].count("target") == 2
    assert len(values["ridge"]["path"][0]["weights"]["x1"]) == 2


def test_nothing_is_written_and_errors_are_those_of_the_config(linreg, tmp_path):
    assert linreg("inspect", "-c", CONFIGS / "points.yaml").code == 0
    assert list(tmp_path.iterdir()) == []
    assert linreg("inspect", "-c", CONFIGS / "points.yaml", "--set", "optimizer.lrr=1").code == 2
    assert linreg("inspect", "-c", CONFIGS / "king_county.yaml", "--json").json["error"]["kind"] == "data"


def test_every_key_of_the_json_is_documented(linreg):
    page = (REPOSITORY / "docs" / "conventions.md").read_text(encoding="utf-8")
    values = linreg("inspect", "-c", CONFIGS / "synthetic.yaml", "--ridge", "--json").json
    keys = {*values, *values["stable_lr"], *values["forecast"], *values["alternatives"][0], *values["ridge"]}
    keys -= {key for key in keys if key.endswith(("_covers", "_reason"))}
    assert [key for key in sorted(keys) if f"`{key}`" not in page] == []
