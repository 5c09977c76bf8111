"""The way of training that leads to the exact fit of a table, with the reason for each setting."""

from linreg_cli.config.schema import Config
from linreg_cli.convergence.problem import Problem
from linreg_cli.convergence.recipe import NEW_CONFIG, UNKNOWN_EPOCHS, recipe
from linreg_cli.data import Dataset, Preprocessor
from linreg_cli.findings import Finding
from linreg_cli.starter.choices import SettingChoice

_WHY = {
    "preprocess.standardize": "for training; results are in original units",
    "preprocess.standardize_target": "the same",
    "optimizer.lr": "the best constant rate, from the curvature of the loss",
    "optimizer.momentum": "the same",
    "train.batch_size": "every step sees every train row",
    "train.dtype": "float32 stops before the exact fit of many tables",
}
_EPOCHS = "enough for every coefficient to be within 0.01 standard errors of the exact fit"
_STOP_GAP = "or earlier: once (loss - optimum) / optimum is certified below this"

#: Before the table is known: the settings that hold for every table.
UNKNOWN = (*(SettingChoice(key, value, _WHY[key]) for key, value in NEW_CONFIG.items()),)
#: For a loss without a curvature, which `auto` needs.
_WITHOUT_CURVATURE = (
    SettingChoice("optimizer.lr", 0.1, "loss: mae has no curvature for auto; columns are standardised"),
    SettingChoice("optimizer.momentum", 0.0, "the same"),
    SettingChoice(
        "optimizer.schedule",
        {"kind": "cosine", "T_max": UNKNOWN_EPOCHS},
        "a constant rate ends off the optimum",
    ),
)


def training(
    config: Config, problem: Problem, dataset: Dataset, preprocessor: Preprocessor
) -> tuple[tuple[SettingChoice, ...], Finding | None]:
    """The settings, and the warning that they will not lead to the exact fit, or why none is known; None if they will.

    Args:
        config: of the table, with the settings of `UNKNOWN`.
        problem: of this config.
        dataset: the rows.
        preprocessor: fitted with this config.
    """
    if not problem.plan.loss.is_squared:
        why = f"how many are enough is not known for loss: {config.loss}"
        chosen = {each.key: each for each in UNKNOWN}
        if config.loss == "mae":  # whose gradient has the same size far from the optimum and near it
            chosen |= {each.key: each for each in _WITHOUT_CURVATURE}
        return (*chosen.values(), SettingChoice("train.epochs", UNKNOWN_EPOCHS, why)), None
    found = recipe(config, problem, dataset, preprocessor)
    values = {**NEW_CONFIG, "optimizer.lr": found.lr, "optimizer.momentum": found.momentum}
    usual = NEW_CONFIG.items()
    out = [SettingChoice(key, value, _WHY[key] if (key, value) in usual else "stable") for key, value in values.items()]
    out.append(SettingChoice("train.epochs", found.epochs, _EPOCHS if found.outlook is None else ""))
    if found.stop_gap is not None:
        out.append(SettingChoice("train.stop_gap", found.stop_gap, _STOP_GAP))
    return tuple(out), found.outlook
