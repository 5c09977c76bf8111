"""Whether what residuals show is more than chance: unequal variances, and neighbours that are alike."""

import math

import numpy as np
import numpy.typing as npt

from linreg_cli.least_squares.factor import Array, blocks, matrix
from linreg_cli.least_squares.inference import NO_ROOM, Inference
from linreg_cli.least_squares.solve import Optimum


def chance_of_hc3(optimum: Optimum, X_nd: npt.ArrayLike, fit: Inference, columns: npt.ArrayLike) -> Array:
    """For some coefficients, the two-sided p-value of their HC3 variance if all errors had the same variance.

    It is White's comparison of the two covariance matrices, one coefficient at a time. The HC3 variance is the sum of
    c_i^2 e_i^2 / (1 - h_i)^2, where coefficient = sum of c_i y_i. With equal variances s^2 its mean is
    s^2 times the sum of w_i = c_i^2 / (1 - h_i), and its variance about (k - 1) s^4 times the sum of w_i^2, with the
    kurtosis k of the residuals, as Koenker has it for the Breusch-Pagan test. The p-value is that of the chi-squared
    distribution with this mean and variance. A level with few rows has few terms, so even a large ratio is chance.

    Args:
        optimum: of the same rows.
        X_nd: shape (n_samples, n_features).
        fit: its inference, without a row of leverage 1.
        columns: positions of the coefficients, shape (m,).

    Returns:
        Shape (m,).

    Sources: H. White, A heteroskedasticity-consistent covariance matrix estimator and a direct test for
    heteroskedasticity, 1980; R. Koenker, A note on studentizing a test for heteroscedasticity, 1981;
    E. B. Wilson, M. M. Hilferty, The distribution of chi-square, 1931.
    """
    X, factor = matrix(X_nd), optimum.factor
    to_q = (factor.to_parameters() @ factor.inverse)[np.asarray(columns)]
    first, second = np.zeros(len(to_q)), np.zeros(len(to_q))
    for rows in blocks(len(X)):
        w = (factor.whiten(X[rows], rows) @ to_q.T) ** 2 / np.maximum(1 - fit.leverage[rows], NO_ROOM)[:, None]
        first += w.sum(axis=0)
        second += np.einsum("ij,ij->j", w, w)
    fourth = sum(float(np.sum(fit.standardized_residuals(rows) ** 4)) for rows in blocks(len(X)))
    kurtosis = fourth / len(X)
    degrees = 2 * first**2 / (max(kurtosis - 1, 0.8) * second)
    ratio = fit.std_err_hc3[np.asarray(columns)] ** 2 / (fit.residual_std**2 * first)
    # Wilson and Hilferty: the cube root of chi-squared / degrees is about normal. Below one degree it is not.
    z = (np.cbrt(ratio) - (1 - 2 / (9 * degrees))) / np.sqrt(2 / (9 * degrees))
    return np.where(degrees < 1, 1.0, [two_sided(float(each)) for each in z])


def chance_of_durbin_watson(optimum: Optimum, X_nd: npt.ArrayLike, fit: Inference) -> float:
    """The two-sided p-value of the Durbin-Watson statistic if the errors were independent.

    Its mean is exact, (2 (n - 1) - sum of the squared steps of Q) / (n - p), which is above 2 where the columns are
    smooth in the order of the rows; its standard deviation is about 2 / sqrt(n - p).

    Args:
        optimum: of the same rows.
        X_nd: shape (n_samples, n_features), in the order of the rows.
        fit: its inference.

    Source: J. Durbin, G. S. Watson, Testing for serial correlation in least squares regression, 1950.
    """
    X, factor = matrix(X_nd), optimum.factor
    steps, last = 0.0, np.zeros((0, factor.n_parameters))
    for rows in blocks(len(X)):
        q = np.vstack([last, factor.whiten(X[rows], rows)])
        step = np.diff(q, axis=0)
        steps += float(np.einsum("ij,ij->", step, step))
        last = q[-1:]
    degrees = factor.n_samples - factor.n_parameters
    mean = (2 * (factor.n_samples - 1) - steps) / degrees
    return two_sided((fit.durbin_watson - mean) / (2 / math.sqrt(degrees)))


def two_sided(z: float) -> float:
    """The probability that a standard normal number is farther from 0 than z.

    >>> round(two_sided(1.959964), 6)
    0.05
    """
    return math.erfc(abs(z) / math.sqrt(2))
