"""Gates against another run: what they compare with, when that is looked up, and what is refused before training."""

import json
import math

import pytest

from linreg_cli.gates import Comparison, Reference, ReferenceValue, check_gates, parse_comparison
from linreg_cli.runs.references import references_of

CONFIG = """
name: a
data: {source: synthetic, n_samples: 50, split: {train: 0.8, test: 0.2}}
plots: false
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("test.rmse > 1.02 * run(prod).test.rmse", ("test.rmse", ">", 1.02, "prod", "test.rmse")),
        ("test.rmse>1.02*run(prod).test.rmse", ("test.rmse", ">", 1.02, "prod", "test.rmse")),
        ("test.r2 >= run( prod-0007 ).train.r2 ", ("test.r2", ">=", 1.0, "prod-0007", "train.r2")),
        ("seconds < 1e1 * run(outputs/a b-0001).seconds", ("seconds", "<", 10.0, "outputs/a b-0001", "seconds")),
        ("parameters.weights.size=<10 < -2 * run(latest).parameters.weights.size=<10",
         ("parameters.weights.size=<10", "<", -2.0, "latest", "parameters.weights.size=<10")),
        ('parameters.weights."a > run(b).c" > 0', ('parameters.weights."a > run(b).c"', ">", 0.0, None, None)),
        ('test.r2 > run(b).parameters.weights."x > 3"', ("test.r2", ">", 1.0, "b", 'parameters.weights."x > 3"')),
    ],
)  # fmt: skip
def test_the_right_side_is_a_number_or_a_metric_of_a_run(text, expected):
    metric, operator, value, run, other = expected
    reference = None if run is None else Reference(run, other)
    assert parse_comparison(text) == Comparison(metric, operator, value, reference)


@pytest.mark.parametrize(
    "text",
    [
        "test.r2 > run(a)", "test.r2 > run().test.r2", "test.r2 > run(a).", "test.r2 > 2 run(a).test.r2",
        "test.r2 > x * run(a).test.r2", "test.r2 > run(a).test..r2", "run(a).test.r2",
        'test.r2 > run(a)."test',
    ],
)  # fmt: skip
def test_another_right_side_is_refused(text):
    with pytest.raises(ValueError, match="is not"):
        parse_comparison(text)


def test_both_numbers_are_in_the_result():
    gate = "test.rmse > 1.02 * run(prod).test.rmse"
    references = {"run(prod).test.rmse": ReferenceValue("prod-0007", 11.9)}
    [failed] = check_gates([], [gate], {"test": {"rmse": 12.3}}, references)
    assert (failed.passed, failed.measured) == (False, 12.3)
    assert failed.reason == "test.rmse is 12.3, against 1.02 * 11.9 = 12.138 of prod-0007"
    [passed] = check_gates([], [gate], {"test": {"rmse": 12.1}}, references)
    assert (passed.passed, passed.reason, passed.against) == (True, "", "1.02 * 11.9 = 12.138 of prod-0007")
    [missing] = check_gates([], [gate], {"test": {"rmse": math.nan}}, references)
    assert (missing.passed, missing.reason) == (False, "test.rmse is nan")


@pytest.fixture
def prod(linreg, config_file) -> dict:
    """The metrics of a run named prod."""
    result = linreg("train", "-c", config_file(CONFIG), "--name", "prod", "--json")
    assert result.code == 0
    return result.json["metrics"]


def test_train_and_evaluate_compare_with_the_run(linreg, prod, tmp_path):
    rmse = prod["test"]["rmse"]
    result = linreg("train", "-c", "config.yaml", "--fail-if", "test.rmse > 1.02 * run(prod).test.rmse")
    assert result.code == 0
    assert f"passed ({rmse:.6g}, against 1.02 * {rmse:.6g} = {1.02 * rmse:.6g} of prod-0001)" in result.out
    record = json.loads((tmp_path / "outputs" / "a-0001" / "run.json").read_text())
    assert record["references"] == {"run(prod).test.rmse": {"run": "prod-0001", "value": rmse}}
    result = linreg("evaluate", "a", "--fail-if", "test.rmse > 0.98 * run(prod).test.rmse", "--junit", "g.xml")
    assert result.code == 5
    said = f"test.rmse is {rmse:.6g}, against 0.98 * {rmse:.6g} = {0.98 * rmse:.6g} of prod-0001"
    assert said in result.err
    assert said in (tmp_path / "g.xml").read_text()


def test_what_no_run_has_is_refused_before_training_all_at_once(linreg, prod, tmp_path):
    gates = [
        "test.r2 > run(nobody).test.r2", "test.r2 > run(prod).test.R2", "test.r2 > run(prod).validation.r2",
        "validation.r2 > run(prod).test.r2", "seconds < 9e9 * run(prod).seconds",
    ]  # fmt: skip
    setting = ["--set", f"gates={json.dumps(gates[:3])}"]
    more = [part for gate in gates[3:] for part in ("--fail-if", gate)]
    for command in (["train"], ["train", "--dry-run"]):
        result = linreg(*command, "-c", "config.yaml", *setting, *more)
        assert result.code == 2
        lines = [line for line in result.err.splitlines() if line.startswith("error: ")]
        assert [line.partition("gates.")[2] or line for line in lines] == [
            "0: run(nobody).test.r2: there is no run 'nobody'; the last ones are: prod-0001",
            "1: run(prod).test.R2: in prod-0001, there is no metric test.R2; did you mean test.r2?",
            "2: run(prod).validation.r2: in prod-0001, there is no metric validation.r2: validation is undefined",
            "error: --fail-if: validation.r2 does not exist: the config has no validation split; set "
            "data.split.validation",
        ]
    assert [path.name for path in (tmp_path / "outputs").iterdir()] == ["prod-0001"]
    result = linreg("evaluate", "prod", "--fail-if", gates[0], "--fail-if", gates[1])
    assert result.code == 2
    assert len([line for line in result.err.splitlines() if line.startswith("error: --fail-if: run(")]) == 2


def test_validate_knows_no_runs_and_checks_the_rest(linreg, config_file):
    assert linreg("validate", config_file(CONFIG + "gates: ['test.r2 > run(nobody).test.r2']\n")).code == 0
    result = linreg("validate", config_file(CONFIG + "gates: ['test.R2 > run(nobody).test.r2', 'test.r2 > run(a)']\n"))
    assert result.code == 2
    assert "there is no metric test.R2; did you mean test.r2?" in result.err
    assert "'test.r2 > run(a)' is not METRIC OPERATOR NUMBER" in result.err


def test_a_metric_that_is_undefined_there_is_refused(linreg, prod, tmp_path):
    path = tmp_path / "outputs" / "prod-0001" / "metrics.json"
    values = json.loads(path.read_text())
    values["test"] |= {"r2": None, "r2_reason": "one row"}
    path.write_text(json.dumps(values))
    result = linreg("train", "-c", "config.yaml", "--fail-if", "test.r2 < run(prod).test.r2")
    assert (result.code, "in prod-0001, test.r2 is undefined: one row" in result.err) == (2, True)
    path.unlink()
    result = linreg("train", "-c", "config.yaml", "--fail-if", "test.r2 < run(prod).test.r2")
    assert (result.code, "the run has no metrics.json (its status is finished)" in result.err) == (2, True)


def test_a_resumed_run_compares_with_what_was_there_at_its_start(linreg, prod, tmp_path):
    gate = "test.rmse <= 1.0 * run(prod).test.rmse"
    command = ["train", "-c", "config.yaml", "--set", f"gates=[{gate}]", "--json"]
    first = linreg(*command)
    assert first.code == 0
    record = json.loads((tmp_path / "outputs" / "a-0001" / "run.json").read_text())
    # A later run of that name would be another bound, and without the run there would be none.
    other = linreg("train", "-c", "config.yaml", "--name", "prod", "--set", "train.epochs=60", "--json")
    assert other.json["metrics"]["test"]["rmse"] < 0.5 * prod["test"]["rmse"]
    assert linreg("runs", "rm", "prod-0001", "--yes").code == 0
    assert linreg("train", "--resume", "a-0001", "--set", "train.epochs=4", "--json").code == 0
    resumed = json.loads((tmp_path / "outputs" / "a-0001" / "run.json").read_text())
    assert (
        resumed["references"]
        == record["references"]
        == {"run(prod).test.rmse": {"run": "prod-0001", "value": prod["test"]["rmse"]}}
    )
    assert resumed["gates"][0]["against"].endswith(" of prod-0001")
    # A condition of the resume itself is looked up now.
    result = linreg(
        "train", "--resume", "a-0001", "--set", "train.epochs=5", "--fail-if", "test.r2 < run(prod).test.r2"
    )
    assert (result.code, " of prod-0002" in result.err) == (5, True)


def test_what_is_known_is_not_looked_up(tmp_path):
    known = {"run(a).test.r2": ReferenceValue("a-0001", 0.5)}
    assert references_of(["test.r2 > run(a).test.r2", "no gate"], tmp_path, known) == (known, [])
    found, [(position, why)] = references_of(["test.r2 > 1", "test.r2 > run(a).test.r2"], tmp_path)
    assert (found, position) == ({}, 1)
    assert why.startswith("run(a).test.r2: there is no run 'a'")
