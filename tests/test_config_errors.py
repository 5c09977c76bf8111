"""What a user reads when a config is wrong: the whole of stderr, the exit code, and the JSON."""

import json

import pytest

SYNTHETIC = "data:\n  source: synthetic\n"

GOLDEN = {
    "unknown key": (
        SYNTHETIC + "frobnicate: 3\n",
        """\
error: config.yaml:3:1: unknown key 'frobnicate'; allowed: name, seed, data, preprocess, model, loss, huber_delta, \
optimizer, train, evaluate, track, probe, gates, plots
    frobnicate: 3
    ^
""",
    ),
    "misspelt key": (
        SYNTHETIC + "optimizer:\n  momentun: 0.9\n",
        """\
error: config.yaml:4:3: unknown key 'momentun' in optimizer; did you mean 'momentum'?
      momentun: 0.9
      ^
""",
    ),
    "no blank after a colon": (
        SYNTHETIC + "optimizer: {lr:0.9}\n",
        """\
error: config.yaml:3:13: unknown key 'lr:0.9' in optimizer; write a blank after the colon: lr: 0.9
    optimizer: {lr:0.9}
                ^
""",
    ),
    "key in capitals": (
        SYNTHETIC + "optimizer: {LR: 0.9}\n",
        """\
error: config.yaml:3:13: unknown key 'LR' in optimizer; did you mean 'lr'?
    optimizer: {LR: 0.9}
                ^
""",
    ),
    "key of another section": (
        SYNTHETIC + "train:\n  lr: 0.1\nepochs: 5\n",
        """\
error: config.yaml:4:3: unknown key 'lr' in train; did you mean optimizer.lr?
      lr: 0.1
      ^
error: config.yaml:5:1: unknown key 'epochs'; did you mean train.epochs?
    epochs: 5
    ^
""",
    ),
    "key of another source": (
        SYNTHETIC + "  path: houses.csv\n",
        """\
error: config.yaml:3:3: unknown key 'path' in data: it belongs to source: table; remove it
      path: houses.csv
      ^
""",
    ),
    "missing key": (
        "data:\n  source: table\n  path: houses.csv\n",
        """\
error: config.yaml:2:3: data.target is required
      source: table
      ^
""",
    ),
    "wrong type": (
        SYNTHETIC + "train:\n  epochs: many\n  shuffle: yes\n  batch_size: 2.5\n",
        """\
error: config.yaml:4:11: train.epochs: expected a whole number, found the text 'many'
      epochs: many
              ^
error: config.yaml:5:12: train.shuffle: expected blocks, true or false, found the text 'yes'; write true
      shuffle: yes
               ^
error: config.yaml:6:15: train.batch_size: expected a whole number, found 2.5
      batch_size: 2.5
                  ^
""",
    ),
    "quoted number": (
        SYNTHETIC + "optimizer:\n  lr: '0.1'\n  weight_decay: \"1e-3\"\n",
        """\
error: config.yaml:4:7: optimizer.lr: expected a number or auto, found the text '0.1'; remove the quotes
      lr: '0.1'
          ^
error: config.yaml:5:17: optimizer.weight_decay: expected a number, found the text '1e-3'; remove the quotes
      weight_decay: "1e-3"
                    ^
""",
    ),
    "unquoted text": (
        SYNTHETIC + "name: 2014\n",
        """\
error: config.yaml:3:7: name: expected text, found 2014; put it in quotes
    name: 2014
          ^
""",
    ),
    "range": (
        SYNTHETIC + "  n_samples: 0\noptimizer: {lr: 0, momentum: 1}\n",
        """\
error: config.yaml:3:14: data.n_samples must be at least 1, found 0
      n_samples: 0
                 ^
error: config.yaml:4:17: optimizer.lr must be above 0, found 0
    optimizer: {lr: 0, momentum: 1}
                    ^
error: config.yaml:4:30: optimizer.momentum must be below 1, found 1
    optimizer: {lr: 0, momentum: 1}
                                 ^
""",
    ),
    "choice": (
        SYNTHETIC + "loss: msee\ntrain: {dtype: float16, device: gpu}\n",
        """\
error: config.yaml:3:7: loss: unknown value 'msee'; did you mean 'mse'?
    loss: msee
          ^
error: config.yaml:4:16: train.dtype: unknown value 'float16'; did you mean 'float64'?
    train: {dtype: float16, device: gpu}
                   ^
error: config.yaml:4:33: train.device: expected auto, cpu, cuda or cuda:N, found the text 'gpu'
    train: {dtype: float16, device: gpu}
                                    ^
""",
    ),
    "duplicate": (
        SYNTHETIC + "seed: 1\nseed: 2\n",
        """\
error: config.yaml:4:1: duplicate key 'seed'; it is first set on line 3
    seed: 2
    ^
""",
    ),
    "contradiction": (
        SYNTHETIC + "  split: {train: 0.8, test: 0.1}\n",
        """\
error: config.yaml:3:10: data.split: the fractions must add up to 1; train 0.8 + validation 0 + test 0.1 = 0.9
      split: {train: 0.8, test: 0.1}
             ^
""",
    ),
    "syntax": (
        "data: {source: synthetic\nseed: 3\n",
        """\
error: config.yaml:2:5: not valid YAML: did not find expected ',' or '}'
    seed: 3
        ^
""",
    ),
    "terminal escapes in a key": (
        SYNTHETIC + '"a\\e[31m\\nb": 1\n',
        """\
error: config.yaml:3:1: unknown key 'a\\x1b[31m\\nb'; allowed: name, seed, data, preprocess, model, loss, huber_delta, \
optimizer, train, evaluate, track, probe, gates, plots
    "a\\e[31m\\nb": 1
    ^
""",
    ),
    "a very long line": (
        SYNTHETIC + "name: " + "a" * 200 + "\n",
        f"""\
error: config.yaml:3:7: name must be at most 100 characters long, found the text '{"a" * 40}'
    name: {"a" * 70}
          ^
""",
    ),
}


@pytest.mark.parametrize("case", GOLDEN)
def test_the_whole_rendering(linreg, config_file, case):
    text, expected = GOLDEN[case]
    config_file(text)
    result = linreg("train", "-c", "config.yaml")
    assert result.err == expected
    assert (result.code, result.out) == (2, "")
    assert linreg("validate", "config.yaml").err == expected


def test_faults_of_the_file_and_of_set_come_together(linreg, config_file):
    config_file(SYNTHETIC + "  n_samples: -5\nlos: mse\n")
    result = linreg(
        "train", "-c", "config.yaml", "--set", "optimizer.lr=fast", "--set", "train.epoch=3", "--set", "plots='no'"
    )
    assert (result.code, result.out) == (2, "")
    assert (
        result.err
        == """\
error: --set train.epoch=3: unknown key 'epoch' in train; did you mean 'epochs'?
    train.epoch=3
          ^
error: --set plots='no': plots: expected true or false, found the text 'no'; write false
    plots='no'
          ^
error: --set optimizer.lr=fast: optimizer.lr: expected a number or auto, found the text 'fast'
    optimizer.lr=fast
                 ^
error: config.yaml:3:14: data.n_samples must be at least 1, found -5
      n_samples: -5
                 ^
error: config.yaml:4:1: unknown key 'los'; did you mean 'loss'?
    los: mse
    ^
"""
    )


def test_json_holds_every_fault(linreg, config_file):
    config_file(SYNTHETIC + "los: mse\nseed: -1\n")
    result = linreg("train", "-c", "config.yaml", "--json")
    assert result.code == 2
    faults = [
        {"message": "unknown key 'los'; did you mean 'loss'?", "where": "config.yaml:3:1"},
        {"message": "seed must be at least 0, found -1", "where": "config.yaml:4:7"},
    ]
    message = "\n".join(fault["message"] for fault in faults)
    assert result.json == {
        "error": {"kind": "config", "message": message, "where": "config.yaml:3:1", "faults": faults}
    }


def test_a_name_or_device_option_is_text_and_is_checked_like_the_file(linreg, config_file):
    config_file(SYNTHETIC)
    result = linreg("train", "-c", "config.yaml", "--name", "a/b", "--device", "0")
    assert result.code == 2
    assert result.err.splitlines()[0] == (
        "error: --set name=\"a/b\": name: expected letters and digits of any script, '.', '_' and '-', "
        "not beginning with '.' or '-', and no path separators, found the text 'a/b'"
    )
    assert 'error: --set train.device="0": train.device: expected auto, cpu, cuda or cuda:N' in result.err


@pytest.mark.parametrize(("arguments", "command"), [((), "linreg"), (("runs",), "linreg runs")])
def test_without_a_command_the_help_is_shown_on_stderr(linreg, arguments, command):
    result = linreg(*arguments)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(f"Usage: {command} [OPTIONS] COMMAND")
    assert result.err.endswith(f"\nerror: no command was given; see '{command} --help'\n")


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("trian",), "No such command 'trian'; did you mean 'train'?; see 'linreg --help'"),
        (("train",), "Missing option '--config' / '-c', or a TABLE with --target COLUMN; see 'linreg train --help'"),
        (("train", "-c", "a.yaml", "--zzz"), "No such option: --zzz; see 'linreg train --help'"),
        (("evaluate",), "Missing argument 'RUN'; see 'linreg evaluate --help'"),
        (("evaluate", "a", "--fail-if", "x"), "--fail-if: 'x' is not METRIC OPERATOR NUMBER, such as 'test.r2 >= 0.9'"),
        (("train", "-c", "a.yaml", "--fail-if", "r2 > x"), "--fail-if: 'r2 > x' is not METRIC OPERATOR NUMBER"),
    ],
)
def test_a_wrong_command_line_is_a_usage_error(linreg, arguments, message, as_json):
    result = linreg(*arguments, *(["--json"] if as_json else []))
    assert result.code == 2
    assert result.err.splitlines()[-1].startswith(f"error: {message}")
    assert "Traceback" not in result.err
    if as_json:
        assert list(json.loads(result.out)) == ["error"]
        assert result.json["error"]["kind"] == "usage"
    else:
        assert result.out == ""
