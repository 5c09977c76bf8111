"""A reporter that shows nothing: a program reads what happened from the run folder."""

from linreg_cli.data.summary import DataSummary
from linreg_cli.findings import Finding
from linreg_cli.optim.fit import Event
from linreg_cli.optim.plan import StepPlan


class Silent:
    """See `prepared.Reporter`."""

    def stage(self, text: str) -> None:
        """Nothing is shown."""

    def detail(self, text: str) -> None:
        """Nothing is shown."""

    def warn(self, finding: Finding) -> None:
        """Nothing is shown; `run.json` has it."""

    def data(self, summary: DataSummary) -> None:
        """Nothing is shown; `run.json` has it."""

    def training(self, plan: StepPlan, run: str) -> None:
        """Nothing is shown."""

    def event(self, event: Event) -> None:
        """Nothing is shown; `history.csv` has it."""

    def done(self) -> None:
        """Nothing is shown."""
