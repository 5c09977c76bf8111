"""Settings that are valid and have no effect."""

import pytest

from linreg_cli.config.load import load_config

TABLE = ["data.path=t.csv", "data.target=y"]
ENDS = "training ends after epoch 3 (train.epochs: 3)"


def notes(*settings):
    return [found.message for found in load_config([], settings).notes]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (
            ["optimizer.schedule={kind: step, step_size: 3}"],
            "optimizer.schedule has no effect: the learning rate changes after epoch 3 for the first time, and "
            "training ends then (train.epochs: 3); raise train.epochs, or lower its step_size",
        ),
        (
            ["optimizer.schedule={kind: cosine, T_max: 9}", "train.epochs=1"],
            "optimizer.schedule has no effect: the learning rate changes after epoch 1 for the first time, and "
            "training ends then (train.epochs: 1); raise train.epochs",
        ),
        (
            ["train.checkpoint_every=3"],
            f"train.checkpoint_every: 3 has no effect: {ENDS}, where a checkpoint is saved in any case; lower it, or "
            "leave it out",
        ),
        (
            ["train.early_stopping={monitor: train.loss, patience: 3}"],
            "train.early_stopping has no effect: it stops after 3 epochs without an improvement at the earliest, and "
            f"{ENDS}; lower its patience, or raise train.epochs",
        ),
        (["preprocess.max_levels=3"], "preprocess.max_levels has no effect: no column is categorical"),
        (
            ["loss=mae", "evaluate.covariance=HC3"],
            "evaluate.covariance has no effect with loss: mae, for which there are no standard errors",
        ),
        (
            ["loss=huber", "evaluate.cluster=g"],
            "evaluate.cluster has no effect with loss: huber, for which there are no standard errors",
        ),
    ],
)
def test_a_setting_without_effect_is_noted_with_what_to_do(settings, expected):
    assert notes(*TABLE, *settings) == [expected]


@pytest.mark.parametrize(
    "settings",
    [
        ["optimizer.schedule={kind: step, step_size: 2}"],
        ["optimizer.schedule={kind: exponential, gamma: 0.5}", "train.epochs=2"],
        ["train.checkpoint_every=2"],
        ["train.early_stopping={monitor: train.loss, patience: 2}"],
        ["train.early_stopping={monitor: train.loss, patience: 3, restore_best: true}"],  # restores all the same
        ["preprocess.categorical=one_hot", "preprocess.max_levels=3", "preprocess.unknown=ignore"],
        ["preprocess.columns={a: {categorical: one_hot}}", "preprocess.max_levels=3"],
        ["data.features=[x, month(d)]", "preprocess.max_levels=12"],  # months are categories
        ["preprocess.unknown=ignore"],  # in every config of `init`
        ["evaluate.covariance=HC3"],
    ],
)
def test_a_setting_with_an_effect_is_not_noted(settings):
    assert notes(*TABLE, *settings) == []


@pytest.mark.parametrize("key", ["categorical=one_hot", "drop_first=true", "max_levels=3", "unknown=ignore"])
def test_rows_of_numbers_have_no_categories(key):
    (found,) = notes("data.source=synthetic", f"preprocess.{key}")
    assert found == f"preprocess.{key.split('=')[0]} has no effect: the rows of source: synthetic are numbers"


def test_a_patience_as_long_as_the_run_changes_nothing(linreg, config_file):
    """What the note says: the same epochs, and the same model, with and without early stopping."""
    text = (
        "data: {source: inline, columns: [x, y], rows: [[1, 3], [2, 4], [3, 8]]}\nplots: false\noptimizer: {lr: 0.01}\n"
    )
    runs = [
        linreg("train", "-c", config_file(text + more), "--json").json
        for more in ("", "train: {early_stopping: {monitor: train.loss, patience: 3, min_delta: 1000}}\n")
    ]
    losses = [run["metrics"]["train"]["loss"] for run in runs]
    assert [run["status"] for run in runs] == ["finished", "finished"]
    assert losses[0] == losses[1]
