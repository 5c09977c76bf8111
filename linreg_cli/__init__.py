"""linreg: linear regression by gradient descent, from a YAML file to a run you can look at.

    run = linreg_cli.train("houses.yaml", {"optimizer.lr": 0.1})

Importing the package imports nothing else; each of its names is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from linreg_cli import errors
    from linreg_cli.api import Run, load_run, train
    from linreg_cli.estimator import SGDLinearRegression

__version__ = "0.1.0"
__all__ = ["Run", "SGDLinearRegression", "errors", "load_run", "train"]

#: Name -> the module that has it; None: it is a module.
_WHERE = {
    "Run": "api",
    "SGDLinearRegression": "estimator",
    "errors": None,
    "load_run": "api",
    "train": "api",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = _WHERE[name]
    return import_module(f"{__name__}.{name}") if module is None else getattr(
        import_module(f"{__name__}.{module}"), name
    )  # fmt: skip


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
