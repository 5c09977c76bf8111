"""All faults at once: a rule between keys is checked although other keys are at fault, and says nothing untrue."""

import pytest

from linreg_cli.config import load_config
from linreg_cli.config.partial import FAULTY, STAND_INS, FaultyError
from linreg_cli.config.schema import SECTIONS
from linreg_cli.errors import ConfigError

NESTEROV = "optimizer.nesterov: Nesterov momentum needs momentum above 0 and dampening 0"
FRACTIONS = "data.split: the fractions must add up to 1; train 0.5 + validation 0 + test 0 = 0.5"


@pytest.fixture
def faults(tmp_path):
    def call(*layers: str, overrides=(), names=("a.yaml", "b.yaml")) -> list[str]:
        for name, text in zip(names, layers, strict=False):
            (tmp_path / name).write_text(text)
        with pytest.raises(ConfigError) as caught:
            load_config([str(tmp_path / name) for name in names[: len(layers)]], overrides)
        return [str(fault).replace(f"{tmp_path}/", "") for fault in caught.value.faults]

    return call


def test_faults_of_keys_and_of_rules_between_them_are_told_together(faults):
    text = """
seeed: 3
data: {source: synthetic, n_samples: -5, split: {train: 0.5}}
optimizer: {lr: fast, nesterov: true}
train: {epochs: 0, early_stopping: {monitor: validation.loss}}
probe: [[1, 2, 3]]
gates: [train.R2 > 0, test.r2]
"""
    found = faults(text)
    places = [each.split(": ")[0] for each in found]
    assert all(place.startswith("a.yaml:") for place in places)
    assert [place.split(":")[1] for place in places] == ["2", "3", "4", "5", "3", "5", "4", "6", "7", "7"]
    for said in (
        "unknown key 'seeed'; did you mean 'seed'?",
        "data.n_samples must be at least 1, found -5",
        "optimizer.lr: expected a number or auto, found the text 'fast'",
        "train.epochs must be at least 1, found 0",
        FRACTIONS,
        "early_stopping monitors validation.loss, and there is no validation split",
        NESTEROV,
        "probe.0: 3 values for 2 features (x1, x2)",
        "gates.0: there is no metric train.R2; did you mean train.r2?",
        "gates.1: 'test.r2' is not METRIC OPERATOR NUMBER",
    ):
        assert any(said in each for each in found), said


def test_so_are_those_of_several_files_and_overrides(faults):
    first = "data: {source: synthetic, split: {train: 0.5}}\ntrain: {epochs: many}\n"
    second = "optimizer: {nesterov: true}\nloss: mce\n"
    found = faults(first, second, overrides=["model.bias=false", "model.init.bias=2", "huber_delta=-1"])
    assert len(found) == 6
    for place, said in (
        ("a.yaml:2:", "train.epochs"),
        ("b.yaml:2:", "loss: unknown value 'mce'"),
        ("--set huber_delta=-1", "huber_delta must be above 0"),
        ("a.yaml:1:", FRACTIONS),
        ("b.yaml:1:", NESTEROV),
        ("--set model.init.bias=2", "the model has no bias to initialise"),
    ):
        assert any(each.startswith(place) and said in each for each in found), said


def test_an_override_that_cannot_be_read_hides_no_other_fault(faults):
    text = "data: {source: synthetic, split: {train: 0.5}}\ntrain: {epochs: 0}\noptimizer: {nesterov: true}\n"
    found = faults(text, overrides=["seed=[1", "lr"])
    assert len(found) == 5
    assert {each.split(": ")[0] for each in found} >= {"--set seed=[1", "--set lr", "a.yaml:2:17"}
    # With this one, Nesterov momentum may have had its momentum.
    found = faults(text, overrides=["optimizer.momentum=[0.9"])
    assert not any("Nesterov" in each for each in found)
    assert any("the fractions must add up to 1" in each for each in found)


def test_a_file_that_cannot_be_read_may_hold_what_is_missing(faults):
    found = faults("train: {epochs: 0}\n", "data: [\n")
    assert [each.split(":")[0] for each in found] == ["b.yaml", "a.yaml"]
    assert not any("required" in each for each in found)


@pytest.mark.parametrize(
    ("text", "untrue"),
    [
        ("optimizer: {momentum: high, nesterov: true}", "Nesterov"),
        ("optimizer: {momentun: 0.9, nesterov: true}", "Nesterov"),
        ("model: {bias: maybe, init: {bias: 1.0}}", "no bias to initialise"),
        ("data: {source: synthetic, split: {train: x, test: 0.2}}", "add up to 1"),
        ("data: {source: inline, columns: 5, rows: [[1, 2], [1]]}", "value"),
        ("data: {source: inline, rows: [[1, 2], [1]]}", "values for"),
        ("data: {source: synthetik, split: {train: 0.2}}\nprobe: [[1]]", "value for"),
        ("data: {source: inline, columns: [x, y], rows: [[1, 2], a]}\ngates: [test.r2 > 0]", "values for"),
        ("data: {source: synthetic, split: {test: 3}}\ngates: [test.r2 > 0]", "does not exist"),
        ("evaluate: {cross_validation: {fold: 3}}\ngates: [cross_validation.rmse.mean > 0]", "does not exist"),
        ("data: {source: table, path: t.csv, target: [y, 3]}\ngates: [parameters.bias > 0]", "does not exist"),
    ],
)
def test_a_rule_says_nothing_of_values_that_are_at_fault_themselves(faults, text, untrue):
    found = faults(text if "data:" in text else f"data: {{source: synthetic}}\n{text}")
    assert found
    assert not any(untrue in each for each in found if "expected" not in each), found


@pytest.mark.parametrize("value", ["", "3", "[]", "{}", "a", "[1]", "{a: 1}", "1.5", "[[1]]", "null"])
@pytest.mark.parametrize(
    "key",
    [
        "data", "data.path", "data.target", "data.split", "data.split.train", "data.decimal", "data.delimiter",
        "data.features", "preprocess.columns", "preprocess.target_estimate", "model.init", "optimizer.momentum",
        "optimizer.schedule", "train.early_stopping", "evaluate.cross_validation", "probe", "gates", "name",
    ],
)  # fmt: skip
def test_any_value_at_any_place_is_a_config_or_its_faults(tmp_path, key, value):
    (tmp_path / "c.yaml").write_text("data: {path: t.csv, target: y}\noptimizer: {nesterov: true}\n")
    with pytest.raises(ConfigError):  # of Nesterov's momentum at least, or of the value
        load_config([str(tmp_path / "c.yaml")], [f"{key}={value}"])


def test_every_required_key_has_a_stand_in():
    required = {
        name for section in SECTIONS.values() for name, field in section.model_fields.items() if field.is_required()
    }
    assert required == set(STAND_INS)


@pytest.mark.parametrize(
    "use",
    [
        lambda value: value.train,
        lambda value: value == 1,
        lambda value: value < 1,
        lambda value: not value,
        lambda value: list(value),
        lambda value: len(value),
        lambda value: [0.0] * value,
        lambda value: 1 - value,
        lambda value: f"{value:g}",
        lambda value: {value: 1},
        lambda value: "x" in value,
    ],
)
def test_every_use_of_a_faulty_value_is_noticed(use):
    with pytest.raises(FaultyError):
        use(FAULTY)
