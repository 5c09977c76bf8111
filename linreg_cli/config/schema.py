"""Every key of the config: its type, its range, its default and its meaning, once.

The page `docs/configuration.md` is generated from here.
"""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

from linreg_cli.config.data import SOURCES, DataConfig, SplitConfig
from linreg_cli.config.preprocess import ColumnConfig as ColumnConfig
from linreg_cli.config.preprocess import PreprocessConfig as PreprocessConfig
from linreg_cli.config.types import Count, Initial, NonNegative, Point, Positive, Seed, integral, number_or
from linreg_cli.config.types import Section as Section


class InitConfig(Section):
    """How the parameters start."""

    weight: Initial = Field(
        {"normal": [0.0, 0.01]},
        validate_default=True,
        description="A number, a list of numbers, `{normal: [mean, std]}` or `{uniform: [low, high]}`, "
        "in trained units.",
    )
    bias: Initial = Field(0.0, description="The same for the bias.")


class ModelConfig(Section):
    """nn.Sequential(nn.Linear(n_features, n_targets))."""

    bias: bool = Field(True, description="Whether the model has an intercept.")
    init: InitConfig = Field(InitConfig(), description="How the parameters start.")


class ConstantSchedule(Section):
    """The rate stays."""

    kind: Literal["constant"] = Field(
        "constant", description="How the rate goes: `constant`, `step`, `exponential` or `cosine`."
    )


class StepSchedule(Section):
    """torch's StepLR: lr * gamma^(epoch // step_size)."""

    kind: Literal["step"] = Field(description="See `constant`.")
    step_size: Count = Field(description="Epochs between two changes of the rate.")
    gamma: Positive = Field(0.1, description="Factor of each change.")


class ExponentialSchedule(Section):
    """torch's ExponentialLR: lr * gamma^epoch."""

    kind: Literal["exponential"] = Field(description="See `constant`.")
    gamma: Positive = Field(description="Factor of each epoch.")


class CosineSchedule(Section):
    """torch's CosineAnnealingLR: eta_min + (lr - eta_min) (1 + cos(pi epoch / T_max)) / 2."""

    kind: Literal["cosine"] = Field(description="See `constant`.")
    T_max: Count = Field(description="Epochs until the rate is lowest.")
    eta_min: NonNegative = Field(0.0, description="The lowest rate.")


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
        description="Learning rate. `auto`: from the curvature of the loss, explained in `run.json`; not for `mae`.",
    )
    momentum: Annotated[
        Annotated[float, Field(ge=0, lt=1)] | Literal["auto"],
        number_or("auto"),
    ] = Field(
        0.0,
        description="Momentum factor. As in torch, the first buffer is the gradient itself. `auto`: the optimal heavy "
        "ball for a full batch, 0 for mini-batches.",
    )
    dampening: float = Field(0.0, ge=0, le=1, description="Dampening of the momentum.")
    weight_decay: NonNegative = Field(
        0.0,
        description="Coefficient times the parameter (the bias too) is added to its gradient; "
        "losses are reported without it.",
    )
    nesterov: bool = Field(False, description="Nesterov momentum; needs momentum above 0 and dampening 0.")
    schedule: ScheduleConfig = Field(
        ConstantSchedule(),
        description="The rate by epoch, under torch's names: `{kind: constant}`, "
        "`{kind: step, step_size: 10, gamma: 0.1}`, `{kind: exponential, gamma: 0.9}`, "
        "`{kind: cosine, T_max: 100, eta_min: 0}`.",
    )


class EarlyStoppingConfig(Section):
    """Stop when the monitored loss no longer falls. The parameters of the last epoch are kept."""

    monitor: Literal["validation.loss", "train.loss"] = Field("validation.loss", description="The loss to watch.")
    patience: Count = Field(10, description="Epochs without an improvement after which training stops.")
    min_delta: NonNegative = Field(
        0.0, description="A smaller fall of the loss is no improvement; in units of the loss."
    )


class TrainConfig(Section):
    """How long, on what, in which order."""

    epochs: Count = Field(3, description="Passes over the train split.")
    batch_size: Annotated[Count | Literal["full"], number_or("full")] = Field(
        10, description="Rows a step, or `full`. The last batch of an epoch may be smaller."
    )
    shuffle: bool = Field(True, description="A new random order of the rows each epoch; false: as given.")
    device: str = Field(
        "auto",
        pattern=r"^(auto|cpu|cuda(:(0|[1-9][0-9]*))?)$",
        description="`auto` (CUDA where there is one), `cpu`, `cuda`, `cuda:N`.",
    )
    dtype: Literal["float32", "float64"] = Field("float32", description="Number type of the data and the parameters.")
    engine: Literal["auto", "reference", "native", "statistics"] = Field(
        "auto",
        description="What runs the steps: `auto` (the cheapest), `reference` (a torch.optim.SGD loop), "
        "`native` (compiled, CPU), `statistics` (full batch with a squared loss, CPU).",
    )
    early_stopping: EarlyStoppingConfig | None = Field(None, description="Stop early; null: run every epoch.")
    stop_gap: Positive | None = Field(
        None,
        description="Stop after the epoch in which (loss - optimum) / optimum is certified below this; squared losses.",
    )
    checkpoint_every: Count | None = Field(
        None,
        description="Save a checkpoint after every so many epochs, besides those by time (10 s apart or more, for at "
        "most 1 % of the time), at the end and when stopped.",
    )


class CrossValidationConfig(Section):
    """The train split in K parts: each is held out once, and predicted by a model that is trained on the others."""

    folds: Annotated[int, Field(ge=2), BeforeValidator(integral)] = Field(
        description="How many parts. Drawn at random from `seed`, or in order where `data.split.shuffle` is false."
    )


class EvaluateConfig(Section):
    """What is evaluated besides the splits."""

    cross_validation: CrossValidationConfig | None = Field(
        None,
        description="`{folds: K}`: mean and spread of each metric over K held-out parts of the train split, in "
        "`metrics.json`; null: none.",
    )


class Config(Section):
    """The whole config."""

    #: Longest run name, so that paths stay below the limits of file systems.
    MAX_NAME: ClassVar[int] = 100

    name: str = Field(
        "run",
        max_length=MAX_NAME,
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*$",
        description="Run ids are NAME-0001, NAME-0002, ...",
    )
    seed: Seed = Field(0, description="Everything random follows from it.")
    data: DataConfig = Field(description="Where the rows come from; *required*.")
    preprocess: PreprocessConfig = Field(PreprocessConfig(), description="What happens to the columns before training.")
    model: ModelConfig = Field(ModelConfig(), description="The linear layer.")
    loss: Literal["mse", "sse", "half_mse", "mae", "huber"] = Field(
        "mse",
        description="mse: mean of e^2; sse: sum of e^2; half_mse: mean of e^2/2; mae: mean of |e|; "
        "huber: mean of torch's Huber loss.",
    )
    huber_delta: Positive = Field(
        1.0, description="Where the Huber loss turns from e^2/2 to delta (|e| - delta/2), in trained units."
    )
    optimizer: OptimizerConfig = Field(OptimizerConfig(), description="torch.optim.SGD.")
    train: TrainConfig = Field(TrainConfig(), description="How long, on what, in which order.")
    evaluate: EvaluateConfig = Field(EvaluateConfig(), description="What is evaluated besides the splits.")
    probe: tuple[Point, ...] = Field(
        (),
        description="Rows of feature values, in original units (text for a category), that are predicted before and "
        "after training.",
    )
    gates: tuple[str, ...] = Field(
        (), description="Such as `test.r2 >= 0.9`; one that does not hold fails the run (exit code 5)."
    )
    plots: bool = Field(True, description="Draw the pictures at the end of training.")


#: Each section by its path; a tuple key ends in the value of its `source` or `kind`.
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
    ("evaluate", "cross_validation"): CrossValidationConfig,
}
