"""Every key of the config: accepted as documented, refused otherwise, and the same after a round trip."""

import math
import re
import typing
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from linreg_cli.config import Config, dump_config, load_config
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
        "train.checkpoint_every=5", "plots=false", "gates=[test.r2 >= 0.9]", "probe=[[1, 2]]",
        "model.init.weight={uniform: [0, 1]}", "model.init.weight=[1, 2]", "model.init.bias=3",
        "data.weights={a: 1, b: -2.5}",
        "data.features={a: {normal: [0, 1]}, b: {lognormal: [7.5, 0.4]}}",
        "data.features={a: {uniform: [0, 1]}, b: {integers: [1, 6]}}",
        "data.features={a: {linspace: [0, 100]}, b: {uniform: [1, 1]}}",
        "data.target=price",
    ],
)  # fmt: skip
def test_what_the_contract_offers_is_accepted(empty, setting):
    assert load_config([empty], [*SYNTHETIC, setting]).notes == ()


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
    assert load_config([empty], [*TABLE, setting]).notes == ()


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
            "preprocess.columns.a.missing: a category has no mean; use error or drop",
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
    assert note == "preprocess.drop_first has no effect: no column is categorical"


def test_every_field_has_a_description_that_ends_in_a_full_stop():
    undescribed = [
        ".".join((*path, name))
        for path, section in SECTIONS.items()
        for name, field in section.model_fields.items()
        if not (field.description or "").rstrip(":`0123456789").endswith((".", ")", "..."))
        and "`" not in (field.description or "")
    ]
    assert undescribed == []


# One representative a kind of field: (settings it needs, key).
FIELDS = {
    "whole number": ["seed", "data.n_samples", "train.epochs", "train.checkpoint_every"],
    "number": [
        "data.bias", "data.noise_std", "huber_delta", "optimizer.lr", "optimizer.momentum", "optimizer.dampening",
        "optimizer.weight_decay", "data.split.train", "data.split.validation", "data.split.test", "train.batch_size",
        "model.init.weight", "model.init.bias",
    ],
    "boolean": ["plots", "train.shuffle", "model.bias", "preprocess.standardize", "optimizer.nesterov",
                "data.split.shuffle", "preprocess.standardize_target"],
    "text": ["name", "data.target"],
    "choice": ["loss", "train.dtype", "train.device", "train.engine", "preprocess.missing", "preprocess.ddof"],
}  # fmt: skip
WRONG = {
    "whole number": ["true", "null", "'5'", "5.5", "no", "[1]", "{a: 1}", "2014-10-13", "1_000", ".inf", ".nan"],
    "number": ["true", "null", "'5'", "no", "{a: 1}", "2014-10-13", "1_000", ".inf", ".nan", "[x]"],
    "boolean": ["1", "0", "null", "'true'", "no", "yes", "on", "[true]", "{a: 1}", "1e-3"],
    "text": ["true", "null", "5", "5.0", "1e-3", "[1]", "{a: 1}"],
    "choice": ["true", "null", "7", "nonsense", "[mse]", "{a: 1}", "'0'", "1e-3"],
}


@pytest.mark.parametrize(
    ("key", "wrong"),
    [
        (key, wrong)
        for kind, keys in FIELDS.items()
        for key in keys
        for wrong in WRONG[kind]
        if (key, wrong) != ("train.checkpoint_every", "null")  # null means never
    ],
)
def test_a_value_of_another_type_is_refused_and_shown_as_it_was_written(empty, key, wrong):
    [message] = faults(empty, *SYNTHETIC, f"{key}={wrong}")
    assert message.startswith(key)
    assert re.search(r"found |unknown value |is not available|expected a list of finite", message), message
    if wrong == "'5'" and key not in ("model.init.weight", "model.init.bias"):
        assert message.endswith("found the text '5'; remove the quotes")


@pytest.mark.parametrize("text", ["yes", "no", "on", "off"])
def test_the_booleans_of_old_yaml_are_explained(empty, text):
    meant = "true" if text in ("yes", "on") else "false"
    assert faults(empty, *SYNTHETIC, f"plots={text}") == [
        f"plots: expected true or false, found the text '{text}'; write {meant}"
    ]


NUMBERS = ["0", "-1", ".nan", ".inf", "-.inf", "1e400", "1e-400", "-0.0"]
RANGES = {
    "seed": {"0", "-0.0", "1e-400"}, "data.n_samples": set(), "train.epochs": set(), "train.batch_size": set(),
    "train.checkpoint_every": set(), "data.bias": {"0", "-1", "1e-400", "-0.0"},
    "data.noise_std": {"0", "1e-400", "-0.0"}, "huber_delta": set(), "optimizer.lr": set(),
    "optimizer.momentum": {"0", "1e-400", "-0.0"}, "optimizer.dampening": {"0", "1e-400", "-0.0"},
    "optimizer.weight_decay": {"0", "1e-400", "-0.0"},
    "data.split.validation": {"0", "1e-400", "-0.0"}, "data.split.test": {"0", "1e-400", "-0.0"},
    "data.split.train": set(), "model.init.weight": {"0", "-1", "1e-400", "-0.0"},
    "train.early_stopping.patience": set(), "train.early_stopping.min_delta": {"0", "1e-400", "-0.0"},
    "optimizer.schedule.step_size": set(), "optimizer.schedule.gamma": set(),
}  # fmt: skip


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("key", RANGES)
def test_zero_negative_infinite_and_huge_numbers_are_accepted_only_where_they_mean_something(empty, key, number):
    needed = [*SYNTHETIC]
    if "early_stopping" in key:
        needed.append("train.early_stopping.monitor=train.loss")
    if "schedule" in key:
        needed += ["optimizer.schedule.kind=step", "optimizer.schedule.step_size=1"]
    if number in RANGES[key]:
        load_config([empty], [*needed, f"{key}={number}"])
        return
    [message] = faults(empty, *needed, f"{key}={number}")
    assert message.startswith(key)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("seed=9223372036854775808", "seed must be below 9.223372036854776e+18, found 9223372036854775808"),
        ("optimizer.momentum=1", "optimizer.momentum must be below 1, found 1"),
        ("optimizer.dampening=1.5", "optimizer.dampening must be at most 1, found 1.5"),
        ("train.epochs=0", "train.epochs must be at least 1, found 0"),
        ("optimizer.lr=-0.5", "optimizer.lr must be above 0, found -0.5"),
        ("name=" + "a" * 101, f"name must be at most 100 characters long, found the text '{'a' * 40}'"),
    ],
)
def test_a_range_error_says_the_limit_and_the_value(empty, setting, message):
    assert faults(empty, *SYNTHETIC, setting) == [message]


@pytest.mark.parametrize("name", ["..", "a/b", "a\\b", "a:b", "-a", ".hidden", "a b", "", "é", "a\nb", "C:x"])
def test_a_name_that_could_leave_the_folder_is_refused(empty, name):
    import json

    [message] = faults(empty, *SYNTHETIC, f"name={json.dumps(name)}")
    assert message.startswith("name: expected letters, digits")


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        (["data.split={train: 0.5}"], "the fractions must add up to 1; train 0.5 + validation 0 + test 0 = 0.5"),
        (["train.early_stopping={}"], "monitors validation.loss, and there is no validation split"),
        (["data.split={column: fold}"], "data.split.column: only a table has such a column"),
        (["data.features={a: {normal: [0, 1]}}"], "data.weights: 2 weights for 1 feature (a)"),
        (["data.features={a: {normal: [0, 1]}}", "data.weights={b: 1}"], "no weight for a, no feature b"),
        (["data.features={}"], "data.features: the mapping is empty; it needs at least one column"),
        (["data.target=x1"], "data.target: x1 is also a feature; rename one of them"),
        (["data.features={a: {normal: [0, -1]}, b: {normal: [0, 1]}}"], "needs std at least 0, found [0, -1]"),
        (["data.features={a: {uniform: [2, 1]}, b: {normal: [0, 1]}}"], "needs low at most high, found [2, 1]"),
        (["data.features={a: {integers: [0, 1.5]}, b: {normal: [0, 1]}}"], "needs whole numbers"),
        ([*TABLE, "data.source=table", "data.split={column: fold, train: 0.5}"],
         "data.split: split.column replaces the fractions"),
        (["data.features={a: {gauss: [0, 1]}, b: {normal: [0, 1]}}"], "found {gauss}"),
        (["data.features={a: {normal: [0]}, b: {normal: [0, 1]}}"], "normal takes two finite numbers, [mean, std]"),
        (["model.init.weight={normal: [0, .inf]}"], "normal takes two finite numbers, [mean, std]"),
        (["model.init.weight={linspace: [0, 1]}"], "found {linspace}"),
        (["model.bias=false", "model.init.bias=1"], "the model has no bias to initialise: model.bias is false"),
        (["optimizer.nesterov=true"], "Nesterov momentum needs momentum above 0 and dampening 0"),
        (["gates=[test.r2]"], "gates.0: 'test.r2' is not METRIC OPERATOR NUMBER"),
        (["gates=[test.r2 >= high]"], "is not METRIC OPERATOR NUMBER"),
        (["data.weights=[]"], "data.weights: expected a list of numbers, or a mapping"),
        (["data.weights=[1, true]"], "data.weights: expected a list of numbers, or a mapping"),
        (["optimizer.schedule={kind: step}"], "optimizer.schedule.step_size is required"),
        (["optimizer.schedule={kind: linear}"], "optimizer.schedule.kind: unknown value 'linear'"),
        (["data.source=excel"], "data.source: unknown value 'excel'; allowed: table, synthetic, inline"),
    ],
)  # fmt: skip
def test_settings_that_contradict_each_other_are_refused(empty, settings_, message):
    [found] = faults(empty, *SYNTHETIC, *settings_)
    assert message in found


@pytest.mark.parametrize(
    ("settings_", "messages"),
    [
        (["data.rows=[[1, 2], [3]]"], ["data.rows.1: 1 value for 2 columns (x, y)"]),
        (["data.rows=[]"], ["data.rows needs at least 1 entry, found an empty list"]),
        (["data.rows=[[1, a], [b, 2]]"], ["data.rows.0.1: expected a number, found the text 'a'",
                                          "data.rows.1.0: expected a number, found the text 'b'"]),
        (["data.columns=[x, x]"], ["data.columns: named more than once: x"]),
        (["data.columns=x"], ["data.columns: expected a list of column names; write [x]"]),
        (["data.test_rows=[[1, 2]]", "data.split={train: 0.5, test: 0.5}"],
         ["data.split.test: test_rows are the test split; set data.split.test to 0"]),
    ],
)  # fmt: skip
def test_inline_rows_must_fit_their_columns(empty, settings_, messages):
    assert faults(empty, *INLINE, *settings_) == messages


def test_several_contradictions_are_reported_together(empty):
    found = faults(empty, *SYNTHETIC, "optimizer.nesterov=true", "data.split={train: 0.5}", "gates=[a]")
    assert len(found) == 3


@pytest.mark.parametrize(
    ("setting", "note"),
    [
        ("huber_delta=2", "huber_delta: 2 has no effect with loss: mse"),
        ("optimizer.dampening=0.5", "optimizer.dampening has no effect without momentum"),
        ("preprocess.ddof=1", "preprocess.ddof has no effect: nothing is standardised"),
    ],
)
def test_a_setting_without_effect_is_noted(empty, setting, note):
    notes = load_config([empty], [*SYNTHETIC, setting]).notes
    assert notes == (note,)


def test_a_config_cannot_be_changed(empty):
    config = load_config([empty], SYNTHETIC).config
    with pytest.raises(ValueError, match="frozen"):
        config.seed = 3  # type: ignore[misc]


def test_a_probe_of_one_feature_may_be_a_bare_number(empty):
    assert load_config([empty], [*SYNTHETIC, "data.weights=[2]", "probe=[4, [5]]"]).config.probe == ((4,), (5,))


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("probe=[[1, 2], [3]]", "probe.1: 1 value for 2 features (x1, x2)"),
        ("model.init.weight=[1, 2, 3]", "model.init.weight: 3 values for 2 parameters"),
        ("model.init.bias=[1, 2]", "model.init.bias: 2 values for 1 parameter"),
    ],
)
def test_lists_that_do_not_fit_the_features_are_refused_before_any_run(empty, setting, message):
    assert faults(empty, *SYNTHETIC, setting) == [message]


# --- round trip

AWKWARD = [
    "1e3", "0o17", "0x1F", "no", "yes", "on", "2014", "2014-10-13", "null", "~", "true", "1_000", ".inf", ".nan",
    "08", "09.5", "+1", "1.", ".5", "=", "<<", "- a", "a: b", "a #b", "#a", "'", '"', "&a", "*a", "!a", "%a", "@a",
    "`a", "|", ">", "?", "[a]", "{a}", ",", " a", "a ", "\t", "\n", "a\nb", "\u2028", "\x85", "é", "🏠", "\ufeff",
    "\x00", "\x1b[31m", "12:30:45", "0b11", "1e", "-", "--- a", "...",
]  # fmt: skip
_texts = st.one_of(st.sampled_from(AWKWARD), st.text(st.characters(codec="utf-8"), min_size=1, max_size=12))
_finite = st.floats(allow_nan=False, allow_infinity=False)
_positive = st.floats(min_value=0, exclude_min=True, allow_infinity=False)


def _pair(kind: str, low: float, high: float) -> dict[str, list[float]]:
    return {kind: [low, high] if kind in ("linspace",) else sorted([abs(low), abs(high)])}


_distributions = st.builds(
    _pair, st.sampled_from(["normal", "uniform", "linspace", "lognormal"]), st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)
)


@st.composite
def configs(draw) -> dict[str, Any]:
    names = draw(st.lists(_texts, min_size=2, max_size=4, unique=True))
    width = len(names) - 1
    data: dict[str, Any] = draw(
        st.sampled_from(
            [
                {"source": "table", "path": names[0], "target": names[0], "features": names[1:], "ignore": []},
                {"source": "table", "path": names[1], "target": names, "ignore": names, "split": {"column": names[0]}},
                {"source": "inline", "columns": names, "rows": [[draw(_finite) for _ in names]], "target": names[0]},
                {"source": "synthetic", "target": names[0], "bias": draw(_finite),
                 "weights": {name: draw(_finite) for name in names[1:]},
                 "features": {name: draw(_distributions) for name in names[1:]}},
            ]
        )
    )  # fmt: skip
    if data["path" if "path" in data else "source"].startswith("http"):
        data["path"] = "a.csv"
    return {
        "name": draw(st.sampled_from(["a", "2014", "1e3", "0o17", "no", "1_000", "null"])),
        "seed": draw(st.integers(0, 2**63 - 1)),
        "data": data,
        "preprocess": {"missing_values": draw(st.lists(_texts, max_size=3))},
        "model": {"init": {"weight": draw(st.one_of(_finite, st.lists(_finite, min_size=width, max_size=width)))}},
        "optimizer": {
            "lr": draw(_positive),
            "schedule": draw(st.sampled_from([{"kind": "step", "step_size": 3}, {"kind": "cosine", "T_max": 7}])),
        },
        "train": {"batch_size": draw(st.one_of(st.just("full"), st.integers(1, 10**12)))},
        "probe": draw(st.lists(st.lists(_finite, min_size=width, max_size=width), max_size=3)),
        "gates": ["test.r2 >= 0.9"],
    }


@settings(max_examples=150, deadline=None)
@given(configs())
def test_a_resolved_config_loads_as_the_same_config(tmp_path_factory, values):
    config = Config.model_validate(_tuples(values))
    path = tmp_path_factory.getbasetemp() / "resolved.yaml"
    text = dump_config(config)
    path.write_text(text, encoding="utf-8")
    loaded = load_config([str(path)]).config
    assert loaded == config
    assert dump_config(loaded) == text


def _tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _tuples(item) for key, item in value.items()}
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value


@pytest.mark.parametrize("text", [text for text in AWKWARD if text not in ("\x00", "\x1b[31m")])
def test_other_readers_of_yaml_see_the_same_text(text):
    data = {"source": "table", "path": text, "target": text, "split": {"column": text}}
    dumped = dump_config(Config.model_validate({"data": data}))
    read = yaml.safe_load(dumped)["data"]
    assert (read["path"], read["target"], read["split"]["column"]) == (text, text, text)


def test_a_resolved_config_writes_every_key(empty):
    dumped = yaml.safe_load(dump_config(load_config([empty], SYNTHETIC).config))
    assert set(dumped) == set(Config.model_fields)
    for path, section in SECTIONS.items():
        if len(path) == 1:
            assert set(dumped[path[0]]) == set(section.model_fields)


def test_numbers_come_back_exactly(empty):
    for value in (0.1, 1e-300, 5e-324, 1.7976931348623157e308, -0.0, 1 / 3):
        config = load_config([empty], [*SYNTHETIC, f"data.bias={value!r}"]).config
        found = yaml.safe_load(dump_config(config))["data"]["bias"]
        assert (found, math.copysign(1, found)) == (value, math.copysign(1, value))


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
