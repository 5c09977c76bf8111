"""A value of another type, out of range or without meaning is refused, and shown as it was written."""

import re

import pytest
import test_config_schema
from test_config_schema import SYNTHETIC, faults

from linreg_cli.config import load_config

# Fixtures of test_config_schema.py: pytest finds them by their names in this module.
empty = test_config_schema.empty

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


@pytest.mark.parametrize("name", ["..", "a/b", "a\\b", "a:b", "-a", ".hidden", "a b", "", "a\nb", "C:x"])
def test_a_name_that_could_leave_the_folder_is_refused(empty, name):
    import json

    [message] = faults(empty, *SYNTHETIC, f"name={json.dumps(name)}")
    assert message.startswith("name: expected letters and digits of any script, ")
