"""Remedies are true: what a message tells to paste is pasted, and the error is gone."""

import string

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from linreg_cli.config.source import Source, parse
from linreg_cli.remedies import flow, quoted

#: Names of columns that YAML reads as something else, or that hold its marks.
NASTY = [
    "Lot Size, sqft", "price: list", "2019", "1e3", "0x1F", "0o17", ".5", "-.inf", ".nan", "#rooms", "a #b", "true",
    "No", "null", "~", "NaN", "y", "it's", "say \"x\"", "[a]", "{b}", "a]b", "}{", "&x", "*x", "!x", "|", ">", "%",
    "@", "`", "-", "- a", "? b", ":", "a:", " lead", "trail ", "two  blanks", "tab\there", "line\nbreak",
    "back\\slash", "\\N", "\\n", "Größe", "Gro\u0308ße", "面积", "🏠", "👨\u200d👩\u200d👧", "no\xa0break",
    "thin\u202fblank", "\ufeffbom", "bell\x07", "del\x7f", "next\x85line", "para\u2029graph", "2014-10-13",
    "12:30:00", "1_000", "=", "<<", "---", "...", "data.ignore: [x]", "a" * 2_000,
]  # fmt: skip


def read(text: str):
    """A value as this project's parser reads it."""
    return parse(text, Source("t", ()), mapping_only=False).to_value()


@pytest.mark.parametrize("name", NASTY)
def test_a_name_in_a_list_and_as_a_key_is_read_back(name):
    """By the parser of configs, in a file and as the value of `--set`, and by PyYAML, which knows YAML 1.1."""
    line = f"{{key: {flow([name, 'b'])}, other: {flow({name: {'missing': 'drop'}})}}}"
    assert read(line) == {"key": (name, "b"), "other": {name: {"missing": "drop"}}}
    assert yaml.safe_load(line) == {"key": [name, "b"], "other": {name: {"missing": "drop"}}}
    assert read(flow([name])) == (name,)
    assert read(quoted(name)) == yaml.safe_load(quoted(name)) == name
    assert flow([name]).isprintable() or "\u200d" in name


@settings(max_examples=500, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from(string.punctuation), max_size=20))
def test_any_text_is_read_back(text):
    assert read(flow({"a": [text]})) == {"a": (text,)}
    assert yaml.safe_load(flow({"a": [text]})) == {"a": [text]}
