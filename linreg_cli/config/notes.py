"""Settings that are valid and have no effect, because of other settings: each is a warning of the kind `config`.

They are not refused: a sweep may vary the other setting, and a config that is stored with a run must be read.
"""

from collections.abc import Iterator

from linreg_cli.config.data import OfTable, TableData
from linreg_cli.config.preprocess import PreprocessConfig
from linreg_cli.config.schema import Config, CosineSchedule, EvaluateConfig, ExponentialSchedule, StepSchedule
from linreg_cli.wording import exact


def notes(config: Config) -> Iterator[str]:
    """A sentence for each setting that is valid and has no effect.

    Args:
        config: without broken rules.
    """
    for each in (_loss, _optimizer, _epochs, _scaling, _categories, _memory, _inference):
        yield from each(config)


def _loss(config: Config) -> Iterator[str]:
    default = Config.model_fields["huber_delta"].default
    if config.loss != "huber" and config.huber_delta != default:
        yield f"huber_delta: {exact(config.huber_delta)} has no effect with loss: {config.loss}"


def _optimizer(config: Config) -> Iterator[str]:
    optimizer, epochs = config.optimizer, config.train.epochs
    if optimizer.dampening and not optimizer.momentum:
        yield "optimizer.dampening has no effect without momentum"
    schedule, first = optimizer.schedule, None
    if isinstance(schedule, StepSchedule):
        first = schedule.step_size
    elif isinstance(schedule, ExponentialSchedule | CosineSchedule):
        first = 1
    if first is not None and first >= epochs:
        lower = ", or lower its step_size" if first > 1 and epochs > 1 else ""
        yield (
            f"optimizer.schedule has no effect: the learning rate changes after epoch {first:,} for the first time, "
            f"and training ends then (train.epochs: {epochs}); raise train.epochs{lower}"
        )


def _epochs(config: Config) -> Iterator[str]:
    train, stopping = config.train, config.train.early_stopping
    ends = f"ends after epoch {train.epochs:,} (train.epochs: {train.epochs})"
    if train.checkpoint_every is not None and train.checkpoint_every >= train.epochs:
        yield (
            f"train.checkpoint_every: {train.checkpoint_every} has no effect: training {ends}, where a checkpoint is "
            f"saved in any case; lower it, or leave it out"
        )
    if stopping is not None and not stopping.restore_best and stopping.patience >= train.epochs:
        yield (
            f"train.early_stopping has no effect: it stops after {stopping.patience:,} epochs without an improvement "
            f"at the earliest, and training {ends}; lower its patience, or raise train.epochs"
        )


def _scaling(config: Config) -> Iterator[str]:
    preprocess = config.preprocess
    if not (preprocess.standardize or preprocess.standardize_target) and preprocess.ddof:
        yield "preprocess.ddof has no effect: nothing is standardised"


def _categories(config: Config) -> Iterator[str]:
    preprocess = config.preprocess
    keys, why = ["drop_first", "max_levels"], "no column is categorical"
    one_hot = [preprocess.categorical, *(column.categorical for column in preprocess.columns.values())]
    if not isinstance(config.data, OfTable):
        keys, why = ["categorical", *keys, "unknown"], f"the rows of source: {config.data.source} are numbers"
    elif "one_hot" in one_hot or _has_parts(config.data.features or ()):
        return  # `unknown` is for what may come; `init` sets it for every table
    for key in keys:
        if getattr(preprocess, key) != PreprocessConfig.model_fields[key].default:
            yield f"preprocess.{key} has no effect: {why}"


def _has_parts(features: tuple[str, ...]) -> bool:
    """Whether an entry of `data.features` may be the part of a date, which is a category."""
    return any("(" in entry for entry in features)


def _memory(config: Config) -> Iterator[str]:
    if isinstance(config.data, TableData) and config.data.stream is False and config.data.memory_limit is not None:
        yield "data.memory_limit has no effect with data.stream: false, which keeps the rows in memory"


def _inference(config: Config) -> Iterator[str]:
    if config.loss not in ("mae", "huber"):
        return
    for key in ("covariance", "cluster"):
        if getattr(config.evaluate, key) != EvaluateConfig.model_fields[key].default:
            yield f"evaluate.{key} has no effect with loss: {config.loss}, for which there are no standard errors"
