"""A resolved config loads as the same config, whatever its names, texts and numbers."""

import math
from typing import Any

import pytest
import test_config_schema
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from test_config_schema import SYNTHETIC

from linreg_cli.config import Config, dump_config, load_config
from linreg_cli.config.schema import SECTIONS

# Fixtures of test_config_schema.py: pytest finds them by their names in this module.
empty = test_config_schema.empty

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
    if "path" in data:  # no path has a NUL, and of a home folder only the user is asked
        data["path"] = data["path"].replace("\x00", "0").replace("~", "./~")
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
        "gates": ["train.r2 >= 0.9"],
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
    path = "./~" if text == "~" else text  # alone, it is the home folder
    data = {"source": "table", "path": path, "target": text, "split": {"column": text}}
    dumped = dump_config(Config.model_validate({"data": data}))
    read = yaml.safe_load(dumped)["data"]
    assert (read["path"], read["target"], read["split"]["column"]) == (path, text, text)


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
