"""`linreg validate` reports every error of every file at once, and reads no data."""

import pytest
from conftest import CONFIGS

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
