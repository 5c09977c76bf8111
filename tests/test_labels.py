"""Several runs are called by what differs between them."""

import re
from pathlib import Path

import pytest

from linreg_cli.runs.contents import RunContents
from linreg_cli.runs.labels import differing, labels_of

CONFIG = """
data: {source: synthetic, n_samples: 30, weights: [2], noise_std: 0.5}
train: {epochs: 3}
plots: false
"""


@pytest.fixture
def trained(linreg, config_file):
    """Train with overrides; the run."""
    config_file(CONFIG, "line.yaml")

    def train(*overrides: str, name: str = "line") -> RunContents:
        settings = [word for each in overrides for word in ("--set", each)]
        result = linreg("train", "-c", "line.yaml", "--name", name, *settings, "--json")
        assert result.code == 0, result.err
        return RunContents(Path(result.json["path"]))

    return train


def test_two_runs_are_called_by_the_one_setting_that_differs(trained):
    runs = [trained("optimizer.lr=0.1"), trained("optimizer.lr=0.01", name="slow")]
    assert labels_of(runs) == ["lr 0.1", "lr 0.01"]


def test_five_runs_with_several_settings_have_short_names_that_tell_them_apart(trained):
    grid = [(0.1, "full", 0), (0.01, "full", 0.9), (0.1, 10, 0.9), (0.03, 10, 0), (0.003, 5, 0.5)]
    runs = [
        trained(f"optimizer.lr={lr}", f"train.batch_size={size}", f"optimizer.momentum={momentum}", f"seed={seed}")
        for seed, (lr, size, momentum) in enumerate(grid)
    ]
    assert labels_of(runs) == [
        "seed 0, lr 0.1, momentum 0, …", "seed 1, lr 0.01, momentum 0.9, …", "seed 2, lr 0.1, momentum 0.9, …",
        "seed 3, lr 0.03, momentum 0, …", "seed 4, lr 0.003, momentum 0.5, …",
    ]  # fmt: skip


def test_an_engine_that_was_chosen_for_the_run_is_not_named(trained):
    """Small steps run `native` where its kernels are on the disk, else not: a label must not depend on that."""
    few, many = trained("train.batch_size=full"), trained("train.batch_size=1", "train.epochs=3", name="many")
    for run, engine in ((few, "reference"), (many, "native")):
        config, record = run.path / "config.yaml", run.path / "run.json"
        config.write_text(re.sub(r"engine: \w+", f"engine: {engine}", config.read_text()))
        record.write_text(re.sub(r'"(name|value)": "(?:reference|native)"', rf'"\1": "{engine}"', record.read_text()))
    runs = [RunContents(few.path), RunContents(many.path)]
    assert [run.config.train.engine for run in runs] == ["reference", "native"]
    assert labels_of(runs) == ["batch_size full", "batch_size 1"]
    named = [trained("train.batch_size=full", f"train.engine={one}", name=one) for one in ("reference", "statistics")]
    assert labels_of(named) == ["engine reference", "engine statistics"]


def test_runs_of_one_config_are_called_by_their_ids(trained):
    assert labels_of([trained(), trained(name="again")]) == ["line-0001", "again-0001"]


def test_the_id_is_added_where_two_names_would_be_the_same(trained):
    runs = [trained("optimizer.lr=0.1"), trained("optimizer.lr=0.1"), trained("optimizer.lr=0.01")]
    assert labels_of(runs) == ["lr 0.1 (line-0001)", "lr 0.1 (line-0002)", "lr 0.01"]


def test_a_label_of_the_users_wins(linreg, trained):
    first, second = trained("optimizer.lr=0.1"), trained("optimizer.lr=0.01")
    assert linreg("runs", "label", first.id, "the best").code == 0
    assert labels_of([RunContents(first.path), second]) == ["the best", "lr 0.01"]


def test_settings_that_change_nothing_about_training_are_not_named(trained):
    runs = [trained(), trained("gates=['train.r2 < 2']", "probe=[[1]]", "evaluate.cross_validation={folds: 2}")]
    assert labels_of(runs) == ["line-0001", "line-0002"]


def test_a_config_that_cannot_be_read_leaves_the_ids(trained):
    first, second = trained("optimizer.lr=0.1"), trained("optimizer.lr=0.01")
    (first.path / "config.yaml").unlink()
    assert labels_of([first, second]) == ["line-0001", "line-0002"]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ([{"optimizer.lr": 0.100004}, {"optimizer.lr": 0.100001}], ["lr 0.100004", "lr 0.100001"]),
        ([{"optimizer.lr": 0.1}, {"optimizer.lr": 0.1 + 2**-55}], ["lr 0.10000000000000001", "lr 0.10000000000000003"]),
        ([{"a.kind": 1, "b.kind": 2}, {"a.kind": 2, "b.kind": 1}], ["a.kind 1, b.kind 2", "a.kind 2, b.kind 1"]),
        (
            [{"data.features": None}, {"data.features": [f"column {n}" for n in range(1000)]}],
            ["features null", "features ['column 0', 'column 1'…"],
        ),
        (
            [{"train.early_stopping": None}, {"train.early_stopping.patience": 5}],
            ["early_stopping null", "early_stopping.patience 5"],
        ),
        ([{"data.path": "a\n\x1b[31m"}, {"data.path": "b"}], ['path "a\\n\\x1b[31m"', "path b"]),
    ],
)
def test_values_are_short_and_harmless_and_differ(settings, expected):
    assert differing(settings) == expected


def test_the_overlay_and_the_report_have_these_names(linreg, trained, tmp_path):
    trained("optimizer.lr=0.1")
    trained("optimizer.lr=0.01")
    assert linreg("plot", "line-0001", "line-0002", "--format", "svg", "-o", "drawn").code == 0
    drawn = (tmp_path / "drawn" / "loss-line-0001-line-0002.svg").read_text()
    # Text is drawn as glyphs, and matplotlib keeps it in a comment beside them.
    assert {"lr 0.1, train", "lr 0.01, train"} <= set(re.findall(r"<!-- (.*?) -->", drawn))
    assert linreg("report", "line-0001", "line-0002", "-o", "r.html").code == 0
    page = (tmp_path / "r.html").read_text()
    assert page.count('<span class="label"><bdi>lr 0.1</bdi></span>') == 1
