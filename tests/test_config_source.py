"""YAML text becomes plain values by the core schema, and hostile text becomes a `ConfigError`, quickly."""

import math
import time
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from linreg_cli.config.source import MAX_BYTES, MAX_DEPTH, Source, parse, parse_override, read_file
from linreg_cli.errors import ConfigError


def value_of(text: str):
    return parse(f"key: {text}\n", Source("a.yaml", (f"key: {text}",))).to_value()["key"]


def read(tmp_path: Path, content: bytes):
    path = tmp_path / "a.yaml"
    path.write_bytes(content)
    return read_file(path)


def messages(action) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        action()
    return [str(fault) for fault in caught.value.faults]


# Expected values: YAML 1.2.2, section 10.3.2 (core schema), which has no 1_000, no dates, no yes/no, no sexagesimals.
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", 1), ("-1", -1), ("+1", 1), ("007", 7), ("0o17", 15), ("0x1F", 31),
        ("1e-3", 0.001), ("1E3", 1000.0), ("1.", 1.0), (".5", 0.5), ("-.5e+1", -5.0), ("3e5", 300000.0),
        (".inf", math.inf), ("-.INF", -math.inf), ("true", True), ("TRUE", True), ("False", False),
        ("null", None), ("~", None), ("", None),
        ("no", "no"), ("yes", "yes"), ("on", "on"), ("Off", "Off"), ("y", "y"), ("tRUE", "tRUE"),
        ("2014-10-13", "2014-10-13"), ("1_000", "1_000"), ("12:30:45", "12:30:45"), ("0b11", "0b11"),
        ("0o8", "0o8"), ("1e", "1e"), ("e3", "e3"), (".", "."), ("inf", "inf"), ("NaN", "NaN"), ("1 000", "1 000"),
        ("'1'", "1"), ('"true"', "true"), ("''", ""), ("'null'", "null"), ("|\n  5", "5\n"), ("=", "="),
        ("[1, 'a', null]", (1, "a", None)), ("{no: 1}", {"no": 1}), ("{1: a}", {"1": "a"}),
    ],
)  # fmt: skip
def test_scalars_follow_the_core_schema(text, expected):
    found = value_of(text)
    assert found == expected
    assert type(found) is type(expected)


def test_nan_is_a_number():
    assert math.isnan(value_of(".nan"))


@pytest.mark.parametrize("text", ["2" * 309, "1e400", "-1e309", "0x" + "f" * 300, "9" * 5000])
def test_a_number_that_no_float64_holds_is_infinite(text):
    # The schema then refuses it in its place, together with every other fault of the file.
    assert value_of(text) == math.copysign(math.inf, -1 if text.startswith("-") else 1)


def test_every_duplicate_and_every_tag_is_reported_at_once_with_its_place(tmp_path):
    text = b"a: 1\nb: !!python/object/apply:os.system [touch x]\na: 2\nc: {d: 1, d: !!int 2}\n"
    assert messages(lambda: read(tmp_path, text)) == [
        f"{tmp_path}/a.yaml:2:4: the tag 'tag:yaml.org,2002:python/object/apply:os.system' is not allowed; "
        "write the plain value",
        f"{tmp_path}/a.yaml:3:1: duplicate key 'a'; it is first set on line 1",
        f"{tmp_path}/a.yaml:4:11: duplicate key 'd'; it is first set on line 4",
        f"{tmp_path}/a.yaml:4:14: the tag 'tag:yaml.org,2002:int' is not allowed; write the plain value",
    ]
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("tag", ["!!python/name:os.system", "!!python/object:a.B", "!!set", "!custom", "!!str", "!"])
def test_no_tag_is_honoured(tag):
    assert "is not allowed" in messages(lambda: value_of(f"{tag} x"))[0]


def test_an_alias_is_the_anchored_value(tmp_path):
    assert read(tmp_path, b"a: &x [1, 2]\nb: *x\n").to_value() == {"a": (1, 2), "b": (1, 2)}


def test_an_alias_without_an_anchor_is_refused(tmp_path):
    assert "the alias *x has no anchor before it" in messages(lambda: read(tmp_path, b"a: *x\n"))[0]


@pytest.mark.parametrize("merge", [b"a: &x [*x]\n", b"a: &x {b: *x}\n"])
def test_an_alias_within_its_own_anchor_is_refused(tmp_path, merge):
    assert "has no anchor before it" in messages(lambda: read(tmp_path, merge))[0]


def test_an_alias_bomb_is_refused_in_bounded_time(tmp_path):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 30)]
    begun = time.process_time()
    assert "more than 2,000,000 values" in messages(lambda: read(tmp_path, "\n".join(lines).encode()))[0]
    assert time.process_time() - begun < 2  # 10^30 values when expanded; refused by arithmetic, in milliseconds


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ("{a: ", "}"), ("[", "")])
@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 100_000])
def test_deep_nesting_is_refused(tmp_path, opening, closing, depth):
    begun = time.process_time()
    [message] = messages(lambda: read(tmp_path, b"a: " + (opening * depth + "1" + closing * depth).encode()))
    assert f"nested deeper than {MAX_DEPTH} levels" in message or "not valid YAML" in message
    assert time.process_time() - begun < 5


def test_nesting_to_the_limit_is_read(tmp_path):
    depth = MAX_DEPTH - 1
    assert read(tmp_path, b"a: " + b"[" * depth + b"]" * depth).to_value() != {}


def test_a_byte_order_mark_is_accepted(tmp_path):
    assert read(tmp_path, b"\xef\xbb\xbfname: a\n").to_value() == {"name": "a"}


@pytest.mark.parametrize("content", [b"", b"\n\n", b"# only a comment\n", b"{}"])
def test_an_empty_file_is_an_empty_mapping(tmp_path, content):
    assert read(tmp_path, content).to_value() == {}


@pytest.mark.parametrize("content", [b"---\n", b"null\n", b"3\n"])
def test_a_document_that_is_a_single_value_is_refused(tmp_path, content):
    assert "a config is a mapping of keys to values" in messages(lambda: read(tmp_path, content))[0]


@pytest.mark.parametrize(
    ("content", "where", "message"),
    [
        (b"name: caf\xe9\n", ":1", "byte 0xe9 is not UTF-8 text; save the file as UTF-8"),
        (b"a: 1\nb: \xff\xfe\n", ":2", "byte 0xff is not UTF-8 text"),
        ("name: a\n".encode("utf-16"), ":1", "byte 0xff is not UTF-8 text"),
        (b"a: 1\nb: \0\n", "", "is not allowed in YAML"),
        (b"a: \x1b[31m\n", "", "is not allowed in YAML"),
        (b"data:\n\tsource: table\n", ":2:1", "indent with spaces, not tabs"),
        (b"- 1\n- 2\n", ":1:1", "a config is a mapping of keys to values"),
        (b"just text\n", ":1:1", "a config is a mapping of keys to values"),
        (b"a: 1\n---\nb: 2\n", ":2:1", "a config is one YAML document"),
        (b"a: [1, 2\n", ":1:9", "not valid YAML: did not find expected ',' or ']'"),
        (b"a: 'open\n", ":1:9", "not valid YAML: found unexpected end of stream"),
        (b"a: b: c\n", ":1:5", "not valid YAML: mapping values are not allowed in this context"),
        (b"? [1, 2]\n: 3\n", ":1:3", "a key must be plain text"),
        (b"? {a: 1}\n: 3\n", ":1:3", "a key must be plain text"),
        (b"a: @x\n", ":1:4", "not valid YAML"),
    ],
)
def test_what_is_no_config_is_refused_with_its_place(tmp_path, content, where, message):
    [found] = messages(lambda: read(tmp_path, content))
    assert found.startswith(f"{tmp_path}/a.yaml{where}: ")
    assert message in found


def test_a_huge_file_is_refused_without_being_read_whole(tmp_path):
    path = tmp_path / "a.yaml"
    with open(path, "wb") as file:
        file.truncate(100 * MAX_BYTES)  # sparse: 800 MiB of NUL that take no room
    begun = time.process_time()
    assert messages(lambda: read_file(path)) == [
        f"{path}: larger than 8 MiB; put the rows into a table (data.source: table)"
    ]
    assert time.process_time() - begun < 1


@pytest.mark.parametrize(
    ("name", "message"),
    [("absent.yaml", "No such file"), (".", "takes a YAML file"), ("", "No such file"), ("a\0b", "not a file name")],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, monkeypatch, name, message):
    monkeypatch.chdir(tmp_path)
    assert message in messages(lambda: read_file(name))[0]


@pytest.mark.parametrize(
    ("expression", "path", "value"),
    [
        ("optimizer.lr=1e-3", ("optimizer", "lr"), 0.001),
        (" optimizer . lr = 3 ", ("optimizer", "lr"), 3),
        ("name=a=b", ("name",), "a=b"),
        ("probe=[[1, 2]]", ("probe",), ((1, 2),)),
        ("a.b={c: 1}", ("a", "b"), {"c": 1}),
        ("a=", ("a",), None),
        ("a='5'", ("a",), "5"),
    ],
)
def test_an_override_is_a_path_and_a_yaml_value(expression, path, value):
    found, node = parse_override(expression)
    assert (found, node.to_value()) == (path, value)


@pytest.mark.parametrize(
    "expression",
    ["", "=", "=3", "lr", "a..b=1", ".a=1", "a.=1", "a=[1", "a={", "a=!!int 3", "a=\x00", "a=\udcff", "a=*x"],
)
def test_an_override_that_is_none_is_refused(expression):
    assert messages(lambda: parse_override(expression))[0].startswith("--set ")


def is_plain(value) -> bool:
    if isinstance(value, dict):
        return all(type(key) is str and is_plain(item) for key, item in value.items())
    if isinstance(value, tuple):
        return all(map(is_plain, value))
    return value is None or type(value) in (str, int, float, bool)


_fragments = st.sampled_from(
    ["a", "data", ": ", ":", "\n", "\n  ", "- ", "[", "]", "{", "}", ",", "&x ", "*x", "!!int ", "!", "|", ">", "'",
     '"', "#", "? ", "---\n", "...\n",
     "%YAML 1.2\n", "\t", "\r", "\0", "\x85", "\u2028", "\ufeff", "1e3", "0o7", "<<", "~"]
)  # fmt: skip


@given(st.one_of(st.binary(max_size=200), st.lists(_fragments, max_size=30).map(lambda parts: "".join(parts).encode())))
@example(b"%YAML 9.9\n---\na: 1\n")
@example(b"\xef\xbb\xbf\xef\xbb\xbfa: 1")
@example(b"<<: {a: 1}\nb: 2")
@example(b'"\\ud800": 1')
def test_any_bytes_give_a_mapping_or_a_config_error(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "random.yaml"
    path.write_bytes(content)
    refusal = None
    try:
        value = read_file(path).to_value()
    except ConfigError as error:
        refusal = error
    if refusal is None:
        assert type(value) is dict
        assert is_plain(value)
    else:
        assert refusal.faults
        assert all(fault.message for fault in refusal.faults)
