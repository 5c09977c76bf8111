"""Every key of the config: what the contract offers is accepted, documented and has its default."""

import typing
from typing import Any

import pytest

from linreg_cli.config import Config, load_config
from linreg_cli.config.schema import SECTIONS
from linreg_cli.errors import ConfigError

SYNTHETIC = ["data.source=synthetic"]
TABLE = ["data.path=a.csv", "data.target=y"]
INLINE = ["data.source=inline", "data.columns=[x, y]", "data.rows=[[1, 2], [2, 3]]"]


@pytest.fixture(scope="module")
def empty(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("schema") / "empty.yaml"
    path.write_text("data: {}\n")
    return str(path)


def faults(empty: str, *overrides: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_config([empty], overrides)
    return [fault.message for fault in caught.value.faults]


# The block of the contract, with one `data` section a source, since one file cannot hold all three.
CONTRACT = """
name: housing
seed: 0
data:
  <data>
  split: {train: 1.0, validation: 0.0, test: 0.0, shuffle: true}
preprocess:
  standardize: false
  standardize_target: false
  ddof: 0
  missing: error
  categorical: error
  unknown: error
  columns: {}
  target_transform: none
  missing_values: ["", "NA", "N/A", "NaN", "nan", "null", "?"]
model:
  bias: true
  init: {weight: {normal: [0.0, 0.01]}, bias: 0.0}
loss: mse
huber_delta: 1.0
optimizer:
  lr: 0.03
  momentum: 0.0
  dampening: 0.0
  weight_decay: 0.0
  nesterov: false
  schedule: {kind: constant}
train:
  epochs: 3
  batch_size: 10
  shuffle: true
  device: auto
  dtype: float32
  engine: auto
  early_stopping: null
  stop_gap: null
  checkpoint_every: null
evaluate: {cross_validation: null}
probe: []
gates: []
plots: true
"""

CONTRACT_DATA = {
    "table": """source: table
  path: houses.parquet
  sha256: null
  delimiter: null
  target: price
  features: null
  ignore: []""",
    "synthetic": """source: synthetic
  n_samples: 1000
  weights: [2.0, -3.4]
  bias: 4.2
  noise_std: 0.01
  features: null""",
    "inline": """source: inline
  columns: [x, y]
  rows: [[1, 3], [2, 5], [3, 7]]
  test_rows: [[4, 9]]""",
}


@pytest.mark.parametrize("source", CONTRACT_DATA)
def test_the_block_of_the_contract_loads_and_holds_the_defaults(tmp_path, source):
    data = CONTRACT_DATA[source]
    full, bare = tmp_path / "full.yaml", tmp_path / "bare.yaml"
    full.write_text(CONTRACT.replace("<data>", data))
    bare.write_text(f"name: housing\ndata:\n  {data}\n")
    assert load_config([str(full)]).config == load_config([str(bare)]).config


@pytest.mark.parametrize(
    "setting",
    [
        "train.early_stopping={monitor: train.loss, patience: 10, min_delta: 0.0}",
        "data.split={train: 0.5, validation: 0.25, test: 0.25}",
        "preprocess.standardize=true",
        "loss=sse", "loss=half_mse", "loss=mae", "loss=huber",
        "optimizer.schedule={kind: step, step_size: 10, gamma: 0.1}",
        "optimizer.schedule={kind: exponential, gamma: 0.9}",
        "optimizer.schedule={kind: cosine, T_max: 100, eta_min: 0}",
        "train.batch_size=full", "train.batch_size=1e3", "train.epochs=5.0",
        "train.device=cpu", "train.device=cuda", "train.device=cuda:1", "train.dtype=float64", "train.engine=reference",
        "train.checkpoint_every=5", "plots=false", "gates=[train.r2 >= 0.9]", "probe=[[1, 2]]",
        "model.init.weight={uniform: [0, 1]}", "model.init.weight=[1, 2]", "model.init.bias=3",
        "data.weights={a: 1, b: -2.5}",
        "data.features={a: {normal: [0, 1]}, b: {lognormal: [7.5, 0.4]}}",
        "data.features={a: {uniform: [0, 1]}, b: {integers: [1, 6]}}",
        "data.features={a: {linspace: [0, 100]}, b: {uniform: [1, 1]}}",
        "data.target=price",
    ],
)  # fmt: skip
def test_what_the_contract_offers_is_accepted(empty, setting):
    assert load_config([empty], [*SYNTHETIC, "train.epochs=20", setting]).notes == ()


@pytest.mark.parametrize(
    "setting",
    [
        "optimizer.lr=auto", "optimizer.momentum=auto", "train.stop_gap=1e-3",
        "data.path=https://example.org/a.csv",
    ],
)  # fmt: skip
def test_what_is_not_available_yet_is_refused_by_name_or_works(empty, setting):
    try:
        load_config([empty], [*(TABLE if "path" not in setting else ["data.target=y"]), setting])
    except ConfigError as error:
        [message] = [fault.message for fault in error.faults]
        assert message.startswith(setting.partition("=")[0] + ": ")
        assert "not available yet in linreg" in message or "sha256" in message


@pytest.mark.parametrize(
    "setting",
    [
        "preprocess.missing=drop", "preprocess.missing=mean", "preprocess.missing=median",
        "preprocess.categorical=one_hot", "preprocess.unknown=ignore", "preprocess.max_levels=1e3",
        "preprocess.columns={horsepower: {missing: median}, origin: {categorical: one_hot, missing: drop}}",
        "preprocess.columns={y: {missing: drop}}",
        "preprocess.target_transform=log", "preprocess.target_transform=log1p",
        "evaluate.cross_validation={folds: 5}", "probe=[[1, usa]]",
    ],
)  # fmt: skip
def test_what_the_contract_offers_for_tables_is_accepted(empty, setting):
    assert load_config([empty], [*TABLE, "preprocess.categorical=one_hot", setting]).notes == ()


@pytest.mark.parametrize("value", ["auto", "true", "false"])
def test_drop_first_is_auto_or_a_truth_value(empty, value):
    loaded = load_config([empty], [*TABLE, "preprocess.categorical=one_hot", f"preprocess.drop_first={value}"])
    assert str(loaded.config.preprocess.drop_first).lower() == value
    assert loaded.notes == ()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("preprocess.drop_first=first", "preprocess.drop_first: expected auto, true or false, found the text 'first'"),
        (
            "preprocess.columns={a: {mising: drop}}",
            "unknown key 'mising' in preprocess.columns.a; did you mean 'missing'?",
        ),
        ("preprocess.columns={a: drop}", "preprocess.columns.a: expected a mapping, found the text 'drop'"),
        (
            "preprocess.columns={y: {categorical: one_hot}}",
            "preprocess.columns.y.categorical: y is the target, which must be a number",
        ),
        (
            "preprocess.columns={y: {missing: mean}}",
            "preprocess.columns.y.missing: y is the target, which is not filled in; use error or drop",
        ),
        (
            "preprocess.columns={a: {categorical: one_hot, missing: mean}}",
            "preprocess.columns.a.missing: a category has no mean; use level, drop or error",
        ),
        ("evaluate.cross_validation={}", "evaluate.cross_validation.folds is required"),
    ],
)
def test_exceptions_that_make_no_sense(empty, setting, message):
    assert faults(empty, *TABLE, setting) == [message]


def test_exceptions_by_column_are_for_tables(empty):
    [message] = faults(empty, *SYNTHETIC, "preprocess.columns={x1: {missing: drop}}")
    assert message == (
        "preprocess.columns: settings of single columns are for tables; the rows of source: synthetic are numbers"
    )


def test_drop_first_without_a_category_is_noted(empty):
    [note] = load_config([empty], [*TABLE, "preprocess.drop_first=true"]).notes
    assert note.message == "preprocess.drop_first has no effect: no column is categorical"


def test_every_field_has_a_description_that_ends_in_a_full_stop():
    undescribed = [
        ".".join((*path, name))
        for path, section in SECTIONS.items()
        for name, field in section.model_fields.items()
        if not (field.description or "").rstrip(":`0123456789").endswith((".", ")", "..."))
        and "`" not in (field.description or "")
    ]
    assert undescribed == []


def test_a_config_cannot_be_changed(empty):
    config = load_config([empty], SYNTHETIC).config
    with pytest.raises(ValueError, match="frozen"):
        config.seed = 3  # type: ignore[misc]


def test_a_probe_of_one_feature_may_be_a_bare_number(empty):
    assert load_config([empty], [*SYNTHETIC, "data.weights=[2]", "probe=[4, [5]]"]).config.probe == ((4,), (5,))


def test_the_sections_are_all_listed():
    """SECTIONS drives the suggestions and the manual; a section that is missing there would have neither."""
    reached, todo = set(), [Config]
    while todo:
        section = todo.pop()
        reached.add(section)
        for field in section.model_fields.values():
            todo += [item for item in _classes(field.annotation) if item not in reached]
    assert reached == set(SECTIONS.values())


def _classes(annotation: Any) -> list[type]:
    if isinstance(annotation, type) and hasattr(annotation, "model_fields"):
        return [annotation]
    return [found for part in typing.get_args(annotation) for found in _classes(part)]
