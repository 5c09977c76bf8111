"""Settings that contradict each other are refused, all at once; one without effect is noted."""

import pytest
import test_config_schema
from test_config_schema import INLINE, SYNTHETIC, TABLE, faults

from linreg_cli.config import load_config

# Fixtures of test_config_schema.py: pytest finds them by their names in this module.
empty = test_config_schema.empty


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        (["data.split={train: 0.5}"], "the fractions must add up to 1; train 0.5 + validation 0 + test 0 = 0.5"),
        (["train.early_stopping={}"], "monitors validation.loss, and there is no validation split"),
        (["data.split={column: fold}"], "data.split.column: only a table has such a column"),
        (["evaluate.cluster=x1"], "evaluate.cluster: only a table has such a column, and the source is synthetic"),
        (["evaluate.covariance=cluster"], "evaluate.covariance: covariance: cluster needs the column of the clusters"),
        (["data.features={a: {normal: [0, 1]}}"], "data.weights: 2 weights for 1 feature (a)"),
        (["data.features={a: {normal: [0, 1]}}", "data.weights={b: 1}"], "no weight for a, no feature b"),
        (["data.features={}"], "data.features: the mapping is empty; it needs at least one column"),
        (["data.target=x1"], "data.target: x1 is also a feature; rename one of them"),
        (["data.features={a: {normal: [0, -1]}, b: {normal: [0, 1]}}"], "needs std at least 0, found [0, -1]"),
        (["data.features={a: {uniform: [2, 1]}, b: {normal: [0, 1]}}"], "needs low at most high, found [2, 1]"),
        (["data.features={a: {integers: [0, 1.5]}, b: {normal: [0, 1]}}"], "needs whole numbers"),
        ([*TABLE, "data.source=table", "data.split={column: fold, train: 0.5}"],
         "data.split: split.column replaces the fractions; remove train"),
        ([*TABLE, "data.source=table", "data.split={column: fold, by: hash}"],
         "data.split: split.column replaces the fractions; remove by"),
        (["data.split={by: hash, shuffle: false, train: 0.5, test: 0.5}"],
         "data.split.by: hash assigns rows at random, and shuffle: false asks for the order of the table"),
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
        (["data.source=excel"], "data.source: unknown value 'excel'; allowed: table, synthetic, inline, frame"),
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
    assert [found.message for found in notes] == [note]


@pytest.mark.parametrize(("stream", "count"), [("false", 1), ("auto", 0), ("true", 0)])
def test_a_limit_of_memory_that_decides_nothing_is_noted(empty, stream, count):
    table = ["data.path=t.csv", "data.target=y", "data.memory_limit=1GiB", f"data.stream={stream}"]
    notes = load_config([empty], table).notes
    assert sum("data.memory_limit has no effect with data.stream: false" in found.message for found in notes) == count


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
