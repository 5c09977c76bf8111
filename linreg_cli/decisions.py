"""What was decided for a run, as data: the value, the reason, and whether the program chose it."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Decision:
    """A setting of a run and where it came from.

    Attributes:
        value: what was decided, such as a learning rate or the name of an executor.
        why: the reason, a sentence for people; no code reads it.
        auto: whether the config said `auto`.
    """

    value: float | str
    why: str
    auto: bool

    def as_json(self) -> dict[str, Any]:
        """For `run.json`: `{"value", "why", "auto"}`."""
        return asdict(self)
