"""`linreg validate` reports every error of every file at once, and reads no data."""

import pytest
from conftest import CONFIGS

from linreg_cli.config import load_config

GOOD = "data: {path: not-there.csv, target: y}\n"


def test_good_configs_are_named(linreg, config_file):
    config_file(GOOD, "a.yaml")
    config_file(GOOD, "b.yaml")
    result = linreg("validate", "a.yaml", "b.yaml")
    assert (result.code, result.out, result.err) == (0, "a.yaml: ok\nb.yaml: ok\n", "")
    assert linreg("validate", "a.yaml", "b.yaml", "--json").json == {"valid": ["a.yaml", "b.yaml"]}


def test_every_file_is_checked_even_after_a_bad_one(linreg, config_file):
    config_file("data: {}\n", "a.yaml")
    config_file(GOOD, "b.yaml")
    config_file(GOOD + "seed: x\n", "c.yaml")
    result = linreg("validate", "a.yaml", "b.yaml", "c.yaml", "absent.yaml")
    assert (result.code, result.out) == (2, "b.yaml: ok\n")
    errors = [line for line in result.err.splitlines() if line.startswith("error: ")]
    assert errors == [
        "error: a.yaml:1:7: data.path is required",
        "error: a.yaml:1:7: data.target is required",
        "error: c.yaml:2:7: seed: expected a whole number, found the text 'x'",
        "error: absent.yaml: cannot read the config: No such file or directory",
    ]
    as_json = linreg("validate", "a.yaml", "b.yaml", "c.yaml", "absent.yaml", "--json")
    assert len(as_json.json["error"]["faults"]) == 4


def test_files_are_checked_by_themselves_and_not_merged(linreg, config_file):
    config_file(GOOD, "a.yaml")
    config_file("seed: 3\n", "b.yaml")
    assert linreg("validate", "a.yaml", "b.yaml").code == 2


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.name)
def test_the_shipped_configs_are_valid(linreg, path):
    result = linreg("validate", path)
    assert (result.code, result.err) == (0, "")


def test_the_resolved_config_of_several_files_is_the_run_of_these_files(linreg, config_file, tmp_path):
    config_file("data: {source: synthetic, n_samples: 40}\noptimizer: {lr: auto}\nplots: false\n", "a.yaml")
    config_file("seed: 3\ntrain: {epochs: 2}\nprobe: [[1, 2]]\n", "b.yaml")
    result = linreg("validate", "a.yaml", "b.yaml", "--resolved")
    assert (result.code, result.err) == (0, "")
    (tmp_path / "resolved.yaml").write_text(result.out)
    assert linreg("validate", "resolved.yaml", "--resolved").out == result.out
    found = load_config(["resolved.yaml"]).config
    assert found == load_config(["a.yaml", "b.yaml"]).config
    assert (found.name, found.seed, found.optimizer.lr, found.huber_delta) == ("a", 3, "auto", 1.0)
    for section in (found, found.data, found.train):  # every default is written out
        assert all(f"{key}:" in result.out for key in type(section).model_fields)
    assert linreg("train", "-c", "a.yaml", "-c", "b.yaml", "-q").code == 0
    assert linreg("train", "-c", "resolved.yaml", "-q").code == 0
    models = [(tmp_path / "outputs" / run / "model.safetensors").read_bytes() for run in ("a-0001", "a-0002")]
    assert models[0] == models[1]
    as_json = linreg("validate", "a.yaml", "b.yaml", "--resolved", "--json").json
    assert as_json["valid"] == ["a.yaml", "b.yaml"]
    assert as_json["config"]["train"]["epochs"] == 2


def test_what_is_wrong_or_has_no_effect_is_said_as_by_train(linreg, config_file):
    config_file("data: {source: synthetic}\nhuber_delta: 2\n", "a.yaml")
    config_file("optimizer: {lr: 0, nesterov: true}\n", "b.yaml")
    result = linreg("validate", "a.yaml", "--resolved")
    assert (result.code, result.err) == (0, "warning: huber_delta: 2 has no effect with loss: mse\n")
    result = linreg("validate", "a.yaml", "b.yaml", "--resolved")
    assert (result.code, result.out) == (2, "")
    assert result.err == linreg("train", "-c", "a.yaml", "-c", "b.yaml").err
    assert len([line for line in result.err.splitlines() if line.startswith("error: b.yaml:1:")]) == 2
