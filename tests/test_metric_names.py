"""The names that gates may have are those that runs have: no more, no less."""

import json
import random

import pytest

from linreg_cli.config import load_config
from linreg_cli.config.metric_names import impossible_gate, metric_names
from linreg_cli.errors import ConfigError
from linreg_cli.metric_paths import names_in, written

ROWS = "rows: [[1, 2, 3.5], [2, 1, 5], [3, 4, 8], [4, 2, 9], [5, 5, 12.5], [6, 3, 13], [7, 1, 14.5], [8, 6, 18]]"
INLINE = f"data: {{source: inline, columns: [x, z, y], {ROWS}}}\n"
CASES = {
    "plain": INLINE,
    "without a bias": INLINE + "model: {bias: false}\n",
    "every split": INLINE.replace("rows:", "split: {train: 0.5, validation: 0.25, test: 0.25}, rows:"),
    "test rows": INLINE.replace("rows:", "test_rows: [[1, 1, 1], [2, 2, 2]], rows:"),
    "two targets": INLINE.replace("rows:", "target: [y, z], rows:") + "probe: [[3]]\n",
    "cross-validation": INLINE + "evaluate: {cross_validation: {folds: 4}}\nprobe: [[1, 2], [3, 4]]\n",
    "weight decay": INLINE + "optimizer: {lr: auto, weight_decay: 0.1}\n",
    "absolute errors": INLINE + "loss: mae\n",
    "huber": INLINE + "loss: huber\nmodel: {bias: false}\n",
    "log": INLINE + "preprocess: {target_transform: log}\n",
    "dependent": INLINE.replace("columns: [x, z, y]", "columns: [z, y], target: y, ignore: []").replace(
        ROWS, "rows: [[1, 2], [1, 3], [1, 4]]"
    ),
}
NO_TEST = "the config has no test split; set data.split.test or data.test_rows"
EXACT = "optimizer: {lr: auto, momentum: auto}\ntrain: {epochs: 300, batch_size: full, dtype: float64}\nplots: false\n"


def trained(linreg, tmp_path, text: str) -> tuple[dict, dict]:
    """The metrics of a run, and the names that its config has."""
    exact = EXACT if "optimizer" not in text and "loss" not in text else EXACT.split("\n", 1)[1]
    (tmp_path / "c.yaml").write_text(text + exact)
    assert linreg("train", "-c", "c.yaml").code == 0
    metrics = json.loads((tmp_path / "outputs" / "c-0001" / "metrics.json").read_text())
    loaded = load_config([str(tmp_path / "c.yaml")]).config
    return {**metrics, "seconds": 1.0}, metric_names(loaded, list(_one(metrics["parameters"]["weights"])))


def _one(weights: dict) -> dict:
    first = next(iter(weights.values()))
    return first if isinstance(first, dict) else weights


@pytest.mark.parametrize("text", CASES.values(), ids=CASES)
def test_every_number_of_a_run_may_be_named_and_no_misspelling_of_it(linreg, tmp_path, text):
    metrics, names = trained(linreg, tmp_path, text)
    paths = [steps for steps, _ in names_in(metrics)]
    assert len(paths) > 12
    rng = random.Random(0)
    for steps in paths:
        assert impossible_gate(f"{written(steps)} > 0", names) is None, steps
        at = rng.randrange(len(steps))
        wrong = [step + "q" if position == at else step for position, step in enumerate(steps)]
        why = impossible_gate(f"{written(wrong)} > 0", names)
        assert why is not None, wrong


@pytest.mark.parametrize("text", CASES.values(), ids=CASES)
def test_every_name_is_in_a_run_unless_its_value_is_undefined(linreg, tmp_path, text):
    """Names that no run has would let a gate through that fails only after training."""
    metrics, names = trained(linreg, tmp_path, text)
    there = {steps for steps, _ in names_in(metrics)}
    for steps, why in names_in(names):
        if why is None and steps not in there and steps[0] != "warnings":
            value = metrics
            for step in steps:
                value = value[int(step) if isinstance(value, list) else step] if value is not None else None
                if value is None or (isinstance(value, dict) and "refused" in value):
                    break  # null with its reason
            else:
                pytest.fail(f"{steps}: {value}")


@pytest.mark.parametrize(
    ("gate", "text", "why"),
    [
        ("train.R2 > 0.5", "", "there is no metric train.R2; did you mean train.r2?"),
        ("tset.r2 > 0.5", "", f"there is no metric tset.r2; did you mean test.r2? It does not exist: {NO_TEST}"),
        ("test.r2 > 0.5", "", f"test.r2 does not exist: {NO_TEST}"),
        ("probe.0.after > 0", "", "probe.0.after does not exist: the config has no probe; set probe"),
        (
            "parameters.weights.xx > 0",
            "",
            "there is no metric parameters.weights.xx; did you mean parameters.weights.x?",
        ),
        (
            "parameters.bias > 0",
            "model: {bias: false}",
            "parameters.bias does not exist: the config has no bias; set model.bias: true",
        ),
        ("inference.r2 > 0", "loss: mae", "inference.r2 does not exist: inference is refused for loss: mae; set loss"),
        ("optimum.rank > 1", "loss: mae", "optimum.rank does not exist: loss: mae is not squared"),
        ("warnings.loss_rise == 0", "", "there is no metric warnings.loss_rise; did you mean warnings.loss_rose?"),
        (
            "cross_validation.rmse.mean < 2",
            "",
            "cross_validation.rmse.mean does not exist: the config has no cross-validation; set "
            "evaluate.cross_validation: {folds: 5}",
        ),
        ("train > 0", "", "train is a group of metrics; there is train.units, "),
        ("train.units == 0", "", "train.units is text and not a number"),
    ],
)
def test_a_gate_that_can_never_be_is_an_error_everywhere_before_training(linreg, tmp_path, gate, text, why):
    (tmp_path / "c.yaml").write_text(f"{INLINE}{text}\nplots: false\ngates: ['{gate}']\n")
    for command in (["validate", "c.yaml"], ["train", "-c", "c.yaml", "--dry-run"], ["train", "-c", "c.yaml"]):
        result = linreg(*command)
        assert result.code == 2
        assert result.err.startswith("error: c.yaml:4:")
        assert f"gates.0: {why}" in result.err
    result = linreg("train", "-c", "c.yaml", "--set", "gates=[]", "--fail-if", gate)
    assert (result.code, result.err.startswith(f"error: --fail-if: {why}")) == (2, True)
    assert not (tmp_path / "outputs").exists()


def test_what_only_the_table_knows_is_checked_once_it_is_read(linreg, tmp_path):
    (tmp_path / "t.csv").write_text("size,city,price\n1,Bonn,3\n2,Bonn,5\n3,New York,8\n4,New York,9\n")
    text = "data: {path: t.csv, target: price}\npreprocess: {categorical: one_hot}\nplots: false\n"
    (tmp_path / "c.yaml").write_text(text)
    good = 'parameters.weights."city=New York" > -1e9'
    bad = 'parameters.weights."city=Bonn" > 0'  # the reference level
    assert linreg("validate", "c.yaml").code == 0
    (tmp_path / "c.yaml").write_text(text + f"gates: ['{good}', '{bad}']\n")
    assert linreg("validate", "c.yaml").code == 0
    for extra in ([], ["--dry-run"]):
        result = linreg("train", "-c", "c.yaml", *extra)
        assert result.code == 2
        assert result.err.startswith("error: c.yaml:4:")
        assert 'gates.1: there is no metric parameters.weights."city=Bonn"; did you mean' in result.err
        assert not (tmp_path / "outputs").exists()
    assert linreg("train", "-c", "c.yaml", "--set", f"gates=['{good}']").code == 0


def test_a_split_by_a_column_may_lack_a_part(linreg, tmp_path):
    (tmp_path / "t.csv").write_text("x,y,part\n1,3,train\n2,5,train\n3,8,train\n4,9,test\n")
    text = "data: {path: t.csv, target: y, split: {column: part}}\nplots: false\n"
    (tmp_path / "c.yaml").write_text(text)
    assert linreg("train", "-c", "c.yaml", "--fail-if", "test.mae < 0").code == 0
    result = linreg("train", "-c", "c.yaml", "--fail-if", "validation.mae < 0")
    assert (result.code, "validation.mae does not exist: the validation split has no rows" in result.err) == (2, True)


def test_the_config_of_a_run_may_have_gates_of_another_version(tmp_path):
    (tmp_path / "config.yaml").write_text(f"{INLINE}gates: [train.accuracy > 0]\n")
    path = [str(tmp_path / "config.yaml")]
    assert load_config(path, stored=True).config.gates == ("train.accuracy > 0",)
    with pytest.raises(ConfigError):
        load_config(path)
