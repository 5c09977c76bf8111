"""The bar on a terminal: one line that never is wider than the terminal."""

from collections.abc import Sequence
from typing import Any

#: Characters of the bar itself: as many as there is room for, between these.
NARROWEST, WIDEST = 4, 24


class Bar:
    """A line at the bottom of a terminal, on stderr: what is being done, a bar, and what is known of it."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn
        from rich.table import Column

        # What is printed meanwhile passes through rich, which would break its lines, and with them commands to paste.
        self._console, self._drawn = Console(stderr=True, soft_wrap=True), BarColumn(bar_width=WIDEST)
        whole = Column(no_wrap=True)
        self._progress = Progress(
            TextColumn("{task.description}", markup=False, table_column=whole),
            self._drawn,
            TextColumn("{task.fields[text]}", markup=False, table_column=whole),
            console=self._console,
            transient=True,
        )
        self._task = self._progress.add_task("", total=None, text="")
        self._progress.start()

    def show(
        self, doing: str, parts: Sequence[str] = (), *, last: str = "", done: int = 0, total: int | None = None
    ) -> None:
        """Show a state.

        Args:
            doing: what is being done, in a few words.
            parts: what is known of it, the most important first; those that do not fit are left out.
            last: what stands at the end, and has its place before all but the first of `parts`.
            done: how much is done.
            total: of how much; None: not known.
        """
        text, width = fitted(self._console.width, doing, parts, last)
        self._drawn.bar_width = width
        settings: dict[str, Any] = {"description": doing, "total": total, "completed": done, "text": text}
        self._progress.update(self._task, **settings)

    def stop(self) -> None:
        """Remove the line."""
        self._progress.stop()


def fitted(width: int, doing: str, parts: Sequence[str], last: str = "") -> tuple[str, int]:
    """The text behind the bar, and the width of the bar, so that the line fits; see `Bar.show`.

    >>> fitted(80, "training", ["epoch 3/10", "loss 0.0123456", "gap 0.00123", "lr 0.001"], "3 s left")
    ('epoch 3/10  loss 0.0123456  gap 0.00123  lr 0.001  3 s left', 10)
    >>> fitted(40, "training", ["epoch 3/10", "loss 0.0123456", "gap 0.00123", "lr 0.001"], "3 s left")
    ('epoch 3/10  3 s left', 9)
    >>> fitted(20, "training", ["epoch 3/10"], "3 s left")
    ('', 10)
    """
    room = width - len(doing) - 3 - NARROWEST
    chosen: list[str] = []
    for part in [*parts[:1], last, *parts[1:]]:
        if part and sum(len(each) + 2 for each in chosen) + len(part) <= room:
            chosen.append(part)
    text = "  ".join([*(part for part in parts if part in chosen), *([last] if last in chosen else [])])
    free = width - len(doing) - 2 - (len(text) + 1 if text else 0)
    return text, max(1, min(WIDEST, free))
