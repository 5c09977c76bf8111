"""Whether what residuals show is more than chance: unequal variances, and neighbours that are alike."""

import itertools
import math

import numpy as np
import numpy.typing as npt

from linreg_cli.data.columns.divided import DividedRows, in_order
from linreg_cli.least_squares.factor import Array, blocks
from linreg_cli.least_squares.inference import Inference
from linreg_cli.least_squares.optimum import Optimum
from linreg_cli.least_squares.row_passes import steps_of_basis, terms_of_variances


def chance_of_hc3(optimum: Optimum, rows: DividedRows, fit: Inference, columns: npt.ArrayLike) -> Array:
    """For some coefficients, the two-sided p-value of their HC3 variance if all errors had the same variance.

    It is White's comparison of the two covariance matrices, one coefficient at a time. The HC3 variance is the sum of
    c_i^2 e_i^2 / (1 - h_i)^2, where coefficient = sum of c_i y_i. With equal variances s^2 its mean is
    s^2 times the sum of w_i = c_i^2 / (1 - h_i), and its variance about (k - 1) s^4 times the sum of w_i^2, with the
    kurtosis k of the residuals, as Koenker has it for the Breusch-Pagan test. The p-value is that of the chi-squared
    distribution with this mean and variance. A level with few rows has few terms, so even a large ratio is chance.

    Args:
        optimum: of the same rows.
        rows: those, whose X is read.
        fit: its inference, without a row of leverage 1.
        columns: positions of the coefficients, shape (m,).

    Returns:
        Shape (m,).

    Sources: H. White, A heteroskedasticity-consistent covariance matrix estimator and a direct test for
    heteroskedasticity, 1980; R. Koenker, A note on studentizing a test for heteroscedasticity, 1981;
    E. B. Wilson, M. M. Hilferty, The distribution of chi-square, 1931.
    """
    factor, n = optimum.factor, optimum.factor.n_samples
    to_q = (factor.to_parameters() @ factor.inverse)[np.asarray(columns)]
    found = rows.of_parts(terms_of_variances, factor.bare, to_q)
    first, second = (in_order(each) for each in zip(*found, strict=True))
    kurtosis = sum(float(np.sum(fit.standardized_residuals(some) ** 4)) for some in blocks(n)) / n
    degrees = 2 * first**2 / (max(kurtosis - 1, 0.8) * second)
    ratio = fit.std_err_hc3[np.asarray(columns)] ** 2 / (fit.residual_std**2 * first)
    # Wilson and Hilferty: the cube root of chi-squared / degrees is about normal. Below one degree it is not.
    z = (np.cbrt(ratio) - (1 - 2 / (9 * degrees))) / np.sqrt(2 / (9 * degrees))
    return np.where(degrees < 1, 1.0, [two_sided(float(each)) for each in z])


def chance_of_durbin_watson(optimum: Optimum, rows: DividedRows, fit: Inference) -> float:
    """The two-sided p-value of the Durbin-Watson statistic if the errors were independent.

    Its mean is exact, (2 (n - 1) - sum of the squared steps of Q) / (n - p), which is above 2 where the columns are
    smooth in the order of the rows; its standard deviation is about 2 / sqrt(n - p).

    Args:
        optimum: of the same rows.
        rows: those, whose X is read.
        fit: its inference.

    Source: J. Durbin, G. S. Watson, Testing for serial correlation in least squares regression, 1950.
    """
    factor = optimum.factor
    found = rows.of_parts(steps_of_basis, factor.bare)
    steps: float = in_order([each for each, _, _ in found])
    for (_, _, last), (_, first, _) in itertools.pairwise(found):
        steps += float(np.sum((first - last) ** 2))
    degrees = factor.n_samples - factor.n_parameters
    mean = (2 * (factor.n_samples - 1) - steps) / degrees
    return two_sided((fit.durbin_watson - mean) / (2 / math.sqrt(degrees)))


def two_sided(z: float) -> float:
    """The probability that a standard normal number is farther from 0 than z.

    >>> round(two_sided(1.959964), 6)
    0.05
    """
    return math.erfc(abs(z) / math.sqrt(2))
