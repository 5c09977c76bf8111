"""Every config under configs/ validates, says how it is run and what to expect, and keeps its word."""

import csv
import re

import numpy as np
import pytest
import yaml
from conftest import CONFIGS
from sklearn.linear_model import LinearRegression

ALL = sorted(CONFIGS.glob("*.yaml"))
QUIET = ("--set", "plots=false", "--json")


def comment(path) -> str:
    """The comment that the file begins with, as one line of text."""
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("# "))
    return " ".join(lines)


every_config = pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)


@every_config
def test_it_validates(path, linreg):
    result = linreg("validate", path)
    assert result.code == 0, result.err


@every_config
def test_it_begins_with_its_command_and_names_its_runs_after_the_file(path):
    assert f"linreg train -c configs/{path.name}" in comment(path)
    assert yaml.safe_load(path.read_text(encoding="utf-8"))["name"] == path.stem


@every_config
def test_every_command_of_its_comment_names_files_that_are_shipped(path):
    for name in re.findall(r"configs/(\w+\.yaml)", comment(path)):
        assert (CONFIGS / name).exists(), name


def near(share: float, value: float):
    return pytest.approx(value, rel=share)


def weight(metrics, name="x"):
    return metrics["parameters"]["weights"][name]


#: config -> what its comment says (as it stands there), and the same as a claim about the metrics. "Near" means
#: within 3 % (of an R2: within 0.02), where the comment gives no bound.
STATED = {
    "points": [
        ("w = 2.000148389025502", lambda m: weight(m) == 2.000148389025502),
        ("b = 0.9996626768662412", lambda m: m["parameters"]["bias"] == 0.9996626768662412),
        ("the test point (4, 9) is fitted", lambda m: m["test"]["mae"] < 1e-3),
    ],
    "points_noisy": [
        ("w = 1.846223184751381", lambda m: weight(m) == 1.846223184751381),
        ("b = 1.6152357121183563", lambda m: m["parameters"]["bias"] == 1.6152357121183563),
    ],
    "gd": [
        (
            "from 4 to 7.99978",
            lambda m: m["probe"][0]["before"] == [4] and round(m["probe"][0]["after"][0], 5) == 7.99978,
        ),
        ("w = 1.9999444396553017", lambda m: weight(m) == 1.9999444396553017),
    ],
    "sgd": [("w = 1.9999999999999236", lambda m: weight(m) == 1.9999999999999236)],
    # By hand: f'(x) = 2 x, so each step of 0.1 multiplies x by 0.8.
    "parabola": [("0.5, 0.4, 0.32", lambda m: weight(m, "one") == pytest.approx(0.5 * 0.8**12, rel=1e-12))],
    "bowl": [
        ("(1, 1), (0.8, 0.8), (0.64, 0.64)", lambda m: weight(m, "x") == pytest.approx(0.8**12, rel=1e-12)),
        ("(1, 1), (0.8, 0.8), (0.64, 0.64)", lambda m: weight(m, "y") == pytest.approx(0.8**12, rel=1e-12)),
    ],
    "noisy_line": [("the weight ends within 0.1 of 1", lambda m: abs(weight(m) - 1) < 0.1)],
    "synthetic": [
        # the variance of 1,000 values has a standard error of 4.5 %
        ("the loss ends near 1e-4", lambda m: m["train"]["loss"] == near(0.15, 1e-4)),
        ("parameter within 0.01 of the true one", lambda m: abs(weight(m, "x1") - 2) < 0.01),
        ("parameter within 0.01 of the true one", lambda m: abs(weight(m, "x2") + 3.4) < 0.01),
        ("parameter within 0.01 of the true one", lambda m: abs(m["parameters"]["bias"] - 4.2) < 0.01),
    ],
    "housing": [
        ("a test R2 near 0.95", lambda m: m["test"]["r2"] == pytest.approx(0.95, abs=0.02)),
        # 500 test rows: the standard error of their RMSE is 3 %
        ("a test RMSE near 60,000", lambda m: m["test"]["rmse"] == near(0.1, 60_000)),
    ],
    "smoke": [("a test R2 above 0.999", lambda m: m["test"]["r2"] > 0.999)],
}


def test_no_config_is_left_out():
    """king_county.yaml and auto_mpg.yaml need a real table and have tests of their own."""
    assert {path.stem for path in ALL} == {*STATED, "king_county", "auto_mpg"}


@pytest.mark.parametrize("name", STATED)
def test_it_trains_to_what_it_states(name, linreg):
    path = CONFIGS / f"{name}.yaml"
    result = linreg("train", "-c", path, *QUIET)
    assert result.code == 0, result.err
    for words, holds in STATED[name]:
        assert words in comment(path)
        assert holds(result.json["metrics"]), (words, result.json["metrics"])


def test_noisy_line_diverges_at_the_rate_it_warns_of(linreg):
    path = CONFIGS / "noisy_line.yaml"
    assert "at 4e-4 (--set optimizer.lr=4e-4) training diverges" in comment(path)
    assert linreg("train", "-c", path, "--set", "optimizer.lr=4e-4").code == 4


def test_smoke_passes_and_fails_its_gate(linreg):
    path = CONFIGS / "smoke.yaml"
    assert '--fail-if "test.r2 < 0.9"' in comment(path)
    assert linreg("train", "-c", path, "--fail-if", "test.r2 < 0.9").code == 0
    assert linreg("train", "-c", path, "--fail-if", "test.r2 > 0.9").code == 5


def test_king_county_on_real_sales(linreg, real_data):
    path = CONFIGS / "king_county.yaml"
    result = linreg("train", "-c", path, *QUIET, "--set", f"data.path={real_data / 'kc_house.csv'}")
    assert result.code == 0, result.err
    metrics = result.json["metrics"]
    assert "a test R2 near 0.82" in comment(path)
    assert "a test RMSE near 156,000" in comment(path)
    assert metrics["test"]["n"] == 4323
    assert metrics["test"]["r2"] == pytest.approx(0.82, abs=0.02)
    assert metrics["test"]["rmse"] == near(0.05, 156_000)
    # 15 numbers, and a category of 70 postal codes without its first
    assert len(metrics["parameters"]["weights"]) == 15 + 69
    assert "zipcode=98001" not in metrics["parameters"]["weights"]


def test_auto_mpg_on_real_cars(linreg, real_data, tmp_path):
    path = CONFIGS / "auto_mpg.yaml"
    result = linreg("train", "-c", path, *QUIET, "--set", f"data.path={real_data / 'auto_mpg.csv'}")
    assert result.code == 0, result.err
    kinds = [each["kind"] for each in result.json["warnings"]]
    assert kinds == ["autocorrelation", "multicollinear"]  # the rows are sorted by year, and large engines are heavy
    metrics, data = result.json["metrics"], result.json["data"]
    assert "a test R2 near 0.82" in comment(path)
    assert "mean R2 near 0.80 over ten folds" in comment(path)
    assert "The horsepower of 6 cars is missing and filled in with the median, 92" in comment(path)
    assert metrics["test"]["r2"] == pytest.approx(0.82, abs=0.02)
    assert metrics["cross_validation"]["r2"]["mean"] == pytest.approx(0.80, abs=0.02)
    [horsepower] = [column for column in data["columns"] if column["column"] == "horsepower"]
    assert (horsepower["missing"], horsepower["fill"]) == (6, 92)
    assert list(metrics["parameters"]["weights"])[-2:] == ["origin=japan", "origin=usa"]
    # The optimum on the same rows and encoding, by scikit-learn; 300 epochs come within 1e-6 of it.
    inputs, mpg = encoded_cars(real_data / "auto_mpg.csv", 92.0)
    with (tmp_path / "outputs" / "auto_mpg-0001" / "predictions.csv").open(encoding="utf-8") as file:
        train = [int(row["row"]) - 1 for row in csv.DictReader(file) if row["split"] == "train"]
    model = LinearRegression().fit(inputs[train], mpg[train])
    assert metrics["train"]["r2"] == pytest.approx(model.score(inputs[train], mpg[train]), rel=1e-6)


def encoded_cars(path, horsepower: float) -> tuple[np.ndarray, np.ndarray]:
    """The columns of auto_mpg.csv as the config encodes them, by hand."""
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    numbers = ("cylinders", "displacement", "horsepower", "weight", "acceleration", "model_year")
    inputs = [
        [float(row[name] or horsepower) for name in numbers] + [row["origin"] == "japan", row["origin"] == "usa"]
        for row in rows
    ]
    return np.array(inputs, dtype=float), np.array([float(row["mpg"]) for row in rows])


def test_king_county_says_where_the_table_is_expected(linreg):
    result = linreg("train", "-c", CONFIGS / "king_county.yaml")
    assert result.code == 3
    assert "data/kc_house_data.csv: there is no such file" in result.err


def test_housing_on_real_sales(linreg, real_data):
    """The same config, with the source changed as its comment says."""
    path = CONFIGS / "housing.yaml"
    assert "--set data.source=table --set data.path=data/kc_house_data.csv" in comment(path)
    table = real_data / "kc_house.csv"
    result = linreg("train", "-c", path, *QUIET, "--set", "data.source=table", "--set", f"data.path={table}")
    assert result.code == 0, result.err
    metrics = result.json["metrics"]
    assert list(metrics["parameters"]["weights"]) == ["bedrooms", "bathrooms", "sqft_living"]
    # Least squares on all rows gives R2 0.507 with these columns (scikit-learn); a test split of 2,161 sales, some of
    # them of millions, varies by a few hundredths.
    assert metrics["train"]["r2"] == pytest.approx(0.507, abs=0.02)
    assert metrics["test"]["r2"] == pytest.approx(0.507, abs=0.06)
