"""What `auto` chooses for rate and momentum: stable, explained, and repeated by the config that it leaves."""

import pytest
import test_analysis
import yaml
from test_analysis import history, record, sets, settings

# Fixtures of test_analysis.py: pytest finds them by their names in this module.
base = test_analysis.base


@pytest.mark.parametrize(
    "extra", [[], settings(momentum="auto"), settings(momentum=0.5, nesterov=True), settings(weight_decay=0.1)]
)
def test_auto_is_explained_and_its_config_repeats_the_run(linreg, base, tmp_path, extra):
    first = linreg("train", "-c", base, "--json", *settings(lr="auto"), *extra)
    assert (first.code, first.messages) == (0, [])
    assert first.json["metrics"]["optimum"]["gap"] < 1e-12
    known = record(first.json["path"])
    config = yaml.safe_load((tmp_path / first.json["path"] / "config.yaml").read_text())
    for key in ("lr", "momentum"):
        assert config["optimizer"][key] == known[key]["value"]
    assert known["lr"]["auto"] is True
    assert known["momentum"]["auto"] is ("--set" in extra and extra[1] == 'optimizer.momentum="auto"')
    second = linreg("train", "-c", tmp_path / first.json["path"] / "config.yaml", "--json")
    assert second.json["metrics"] == first.json["metrics"]


@pytest.mark.parametrize(
    "given", [{"lr": "auto"}, {"lr": "auto", "momentum": "auto"}, {"lr": 0.05, "momentum": "auto"}, {"lr": 0.05}]
)
@pytest.mark.parametrize("batch", [["train.batch_size=full"], ["train.batch_size=4"]], ids=["full", "mini"])
def test_advice_and_folds_are_those_of_the_config_that_a_run_leaves(linreg, base, tmp_path, given, batch):
    """A run that ends too early, so that its advice may name `auto`, and folds for which `auto` chooses again."""
    more = [*batch, "train.epochs=2", "evaluate.cross_validation={folds: 3}"]
    first = linreg("train", "-c", base, "--json", *settings(**given), *sets(*more)).json
    config = tmp_path / first["path"] / "config.yaml"
    again = linreg("train", "-c", config, "--json").json
    assert "; train with " in first["metrics"]["inference"]["refused"]
    assert again["metrics"] == first["metrics"]
    other = linreg("train", "-c", config, "--json", "--set", f"optimizer.lr={1.001 * _rate(config)}").json
    assert other["metrics"]["cross_validation"] != first["metrics"]["cross_validation"]


def _rate(config):
    return yaml.safe_load(config.read_text())["optimizer"]["lr"]


def test_auto_momentum_makes_the_most_of_a_rate(linreg, base):
    found = {}
    for momentum in ("auto", 0.0, 0.97):
        call = ["train", "-c", base, "--json", "--set", "train.epochs=150", *settings(lr=0.05, momentum=momentum)]
        found[momentum] = linreg(*call).json["metrics"]["optimum"]["gap"]
    assert found["auto"] < min(found[0.0], found[0.97])
    result = linreg("train", "-c", base, *settings(lr=5.0, momentum="auto"))
    assert result.code == 2
    assert "no momentum converges at optimizer.lr: 5" in result.err


@pytest.mark.parametrize("momentum", ["auto", 0.5])
def test_auto_with_mini_batches_ends_low_and_says_how_it_was_chosen(linreg, base, momentum):
    extra = sets("train.batch_size=4", "train.epochs=30", "optimizer.lr=auto", f"optimizer.momentum={momentum}")
    result = linreg("train", "-c", base, "--json", *extra)
    assert (result.code, result.messages) == (0, [])
    why = record(result.json["path"])["lr"]["why"]
    assert "safe for every batch" in why or "ends lowest in its order of the rows, computed in advance," in why
    losses = [row["train_loss"] for row in history(result.json["path"])]
    assert losses[-1] < losses[0] / 10


def test_auto_for_other_losses(linreg, base):
    result = linreg("train", "-c", base, "--json", *settings(lr="auto"), "--set", "loss=huber")
    assert result.json["metrics"]["optimum"]["gap"] < 1e-4
    refused = linreg("train", "-c", base, *settings(lr="auto"), "--set", "loss=mae")
    assert refused.code == 2
    assert "optimizer.lr: auto needs the curvature of the loss: loss: mae is piecewise linear" in refused.err


def test_auto_momentum_refuses_what_it_would_not_honour(linreg, base):
    result = linreg("train", "-c", base, *settings(momentum="auto", nesterov=True))
    assert result.code == 2
    assert "momentum: auto chooses heavy-ball momentum; set nesterov to false" in result.err
