"""How several runs are distinguished in one picture: by colour, dashes and markers together."""

from typing import Any

#: Okabe and Ito's palette, in an order in which neighbours differ most.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#4D4D4D")
MARKERS = "osD^vP"
DASHES: tuple[Any, ...] = ("-", (0, (6, 1.5, 1, 1.5)), (0, (1, 1)), (0, (6, 1, 1, 1, 1, 1)), (0, (10, 1)))
