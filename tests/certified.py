"""NIST's Statistical Reference Datasets of linear regression, and an exact solver in fractions to check them by.

Data and certified values: National Institute of Standards and Technology, StRD, Linear Regression, public domain.
Longley, Filip and Norris are not typed in here; their tests read them from the folder of real tables.
"""

from collections.abc import Sequence
from fractions import Fraction

_PONTIUS_Y = (
    ".11019 .21956 .32949 .43899 .54803 .65694 .76562 .87487 .98292 1.09146 1.20001 1.30822 1.41599 1.52399 1.63194 "
    "1.73947 1.84646 1.95392 2.06128 2.16844 .11052 .22018 .32939 .43886 .54798 .65739 .76596 .87474 .98300 1.09150 "
    "1.20004 1.30818 1.41613 1.52408 1.63159 1.73965 1.84696 1.95445 2.06177 2.16829"
)
_HALF = [759, -2048, 2048, -2048, 2523, -2048, 2048, -2048, 1838, -2048]
#: Orthogonal to every power of x = 0..20 up to the fifth.
WAMPLER_DELTAS = [*_HALF, 2048, *_HALF[::-1]]

Rows = tuple[list[list[str]], list[str]]


def _powers(values: Sequence[int], most: int) -> list[list[str]]:
    return [[str(value**power) for power in range(1, most + 1)] for value in values]


def _wampler(size: int) -> Rows:
    y = [sum(x**j for j in range(6)) + size * delta for x, delta in zip(range(21), WAMPLER_DELTAS, strict=True)]
    return _powers(range(21), 5), [str(value) for value in y]


def _wampler2() -> Rows:
    # In units of 1e-5: (x / 10)^j is x^j 10^(5 - j) of them.
    y = [sum(x**j * 10 ** (5 - j) for j in range(6)) for x in range(21)]
    return _powers(range(21), 5), [f"{value // 100_000}.{value % 100_000:05d}" for value in y]


#: name -> (columns of each row as text, targets as text, whether there is an intercept, certified parameters, certified
#: residual sum of squares, digits that the stored numbers and the condition number leave).
SETS: dict[str, tuple[Rows, bool, list[float], float, int]] = {
    "Pontius": (
        (_powers([150_000 * (i % 20 + 1) for i in range(40)], 2), _PONTIUS_Y.split()), True,
        [0.673565789473684e-03, 0.732059160401003e-06, -0.316081871345029e-14], 0.155761768796992e-05, 11,
    ),
    "NoInt1": (
        ([[str(x)] for x in range(60, 71)], [str(y) for y in range(130, 141)]), False,
        [2.07438016528926], 127.272727272727, 14,
    ),
    "NoInt2": (([["4"], ["5"], ["6"]], ["3", "4", "4"]), False, [0.727272727272727], 0.272727272727273, 14),
    "Wampler1": (_wampler(0), True, [1.0] * 6, 0.0, 6),
    "Wampler2": (_wampler2(), True, [1.0, 0.1, 0.01, 0.001, 1e-4, 1e-5], 0.0, 6),
    "Wampler3": (_wampler(1), True, [1.0] * 6, 83554268.0, 6),
    "Wampler4": (_wampler(100), True, [1.0] * 6, 835542680000.0, 6),
    "Wampler5": (_wampler(10_000), True, [1.0] * 6, 8355426800000000.0, 6),
}  # fmt: skip


def solve(rows: Rows, *, intercept: bool) -> tuple[list[Fraction], Fraction]:
    """Least squares in fractions, by the normal equations: parameters (the intercept first) and sum of squares."""
    A = [[Fraction(1)] * intercept + [Fraction(cell) for cell in row] for row in rows[0]]
    y, p = [Fraction(cell) for cell in rows[1]], len(A[0])
    N = [[sum((a[i] * a[j] for a in A), Fraction(0)) for j in range(p)] for i in range(p)]
    for i in range(p):
        N[i].append(sum((a[i] * value for a, value in zip(A, y, strict=True)), Fraction(0)))
    for i in range(p):
        pivot = next(k for k in range(i, p) if N[k][i])
        N[i], N[pivot] = N[pivot], N[i]
        N[i] = [value / N[i][i] for value in N[i]]
        for k in range(p):
            if k != i and N[k][i]:
                factor = N[k][i]
                N[k] = [a - factor * b for a, b in zip(N[k], N[i], strict=True)]
    theta = [row[-1] for row in N]
    residuals = [value - sum(c * t for c, t in zip(a, theta, strict=True)) for a, value in zip(A, y, strict=True)]
    return theta, sum((r * r for r in residuals), Fraction(0))
