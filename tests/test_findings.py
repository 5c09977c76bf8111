"""Warnings: kinds that gates count, in `run.json`, `train --json` and on stderr."""

import json

import pytest

from linreg_cli.findings import KINDS, Finding, counts

#: x2 is 2 x, and y is their sum: a collinear table; the rate is above the limit 2 / h of its mini-batches.
COLLINEAR = """
name: kinds
data: {source: inline, columns: [x, x2, y], rows: [[1, 2, 3], [2, 4, 6], [3, 6, 9], [4, 8, 12.5]]}
train: {epochs: 2, batch_size: full}
optimizer: {lr: 0.001}
plots: false
"""


def test_a_kind_that_is_not_in_the_list_is_a_bug_of_ours():
    with pytest.raises(AssertionError, match="colinear"):
        Finding("colinear", "...")


def test_every_kind_has_a_count():
    assert counts(["leak", "leak"]) == {**dict.fromkeys(KINDS, 0), "leak": 2}


def test_warnings_have_a_kind_everywhere_and_a_gate_counts_them(linreg, config_file):
    config = config_file(COLLINEAR)
    run = linreg("train", "-c", config, "--json", "--fail-if", "warnings.leak > 0")
    assert run.code == 0, run.err
    (found,) = run.json["warnings"]
    assert found["kind"] == "collinear"
    assert f"warning: {found['message']}\n" == run.err
    with open("outputs/kinds-0001/run.json", encoding="utf-8") as file:
        assert json.load(file)["warnings"] == [found]
    gated = linreg("train", "-c", config, "--fail-if", "warnings.collinear > 0")
    assert gated.code == 5
    assert "warnings.collinear is 1" in gated.err


def test_a_table_with_many_findings_shows_the_first_ten_and_records_all(linreg, config_file, tmp_path):
    names = [f"c{i}" for i in range(14)]
    rows = [",".join([str(i * i % 7)] * 14 + [str(i)]) for i in range(12)]
    (tmp_path / "t.csv").write_text("\n".join([",".join([*names, "y"]), *rows]) + "\n", encoding="utf-8")
    config = config_file("data: {path: t.csv, target: y}\ntrain: {epochs: 1, batch_size: full}\nplots: false\n")
    run = linreg("train", "-c", config, "--name", "many", "--set", "optimizer.lr=0.001")
    assert run.code == 0, run.err
    assert run.err.count("is the same as c0") == 10  # 13 copies of c0
    assert "and 3 more, see warnings in run.json" in run.err
    record = json.loads((tmp_path / "outputs/many-0001/run.json").read_text(encoding="utf-8"))
    assert [each["kind"] for each in record["warnings"]].count("duplicate") == 13
