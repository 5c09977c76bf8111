"""Every key of the config with its type, range, default and meaning.

The page `docs/configuration.md` is generated from here.
"""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag

from linreg_cli.config.data import SOURCES, DataConfig, SplitConfig
from linreg_cli.config.preprocess import ColumnConfig as ColumnConfig
from linreg_cli.config.preprocess import PreprocessConfig as PreprocessConfig
from linreg_cli.config.types import (
    Count,
    Initial,
    Name,
    NonNegative,
    Point,
    Positive,
    Seed,
    bool_or,
    integral,
    number_or,
    refuse,
)
from linreg_cli.config.types import Section as Section


class InitConfig(Section):
    """Initial values of the parameters."""

    weight: Initial = Field(
        {"normal": [0.0, 0.01]},
        validate_default=True,
        description="A number, a list of numbers, `{normal: [mean, std]}` or `{uniform: [low, high]}`, "
        "in the units of the scaled columns.",
    )
    bias: Initial = Field(0.0, description="The same for the bias.")


class ModelConfig(Section):
    """nn.Sequential(nn.Linear(n_features, n_targets))."""

    bias: bool = Field(True, description="Whether the model has an intercept.")
    init: InitConfig = Field(InitConfig(), description="Initial values of the parameters.")


class ConstantSchedule(Section):
    """The learning rate is lr in every epoch."""

    kind: Literal["constant"] = Field(
        "constant", description="The schedule: `constant`, `step`, `exponential` or `cosine`."
    )


class StepSchedule(Section):
    """torch's StepLR: lr * gamma^(epoch // step_size)."""

    kind: Literal["step"] = Field(description="See `constant`.")
    step_size: Count = Field(description="Epochs between two changes of the learning rate.")
    gamma: Positive = Field(0.1, description="The factor of each change.")


class ExponentialSchedule(Section):
    """torch's ExponentialLR: lr * gamma^epoch."""

    kind: Literal["exponential"] = Field(description="See `constant`.")
    gamma: Positive = Field(description="The factor of each epoch.")


class CosineSchedule(Section):
    """torch's CosineAnnealingLR: eta_min + (lr - eta_min) (1 + cos(pi epoch / T_max)) / 2."""

    kind: Literal["cosine"] = Field(description="See `constant`.")
    T_max: Count = Field(description="Epochs until the learning rate is lowest.")
    eta_min: NonNegative = Field(0.0, description="The lowest learning rate.")


SCHEDULES: dict[str, type[Section]] = {
    "constant": ConstantSchedule,
    "step": StepSchedule,
    "exponential": ExponentialSchedule,
    "cosine": CosineSchedule,
}


def _kind(value: Any) -> str:
    return str(value.get("kind", "constant") if isinstance(value, dict) else getattr(value, "kind", "constant"))


ScheduleConfig = Annotated[
    Annotated[ConstantSchedule, Tag("constant")]
    | Annotated[StepSchedule, Tag("step")]
    | Annotated[ExponentialSchedule, Tag("exponential")]
    | Annotated[CosineSchedule, Tag("cosine")],
    Discriminator(_kind),
]


class OptimizerConfig(Section):
    """torch.optim.SGD."""

    lr: Annotated[Positive | Literal["auto"], number_or("auto")] = Field(
        0.03,
        description="Learning rate. `auto`: chosen from the curvature of the loss, with the reason in `run.json`; not "
        "for `mae`.",
    )
    momentum: Annotated[
        Annotated[float, Field(ge=0, lt=1)] | Literal["auto"],
        number_or("auto"),
    ] = Field(
        0.0,
        description="Momentum. As in torch, the first buffer is the gradient itself. `auto`: the optimal heavy-ball "
        "momentum for a full batch, 0 for mini-batches.",
    )
    dampening: float = Field(0.0, ge=0, le=1, description="Dampening of the momentum.")
    weight_decay: NonNegative = Field(
        0.0,
        description="L2 penalty as in torch: weight_decay * parameter is added to each gradient, the bias's too. "
        "Losses are reported without the penalty.",
    )
    nesterov: bool = Field(False, description="Nesterov momentum; needs momentum above 0 and dampening 0.")
    schedule: ScheduleConfig = Field(
        ConstantSchedule(),
        description="The learning rate by epoch, under torch's names: `{kind: constant}`, "
        "`{kind: step, step_size: 10, gamma: 0.1}`, `{kind: exponential, gamma: 0.9}`, "
        "`{kind: cosine, T_max: 100, eta_min: 0}`.",
    )


class EarlyStoppingConfig(Section):
    """Stop when the monitored loss no longer falls. The model is that of the last epoch, or of the best one."""

    monitor: Literal["validation.loss", "train.loss"] = Field("validation.loss", description="The loss to monitor.")
    patience: Count = Field(10, description="Epochs without an improvement after which training stops.")
    min_delta: NonNegative = Field(
        0.0, description="The loss must fall by more than this to improve; in units of the loss."
    )
    restore_best: bool = Field(
        False,
        description="Whether the model is that of the epoch with the lowest monitored loss, however training ends, and "
        "not that of the last epoch. `restored_epoch` of `run.json` says which one it is.",
    )


#: The most shards; every step adds up the sums of all of them.
MAX_SHARDS = 4096


class TrainConfig(Section):
    """Epochs, batches, device, number type, executor, and when to stop."""

    epochs: Count = Field(3, description="Passes over the train split.")
    batch_size: Annotated[Count | Literal["full"], number_or("full")] = Field(
        10, description="Rows in a step, or `full`. The last batch of an epoch may be smaller."
    )
    shuffle: Annotated[bool | Literal["blocks"], bool_or("blocks")] = Field(
        True,
        description="A new random order of the rows in each epoch; false: the order of the train split, which is "
        "that of the table unless `data.split.shuffle` draws the split at random; blocks: a random order that takes "
        "one block of rows after the other, so that it can be read from a disk.",
    )
    blocks: Count | None = Field(
        None,
        description="The number of blocks of `shuffle: blocks`. Each row is in one of them at random, from `seed`; "
        "null: so many that a block takes about 32 MiB in the training dtype, from rows and columns alone.",
    )
    shards: Annotated[int, Field(ge=1, le=MAX_SHARDS), BeforeValidator(integral)] | None = Field(
        None,
        description="Into so many parts the train split is divided, in its order, for every sum over rows: gradients, "
        "losses, moments, the exact fit and its inference are those of the shards, added up in their order. The same "
        "bits on any number of processes and threads; null: the executor's own order, or 8 where several processes "
        "train.",
    )
    device: str = Field(
        "auto",
        pattern=r"^(auto|cpu|cuda(:(0|[1-9][0-9]*))?)$",
        description="`auto` (CUDA where there is a device that can take the steps), `cpu`, `cuda`, `cuda:N`.",
    )
    dtype: Literal["float32", "float64"] = Field("float32", description="Number type of the data and the parameters.")
    engine: Literal["auto", "reference", "native", "statistics", "affine", "sharded"] = Field(
        "auto",
        description="The executor, which takes the steps: `auto` (the fastest), `reference` (a torch.optim.SGD loop), "
        "`native` (compiled, CPU), `statistics` (full batch with a squared loss), `affine` (squared losses, many "
        "steps at once by batched products, for CUDA; `auto` does not take it), "
        "`sharded` (compiled, CPU, needs `shards`).",
    )
    early_stopping: EarlyStoppingConfig | None = Field(None, description="When to stop early; null: never.")
    stop_gap: Positive | None = Field(
        None,
        description="Stop after the epoch in which (loss - optimum) / optimum is certain to be below this. Squared "
        "losses only.",
    )
    checkpoint_every: Count | None = Field(
        None,
        description="Epochs between two checkpoints. Others are saved by time (at least 10 s apart, for at most 1 % of "
        "the time), at the end, and when the run is stopped.",
    )


class CrossValidationConfig(Section):
    """K-fold cross-validation: each part of the train split is predicted by a model trained on the others."""

    folds: Annotated[int, Field(ge=2), BeforeValidator(integral)] = Field(
        description="Number of folds K. Drawn at random from `seed`; in order if `data.split.shuffle` is false."
    )


class EvaluateConfig(Section):
    """What is evaluated besides the splits."""

    cross_validation: CrossValidationConfig | None = Field(
        None,
        description="`{folds: K}`: mean and standard deviation of each metric over K held-out folds of the train "
        "split, in `metrics.json`; null: none.",
    )
    covariance: Literal["classic", "HC3", "cluster"] = Field(
        "classic",
        description="The standard errors that t, p, F and the intervals are of: `classic`, for residuals of equal "
        "variance, `HC3`, which allows for unequal ones, or `cluster`, which allows for residuals that are correlated "
        "within the clusters of `evaluate.cluster`. `metrics.json` has all that are known.",
    )
    cluster: Name | None = Field(
        None,
        min_length=1,
        description="A column of a table, of text, numbers or dates; rows with the same cell are a cluster, such as "
        "the pupils of a school. `metrics.json` then has `std_err_cluster`. The column is a feature only if it is "
        "named in `data.features`.",
    )
    predictions: Literal["all", "sample", "none"] = Field(
        "all",
        description="The rows that `predictions.csv` has: `all`; `sample`, 10,000 with the lowest and the highest "
        "targets, predictions and residuals of each split, the others drawn at random from `seed`; `none`: there is "
        "no such file, and no picture that is drawn from it. The metrics are of all rows in any case. Where the rows "
        "stay on the disk (`data.stream`), `sample` unless another is named.",
    )


class TrackConfig(Section):
    """Trackers that are given a run once it has ended; off by default."""

    tensorboard: bool = Field(
        False,
        description="Write a TensorBoard event file into the run folder: losses, gap and parameters by step, metrics, "
        "settings. Needs `pip install 'linreg[tensorboard]'`.",
    )
    mlflow: str | None = Field(
        None,
        min_length=1,
        description="An MLflow tracking address, such as `http://localhost:5000` or `sqlite:///mlflow.db`: the run, "
        "with settings, metrics by epoch and the run folder as artifacts. Stored without user name and password, which "
        "`MLFLOW_TRACKING_USERNAME` and `MLFLOW_TRACKING_PASSWORD` can say. Needs `pip install 'linreg[mlflow]'`.",
    )


#: A run name: it begins with a letter, a digit or an underscore.
NAME_PATTERN = r"^\w[\w.-]*$"


def _name_in_json_schema(schema: dict[str, Any]) -> None:
    r"""For readers whose `\w` is ASCII's alone: none of ASCII's other characters. The default is the file's name."""
    schema["pattern"] = r"^[^\x00-/:-@\[-\^`\{-\x7f][^\x00-,/:-@\[-\^`\{-\x7f]*$"
    schema.pop("default", None)


def _fits_a_file_name(name: str) -> str:
    size = len(name.encode())
    if size > Config.MAX_NAME_BYTES:
        raise refuse(f"a name has at most {Config.MAX_NAME_BYTES} bytes in UTF-8, found {size}; use a shorter one")
    return name


class Config(Section):
    """The whole config."""

    #: Length of the longest run name, in characters and in bytes: file systems limit the bytes of a file name to 255.
    MAX_NAME: ClassVar[int] = 100
    MAX_NAME_BYTES: ClassVar[int] = 200

    name: Annotated[str, AfterValidator(_fits_a_file_name)] = Field(
        "run",
        max_length=MAX_NAME,
        pattern=NAME_PATTERN,
        json_schema_extra=_name_in_json_schema,
        description="Run ids are NAME-0001, NAME-0002, ... Letters and digits of any script, `.`, `_` and `-`. "
        "Default: the stem of the first config file (`houses` for `houses.yaml`); `run` without a file.",
    )
    seed: Seed = Field(0, description="Seed of all random numbers.")
    data: DataConfig = Field(description="Where the rows come from; *required*.")
    preprocess: PreprocessConfig = Field(PreprocessConfig(), description="What is done to the columns before training.")
    model: ModelConfig = Field(ModelConfig(), description="The linear layer.")
    loss: Literal["mse", "sse", "half_mse", "mae", "huber"] = Field(
        "mse",
        description="mse: mean of e^2; sse: sum of e^2; half_mse: mean of e^2/2; mae: mean of |e|; "
        "huber: mean of torch's Huber loss.",
    )
    huber_delta: Positive = Field(
        1.0,
        description="Where the Huber loss turns from e^2/2 to delta (|e| - delta/2), in units of the scaled target.",
    )
    optimizer: OptimizerConfig = Field(OptimizerConfig(), description="torch.optim.SGD.")
    train: TrainConfig = Field(TrainConfig(), description="Epochs, batches, device, executor, when to stop.")
    evaluate: EvaluateConfig = Field(EvaluateConfig(), description="What is evaluated besides the splits.")
    track: TrackConfig = Field(TrackConfig(), description="Trackers that are given the run.")
    probe: tuple[Point, ...] = Field(
        (),
        description="Rows that are predicted before and after training: feature values in original units, text for a "
        "category.",
    )
    gates: tuple[Name, ...] = Field(
        (),
        description="Conditions such as `test.r2 >= 0.9` or `test.rmse <= 1.02 * run(RUN).test.rmse`. If one does not "
        "hold, the exit code is 5.",
    )
    plots: bool = Field(True, description="Draw the pictures at the end of training.")


#: Path -> section. The path of one of several kinds ends in its `source` or `kind`.
SECTIONS: dict[tuple[str, ...], type[Section]] = {
    (): Config,
    **{("data", source): section for source, section in SOURCES.items()},
    ("data", "split"): SplitConfig,
    ("preprocess",): PreprocessConfig,
    ("preprocess", "columns", "COLUMN"): ColumnConfig,
    ("model",): ModelConfig,
    ("model", "init"): InitConfig,
    ("optimizer",): OptimizerConfig,
    **{("optimizer", "schedule", kind): section for kind, section in SCHEDULES.items()},
    ("train",): TrainConfig,
    ("train", "early_stopping"): EarlyStoppingConfig,
    ("evaluate",): EvaluateConfig,
    ("track",): TrackConfig,
    ("evaluate", "cross_validation"): CrossValidationConfig,
}
