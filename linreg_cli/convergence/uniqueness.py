"""The warning about an optimum that is not unique: which columns are linearly dependent, and how."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from linreg_cli.convergence import affordable
from linreg_cli.convergence.problem import Problem
from linreg_cli.data import Preprocessor
from linreg_cli.data.checks.wording import listed
from linreg_cli.data.columns.divided import Part
from linreg_cli.data.encoding.derived import DerivedInput
from linreg_cli.data.encoding.inputs import Input, NumberInput
from linreg_cli.data.scaling import Scaling
from linreg_cli.findings import Finding
from linreg_cli.least_squares.dependence import Combination, sampled_combinations
from linreg_cli.least_squares.factor import BLOCK_ROWS, Array
from linreg_cli.remedies import for_columns, leave_out, setting
from linreg_cli.wording import plural

#: The number of dependences that are written out; the others are counted.
_SHOWN = 3

_CONSEQUENCE = "The weights depend on the initial values, the predictions of the train split do not"


def not_unique(problem: Problem, preprocessor: Preprocessor) -> Finding | None:
    """A warning if several parameters have the lowest loss, with the dependent columns and their dependence.

    Args:
        problem: the plan and the train split.
        preprocessor: of the run; constant columns that it sets to 0 have no effect and are not named.

    Returns:
        The warning in original units; None if the optimum is unique, or with weight decay, which makes it unique.
    """
    if problem.plan.weight_decay:
        return None
    n, p = problem.plan.n_samples, len(problem.features) + problem.bias
    if n < p:
        ways = "use more rows or fewer columns, or set optimizer.weight_decay"
        why = f"{plural(n, 'row')} {'is' if n == 1 else 'are'} fewer than {plural(p, 'parameter')}"
        return Finding("collinear", f"the optimum is not unique: {why}. {_CONSEQUENCE}; {ways}")
    if problem.no_factor_reason:  # the rank of a table that takes too long to factorise is not known
        found, rank = _sampled(problem), ""
    else:
        found, rank = problem.combinations, f" (rank {problem.factor.rank} of {p})"
    scaling = preprocessor.features
    left_out = {name for name, scale in zip(scaling.columns, scaling.scale, strict=True) if not scale}
    effective = [each for each in found if each.name not in left_out]
    if not effective:
        return None
    column_of = {feature: each.column for each in preprocessor.inputs.inputs for feature in each.features}
    constant = [each.name for each in found if not each.terms]
    parts = [f"{listed(constant)} {'is' if len(constant) == 1 else 'are'} constant"] if constant else []
    phrases = list(_phrases([_original(each, scaling) for each in effective if each.terms], column_of))
    more = len(phrases) - _SHOWN
    parts += phrases[:_SHOWN] + ([f"and {more} more columns are dependent"] if more > 0 else [])
    if given := _more_as_given(problem, scaling):
        words = f"the optimum is not unique in float32{rank[:-1]}, and {given[0]} as given)"
        return Finding("collinear", f"{words}: within its rounding, {'; '.join(parts)}. {_CONSEQUENCE}; {given[1]}")
    return Finding(
        "collinear",
        f"the optimum is not unique{rank}: {'; '.join(parts)}. {_CONSEQUENCE}; "
        f"set {_fewer_inputs(effective, preprocessor.inputs.inputs)}, or optimizer.weight_decay",
    )


def _fewer_inputs(dependent: Sequence[Combination], inputs: Sequence[Input | DerivedInput]) -> str:
    """The lines that leave dependent inputs out: columns, or the indicators of missing cells of numbers alone."""
    column_of = {feature: each.column for each in inputs for feature in each.features}
    gaps = {each.of_gaps: each.column for each in inputs if isinstance(each, NumberInput) and each.of_gaps}
    filled, columns = [], []
    for each in dependent:
        only = next(iter(each.terms)) if len(each.terms) == 1 else ""
        if each.name in gaps or only in gaps:
            filled.append(gaps.get(each.name) or gaps[only])
        else:
            columns.append(column_of[each.name])
    lines = [for_columns([*dict.fromkeys(filled)], "missing", "mean")] if filled else []
    return " and ".join([*lines, *([leave_out(*dict.fromkeys(columns))] if columns else [])])


def _sampled(problem: Problem) -> list[Combination]:
    """The combinations of a table whose factor takes too long, from a sample of its rows."""
    p = len(problem.features) + problem.bias
    n_sampled = min(len(problem.X_nd), int(affordable.MOST_WORK / p**2))
    if problem.range_reason or n_sampled <= p:
        return []
    return sampled_combinations(
        problem.X_nd, problem.features, bias=problem.bias, eps=problem.unit, n_sampled=n_sampled
    )


def _more_as_given(problem: Problem, scaling: Scaling) -> tuple[int, str] | None:
    """The rank of the table as given, and what to set, if it is larger than that of the values rounded to float32."""
    optimum = problem.optimum_as_given
    if problem.given is None or optimum is None:
        return None
    factor = optimum.factor
    # Scaled values are as precise as the original ones, which may be far from zero.
    shift = np.divide(np.abs(scaling.center), scaling.scale, out=np.zeros(len(scaling.scale)), where=scaling.scale > 0)
    rank = replace(factor, largest=factor.largest + shift).rank
    if rank <= problem.factor.rank:
        return None
    remedy = f"set {setting('train.dtype', 'float64')}"
    if np.any(scaling.scale != 1):
        return rank, remedy
    # Columns are standardised in float64, before they are rounded: what is rounded then is the distance from the mean.
    reach = np.max(problem.given_rows.of_parts(_furthest, factor.center), axis=0)
    standardized = replace(factor, eps=problem.unit, largest=reach).rank
    return rank, f"{remedy}, or {setting('preprocess.standardize', True)}" if standardized == rank else remedy


def _furthest(part: Part, center_d: Array) -> Array:
    """The largest distance of a value from the center of its column, shape (n_features,); a pass."""
    each = [np.abs(part.X_nd[rows] - center_d).max(axis=0) for rows in part.blocks(BLOCK_ROWS)]
    return np.asarray(np.max(each, axis=0))


def _original(trained: Combination, scaling: Scaling) -> Combination:
    """A linear combination of scaled columns as one of unscaled columns."""
    center = dict(zip(scaling.columns, map(float, scaling.center), strict=True))
    scale = dict(zip(scaling.columns, map(float, scaling.scale), strict=True))
    unit = scale[trained.name]
    terms = {name: weight * unit / scale[name] for name, weight in trained.terms.items()}
    constant = center[trained.name] + unit * trained.constant - sum(w * center[name] for name, w in terms.items())
    return Combination(trained.name, terms, constant if abs(constant) > 1e-6 * unit else 0.0)


def _phrases(combinations: Sequence[Combination], column_of: Mapping[str, str]) -> Iterator[str]:
    """Linear combinations in words, with those of the levels of one category in one phrase.

    Args:
        combinations: of the dependent columns.
        column_of: input of the model -> column of the table.
    """
    groups: dict[str, list[Combination]] = {}
    for each in combinations:
        groups.setdefault(column_of[each.name], []).append(each)
    for column, given in groups.items():
        formula = f"{given[0].name}{_formula(given[0])}"
        if len(given) > 1:
            others = dict.fromkeys(column_of[name] for each in given for name in each.terms)
            levels = f"{len(given)} levels of {column} are linear combinations of inputs of {listed(list(others))}"
            formula = f"{levels}, such as {formula}"
        yield formula


def _formula(found: Combination) -> str:
    if len(found.terms) > 4:
        return f" is a linear combination of {listed(list(found.terms))}"
    return f" = {found.formula()}"
