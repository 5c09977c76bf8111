"""A wrong command line is answered with the one that was probably meant, and that one works when it is pasted."""

import re
import shlex

import pytest


def meant(linreg, line: str) -> str | None:
    result = linreg(*shlex.split(line))
    assert result.code == 2
    [message] = result.err.splitlines()
    found = re.search(r"; did you mean: (.*) \(see 'linreg( [\w-]+)* --help'\)$", message)
    return found and found[1]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("train -c a.yaml --lr 0.1", "--set optimizer.lr=0.1"), ("train -c a.yaml --lr=-1", "--set optimizer.lr=-1"),
        ("train -c a.yaml --epochs 5", "--set train.epochs=5"), ("train --seed 3", "--set seed=3"),
        ("train -c a.yaml --batch-size full", "--set train.batch_size=full"),
        ("train --batchsize 9", "--set train.batch_size=9"), ("train --learning-rate 1e-3", "--set optimizer.lr=1e-3"),
        ("train -c a.yaml --optimizer.momentum 0.9", "--set optimizer.momentum=0.9"),
        ("inspect -c a.yaml --folds 3", "--set evaluate.cross_validation.folds=3"),
        ("explain -c a.yaml --standardize", "--set preprocess.standardize=VALUE"),
        ("generate-data --n-samples 10", "--set data.n_samples=10"), ("train --bias false", "--set model.bias=false"),
        ("inspect -c a.yaml --features 'a,b c'", "--set 'data.features=[a, '\"'\"'b c'\"'\"']'"),
        ("train -c a.yaml --outpts o", None), ("train -x", None), ("evaluate gd --lr 1", None), ("train --zzz 1", None),
        ("train a.yaml --nproc 0", None), ("sweep -c a.yaml --jobs none", None),  # the value is wrong, not the words
    ],
)  # fmt: skip
def test_an_option_with_the_name_of_a_key_is_answered_with_set(linreg, line, expected):
    assert meant(linreg, line) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("predict gd new.csv", "linreg predict gd --data new.csv"),
        ("predict new.parquet", "linreg predict latest --data new.parquet"),
        ("predict gd 'my new.csv' -o x.csv", "linreg predict gd -o x.csv --data 'my new.csv'"),
        ("evaluate gd t.csv.gz", "linreg evaluate gd --data t.csv.gz"),
        ("houses.csv", "linreg train houses.csv --target COLUMN"), ("a.yaml", "linreg train -c a.yaml"),
        ("inspect a.yaml", "linreg inspect -c a.yaml"),
        ("explain a.yml --steps 3", "linreg explain -c a.yml --steps 3"),
        ("inspect houses.csv", "linreg init houses.csv --target COLUMN"),
        ("generate t.csv", "linreg generate -o t.csv"), ("generate-data a.yaml", "linreg generate-data -c a.yaml"),
        ("inspect 'my t.csv' --target price", "linreg init 'my t.csv' --target price"),
        ("train t.csv price", "linreg train t.csv --target price"),
        ("init 'my t.csv' price --force", "linreg init 'my t.csv' --target price --force"),
        ("train t.csv price area", None), ("sweep a.yaml --set seed=1,2", "linreg sweep -c a.yaml --set seed=1,2"),
        ("stats t.csv", "linreg init t.csv --target COLUMN"), ("stats a.yaml -o s", "linreg stats -c a.yaml -o s"),
        ("sweep t.csv --target price --set seed=1,2", "linreg init t.csv --target price"),
        ("predict gd new.csv out.csv", "linreg predict gd --data new.csv -o out.csv"),
        ("predict new.csv out.csv", "linreg predict latest --data new.csv -o out.csv"),
        ("help", "linreg --help"), ("help train", "linreg train --help"), ("version", "linreg --version"),
        ("list", "linreg runs list"), ("show gd", "linreg runs show gd"), ("runs gd", "linreg runs show gd"),
        ("runs lst", None), ("predict gd", None), ("validate", None), ("foo", None), ("evaluate a b", None),
    ],
)  # fmt: skip
def test_a_file_in_the_wrong_place_is_answered_with_the_command(linreg, line, expected):
    assert meant(linreg, line) == expected


def test_what_is_proposed_works_when_it_is_pasted(linreg, config_file):
    config_file("data: {source: synthetic, n_samples: 30}\nplots: false\n", "a.yaml")
    for line in ("train -c a.yaml --lr 0.1", "train -c a.yaml --batch-size full"):
        words = shlex.split(line)
        assert linreg(*words[:3], *shlex.split(meant(linreg, line))).code == 0
    for line in ("inspect a.yaml", "explain a.yaml", "generate-data 'my rows.csv'", "predict a 'my rows.csv' -o x.csv"):
        assert linreg(*shlex.split(meant(linreg, line))[1:]).code == 0, line


def test_a_kind_of_picture_in_the_place_of_a_run_is_answered_with_kind(linreg, config_file):
    config_file("data: {source: synthetic, n_samples: 30}\nplots: false\n", "a.yaml")
    assert linreg("train", "-c", "a.yaml", "--quiet").code == 0
    for kind in ("residuals", "all"):
        result = linreg("plot", "a", kind)
        assert (result.code, result.err.rstrip().endswith(f"write --kind {kind}")) == (2, True)
    assert linreg("plot", "a", "--kind", "residuals").code == 0


def test_the_name_of_a_page_in_the_place_of_a_run_is_answered_with_o(linreg, config_file):
    config_file("data: {source: synthetic, n_samples: 30}\nplots: false\n", "a.yaml")
    assert linreg("train", "-c", "a.yaml", "--quiet").code == 0
    result = linreg("report", "a", "out.html")
    assert (result.code, result.err.rstrip().endswith("write -o out.html")) == (2, True)
    assert linreg("report", "a", "-o", "out.html").code == 0


@pytest.mark.parametrize(
    ("line", "last"),
    [
        ("inspect -c rows.csv", "inspect -c rows.yaml"), ("explain -c rows.csv", "explain -c rows.yaml"),
        ("sweep -c rows.csv --set train.epochs=1,2", "sweep --set train.epochs=1,2 -c rows.yaml"),
        ("validate rows.csv", "validate rows.yaml"), ("validate --resolved rows.csv", "validate rows.yaml"),
    ],
)  # fmt: skip
def test_a_table_in_the_place_of_a_config_is_answered_with_commands_that_work(linreg, tmp_path, line, last):
    (tmp_path / "rows.csv").write_text("x,y\n" + "".join(f"{i},{2 * i + i % 3}\n" for i in range(30)))
    result = linreg(*line.split())
    assert result.code == 2
    [message] = result.err.splitlines()
    first, columns, then = re.search(r"write one: linreg (.*); its columns: (.*); then: linreg (.*)$", message).groups()
    assert (columns, then) == ("x, y", last)
    assert linreg(*first.replace("COLUMN", "y").split()).code == 0
    assert linreg(*then.split()).code == 0


def test_validate_reports_a_table_beside_the_faults_of_configs(linreg, tmp_path, config_file):
    (tmp_path / "rows.csv").write_text("x,y\n1,2\n")
    config_file("nme: a\ndata: {path: rows.csv, target: y}\n", "a.yaml")
    result = linreg("validate", "rows.csv", "a.yaml")
    assert (result.code, "rows.csv: this is a table" in result.err, "unknown key 'nme'" in result.err) == (
        2,
        True,
        True,
    )
    assert "rows.csv:1:1" not in result.err


def test_init_without_a_target_proposes_init(linreg, tmp_path):
    (tmp_path / "rows.csv").write_text("x,y\n1,2\n")
    assert "linreg init rows.csv --target COLUMN; its columns: x, y" in linreg("init", "rows.csv").err
    assert "linreg train rows.csv --target COLUMN; its columns: x, y" in linreg("train", "rows.csv").err


def test_control_characters_in_what_was_typed_stay_escaped(linreg):
    result = linreg("predict", "gd", "\x1b[31m.csv")
    assert "\x1b" not in result.err
    assert "did you mean" in result.err


def test_a_config_that_is_not_there_is_not_proposed(linreg):
    found = linreg("train", "houses.yml")
    assert found.code == 2
    assert "houses.yml: there is no such file (in " in found.err
    assert "-c houses.yml" not in found.err


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("export", "r", "--format", "xml"), "'--format': 'xml' is not one of 'json', 'safetensors', 'onnx'; see"),
        (("predict", "r", "--data", "t.csv", "--interval", "x"), "'--interval': 'x' is not one of 'prediction', "),
    ],
)
def test_a_word_that_an_option_does_not_take_is_refused_with_those_that_it_takes(linreg, command, message):
    result = linreg(*command)
    assert (result.code, message in result.err) == (2, True), result.err


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("inspect -c a.yaml --set optimizer.lr 0.1", "--set optimizer.lr=0.1"),
        ("train --set optimizer.lr 0.1 t.csv", "--set optimizer.lr=0.1"),
        ("train -c a.yaml --set data.split={train: 0.8, test: 0.2} x", "--set 'data.split={train: 0.8, test: 0.2}'"),
        ("sweep -c a.yaml --set data.features=[a, b],[c] z", "--set 'data.features=[a, b],[c]'"),
        ("train t.csv --target y --features a b, c", "--features a,b,c"),
        ("evaluate gd --fail-if test.r2 '<' 0.9", "--fail-if 'test.r2 < 0.9'"),
        ("train t.csv u.csv --set seed=1 --target y", None),
    ],
)
def test_a_value_that_the_shell_has_split_is_shown_whole(linreg, line, expected):
    assert meant(linreg, line) == expected


def test_what_an_option_may_be_stands_on_one_line(linreg):
    result = linreg("export", "gd")
    assert result.err == (
        "error: Missing option '--format'. Choose from: json, safetensors, onnx; see 'linreg export --help'\n"
    )


def test_a_value_behind_a_blank_is_no_table_of_its_own(linreg):
    result = linreg("train", "-c", "a.yaml", "--set", "optimizer.lr", "0.1")
    assert result.err.startswith("error: --set optimizer.lr: expected KEY=VALUE, such as optimizer.lr=0.1\n")
