"""The formula as an ONNX graph of basic operators, which work in float64; those of `ai.onnx.ml` do not.

One input for each column, shape (N, 1), and one output for each target. A missing number is nan, a missing text empty.
The sum is computed in the order of `LinearFormula`, so that a runtime that rounds as IEEE 754 says gives its bits.
"""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from linreg_cli import __version__
from linreg_cli.config.terms import Factor
from linreg_cli.data.columns.kinds import Column
from linreg_cli.data.encoding.inputs import CategoryInput, Input, NumberInput
from linreg_cli.data.encoding.levels import MISSING_LEVEL
from linreg_cli.evaluation.predict import prediction_names
from linreg_cli.export.as_json import document
from linreg_cli.export.formula import Formula, FormulaTerm, Indicator
from linreg_cli.export.rows import Cells

#: Texts can be compared from 19 on.
OPSET = 19
IR_VERSION = 9

_TYPES = {"float64": TensorProto.DOUBLE, "float32": TensorProto.FLOAT}
_NOT_EXPRESSED = (
    "a level that is not among the levels of its column counts as none of them, also where the run refuses it",
    "texts are compared as they are; the run ignores blanks around them and knows other forms of a number",
    "a number that stands for a missing cell, such as -999, is that number; only nan is missing",
    "a part of a date, such as days(d), is an input, which the caller computes",
    "a value outside the domain of a function gives nan or an infinity; the run refuses it",
)


class _Graph:
    """The nodes and the constants so far. The names that are made begin as no column does."""

    def __init__(self, formula: Formula, dtype: str) -> None:
        self.dtype = np.dtype(dtype)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._prefix = "_"
        while any(each.column.startswith(self._prefix) for each in formula.inputs):
            self._prefix += "_"

    def node(self, operator: str, *inputs: str, name: str | None = None, **attributes: Any) -> str:
        """Append a node; gives the name of its output."""
        name = name or f"{self._prefix}{len(self.nodes)}_{operator.lower()}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def constant(self, values: Any) -> str:
        """Append numbers; gives their name."""
        name = f"{self._prefix}c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values, dtype=self.dtype), name))
        return name

    def texts(self, values: tuple[str, ...]) -> str:
        """Append texts, shape (1, n); gives their name."""
        name = f"{self._prefix}c{len(self.constants)}"
        encoded = [each.encode() for each in values]
        self.constants.append(helper.make_tensor(name, TensorProto.STRING, [1, len(encoded)], encoded))
        return name

    def as_number(self, truth: str) -> str:
        """1 or 0."""
        return self.node("Cast", truth, to=_TYPES[self.dtype.name])

    def chosen(self, condition: str, first: str, second: str) -> str:
        """The first where the condition holds, else the second."""
        return self.node("Where", condition, first, second)


class _Values:
    """What the terms are made of, each once in the graph."""

    def __init__(self, graph: _Graph, formula: Formula) -> None:
        self._graph, self._formula = graph, formula
        self._inputs = {each.column: each for each in formula.inputs}
        self._known: dict[Factor | Indicator, str] = {}

    def of(self, factor: Factor | Indicator) -> str:
        """The name of the values of a factor, shape (N, 1)."""
        if factor not in self._known:
            made = self._indicator(factor) if isinstance(factor, Indicator) else self._number(factor)
            self._known[factor] = made
        return self._known[factor]

    def product(self, term: FormulaTerm) -> str:
        """The name of the values of a term, shape (N, 1)."""
        first, *others = map(self.of, term.factors)
        for other in others:
            first = self._graph.node("Mul", first, other)
        return first

    def missing(self, column: str) -> str:
        """The name of: is the cell missing, shape (N, 1)."""
        graph = self._graph
        if isinstance(self._inputs[column], NumberInput):
            return graph.node("IsNaN", column)
        marks = tuple(dict.fromkeys(("", *self._formula.missing_values)))
        found = graph.node("Equal", column, graph.texts(marks[:1]))
        for mark in marks[1:]:
            found = graph.node("Or", found, graph.node("Equal", column, graph.texts((mark,))))
        return found

    def without(self) -> list[str]:
        """nan for rows that have no prediction since a text is missing, else 0; a number that is missing is nan."""
        graph, found = self._graph, []
        for each in self._formula.inputs:
            if isinstance(each, CategoryInput) and each.missing != "level" and not each.ignores_gaps:
                none, zero = graph.constant(np.nan), graph.constant(0.0)
                found.append(graph.chosen(self.missing(each.column), none, zero))
        return found

    def _indicator(self, factor: Indicator) -> str:
        graph = self._graph
        if factor.level == MISSING_LEVEL:
            return graph.as_number(self.missing(factor.column))
        return graph.as_number(graph.node("Equal", factor.column, graph.texts((factor.level,))))

    def _number(self, factor: Factor) -> str:
        graph, fill = self._graph, self._formula.fills.get(factor.column)
        if not factor.is_plain:
            values = self.of(Factor(factor.column))
            if factor.function is None:
                return graph.node("Pow", values, graph.constant(factor.power))
            return (
                _log1p(graph, values)
                if factor.function == "log1p"
                else graph.node({"log": "Log", "sqrt": "Sqrt"}[factor.function], values)
            )
        if fill is None:
            return factor.column
        return graph.chosen(self.missing(factor.column), graph.constant(fill), factor.column)


def _log1p(graph: _Graph, x: str) -> str:
    """log(1 + x) to the last digits also near 0: x log(u) / (u - 1), where u is 1 + x as it is rounded."""
    one = graph.constant(1.0)
    u = graph.node("Add", x, one)
    ratio = graph.node("Div", graph.node("Log", u), graph.node("Sub", u, one))
    return graph.chosen(graph.node("Equal", u, one), x, graph.node("Mul", x, ratio))


def _expm1(graph: _Graph, z: str) -> str:
    """exp(z) - 1 to the last digits also near 0: (u - 1) z / log(u), where u is exp(z) as it is rounded."""
    one = graph.constant(1.0)
    u = graph.node("Exp", z)
    less = graph.node("Sub", u, one)
    near = graph.node("Div", graph.node("Mul", less, z), graph.node("Log", u))
    far = graph.node("Greater", graph.node("Abs", z), one)
    return graph.chosen(graph.node("Equal", u, one), z, graph.chosen(far, less, near))


def content(formula: Formula, dtype: str) -> bytes:
    """The file.

    Args:
        formula: the model.
        dtype: `float64` or `float32`, of numbers, weights and predictions.
    """
    graph = _Graph(formula, dtype)
    names = prediction_names(formula.targets, [each.column for each in formula.inputs])
    values = _Values(graph, formula)
    rows = values.without()
    for position, name in enumerate(names):
        _target(graph, values, formula, position, rows, name)
    inputs = [helper.make_tensor_value_info(each.column, _type(each, dtype), ["N", 1]) for each in formula.inputs]
    outputs = [helper.make_tensor_value_info(name, _TYPES[dtype], ["N", 1]) for name in names]
    made = helper.make_graph(graph.nodes, "linreg", inputs, outputs, graph.constants)
    opsets = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(made, opset_imports=opsets, ir_version=IR_VERSION, producer_name="linreg")
    model.producer_version = __version__
    helper.set_model_props(model, _metadata(formula, dict(zip(names, formula.targets, strict=True))))
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def _target(graph: _Graph, values: _Values, formula: Formula, position: int, rows: list[str], name: str) -> None:
    """The nodes of the prediction of one target."""
    total: str | None = None
    for term in formula.terms:
        part = graph.node("Mul", values.product(term), graph.constant(term.weights[position]))
        total = part if total is None else graph.node("Add", total, part)
    assert total is not None
    total = graph.node("Add", total, graph.constant(formula.bias[position]))
    for each in rows:
        total = graph.node("Add", total, each)
    if formula.transform == "log":
        total = graph.node("Exp", total)
    elif formula.transform == "log1p":
        total = _expm1(graph, total)
    graph.node("Identity", total, name=name)


def _type(each: Input, dtype: str) -> int:
    return int(_TYPES[dtype] if isinstance(each, NumberInput) else TensorProto.STRING)


def _metadata(formula: Formula, outputs: Mapping[str, str]) -> dict[str, str]:
    """What the graph does not say: names, levels, units, and what cannot be expressed."""
    return {
        "linreg.run": formula.run,
        "linreg.outputs": json.dumps(outputs, ensure_ascii=False),
        "linreg.units": "inputs and outputs are in the original units of the table",
        "linreg.columns": json.dumps(document(formula)["columns"], ensure_ascii=False),
        "linreg.estimate": formula.estimate,
        "linreg.missing": json.dumps(["", *formula.missing_values], ensure_ascii=False),
        "linreg.not_expressed": json.dumps(_NOT_EXPRESSED),
    }


def predictions(written: bytes, cells: Cells, dtype: str) -> Column:
    """What onnxruntime predicts, or, where it is not installed, the evaluator of onnx; shape (n_rows, n_targets)."""
    feed = {}
    for column, values in cells.items():
        is_text = values.dtype == object
        texts = np.array(["" if cell is None else cell for cell in values], dtype=object) if is_text else values
        feed[column] = (texts if is_text else texts.astype(dtype))[:, None]
    try:
        import onnxruntime
    except ImportError:
        from onnx.reference import ReferenceEvaluator

        found = ReferenceEvaluator(onnx.load_from_string(written)).run(None, feed)
    else:
        found = onnxruntime.InferenceSession(written, providers=["CPUExecutionProvider"]).run(None, feed)
    return np.hstack(found).astype(np.float64)
