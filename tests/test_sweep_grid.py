"""The values of `--set KEY=V1,V2,...`, and what is wrong with them before anything runs."""

import json

import pytest

from linreg_cli.errors import ConfigError
from linreg_cli.sweeps.grid import parse_grid, split_values

#: The text behind `=` -> the values that YAML reads in each part.
CASES = {
    "0.1,0.01,1e-3": [0.1, 0.01, 0.001],
    "-1,-0.5,+2": [-1, -0.5, 2],
    "auto,0.1": ["auto", 0.1],
    "null,3": [None, 3],
    "~,3": [None, 3],
    "true,false": [True, False],
    "10, 100 ,full": [10, 100, "full"],
    "[a,b],[c]": [["a", "b"], ["c"]],
    "[a,b],null": [["a", "b"], None],
    "[a, log(b), a:b],[a^2]": [["a", "log(b)", "a:b"], ["a^2"]],
    "[[1,2],[3]],[[4]]": [[[1, 2], [3]], [[4]]],
    "{kind: constant},{kind: step, step_size: 5, gamma: 0.5}": [
        {"kind": "constant"},
        {"kind": "step", "step_size": 5, "gamma": 0.5},
    ],
    "{weight: {normal: [0, 1]}, bias: 0},{weight: 0}": [{"weight": {"normal": [0, 1]}, "bias": 0}, {"weight": 0}],
    "'a,b',\"c,d\"": ["a,b", "c,d"],
    "'it''s, so',x": ["it's, so", "x"],
    r'"say \"a, b\"",x': ['say "a, b"', "x"],
    "it's,that's": ["it's", "that's"],
    "['a]',b],[c]": [["a]", "b"], ["c"]],
    "{a: 'x, y'},{a: z}": [{"a": "x, y"}, {"a": "z"}],
    '",",";"': [",", ";"],
    "'0.1',0.1": ["0.1", 0.1],
    "1,true": [1, True],
    "größe,面积": ["größe", "面积"],
    "f(a,b),c": ["f(a,b)", "c"],
    "a=1,b=2": ["a=1", "b=2"],
}


@pytest.mark.parametrize("text", CASES)
def test_values_are_split_outside_brackets_and_quotes_and_read_as_yaml(text):
    [(key, values)] = parse_grid([f"some.key={text}"]).values.items()
    assert key == "some.key"
    assert json.loads(json.dumps(values)) == CASES[text]
    assert [type(value) for value in json.loads(json.dumps(values))] == [type(value) for value in CASES[text]]


@pytest.mark.parametrize("text", ["[a,b", "a],b", "'a,b", '"a\\",b', "{a: [1}, 2]", "(1,2"])
def test_what_is_not_closed_is_refused(text):
    with pytest.raises(ValueError, match=r"closes nothing|is missing at the end|is not closed"):
        split_values(text)


def test_points_are_every_combination_and_the_last_key_varies_fastest():
    grid = parse_grid(["b=1,2", "seed=7", "a=x,y,z"])
    assert grid.constants == ("seed=7",)
    assert grid.n_points == 6
    assert [overrides for overrides, _ in grid.points()] == [{"b": b, "a": a} for b in (1, 2) for a in ("x", "y", "z")]


@pytest.mark.parametrize(
    ("expressions", "said"),
    [
        (["seed=1"], "no --set has several values"),
        ([], "no --set has several values"),
        (["seed=1,"], "a value is empty"),
        (["data.delimiter=,"], "a value is empty"),
        (["seed=1,1"], "the value 1 is given twice"),
        (["optimizer.lr=0.1,1e-1"], "the value 1e-1 is given twice"),
        (["seed=1,2", "seed=3"], "seed is given twice"),
        (["seed=3", " seed =1,2"], "seed is given twice"),
        (["seed"], "expected KEY=VALUE"),
        (["seed=1,[2"], "] is missing at the end"),
        (["seed=1,*a"], "has no anchor"),
        ([f"a={','.join(map(str, range(101)))}", f"b={','.join(map(str, range(100)))}"], "the grid has 10,100 points"),
        (["data.path=https://ann:secret@example.org/a.csv,b.csv"], "an address with a password"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_the_grid_is_said(expressions, said):
    with pytest.raises(ConfigError) as caught:
        parse_grid(expressions)
    assert said in str(caught.value)
    assert "secret" not in str(caught.value)


def test_all_faults_are_said_at_once():
    with pytest.raises(ConfigError) as caught:
        parse_grid(["seed=1,1", "a", "b=[1,2", "c=1,,2"])
    assert len(caught.value.faults) == 4


def test_every_fault_of_every_point_is_said_before_anything_is_written(linreg, config_file, tmp_path):
    config = config_file("data: {source: synthetic}\n")
    result = linreg(
        "sweep", "-c", config, "--set", "optimizer.lr=0.1,abc,-3", "--set", "optimizer.momentun=0,0.9", "--set",
        "train.batch_size=10,0",
    )  # fmt: skip
    assert result.code == 2
    assert "did you mean 'momentum'" in result.err
    for value in ("optimizer.lr=abc", "optimizer.lr=-3", "train.batch_size=0"):
        assert result.err.count(f"--set {value}:") == 1
    assert "optimizer.lr=0.1:" not in result.err
    assert not (tmp_path / "outputs").exists()


def test_rules_between_keys_hold_for_every_combination(linreg, config_file):
    """Nesterov needs momentum: of the four points two break the rule."""
    config = config_file("data: {source: synthetic}\n")
    result = linreg(
        "sweep", "-c", config, "--set", "optimizer.nesterov=false,true", "--set", "optimizer.momentum=0,0.9"
    )
    assert (result.code, result.err.count("error:")) == (2, 1)
    assert "nesterov" in result.err
