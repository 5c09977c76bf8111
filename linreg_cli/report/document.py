"""The HTML report: of one run, or a comparison of several. The same runs give the same bytes."""

from collections.abc import Sequence
from typing import NamedTuple

from linreg_cli.report import about, comparison, parameters, results
from linreg_cli.report.contents import Shareable, contents_of
from linreg_cli.report.diagnostics import diagnostics
from linreg_cli.report.found import sentences
from linreg_cli.report.markup import Html, element, paragraph, stack, text
from linreg_cli.report.ranking import ranking
from linreg_cli.report.script import SCRIPT, SOURCE
from linreg_cli.report.side_by_side import side_by_side
from linreg_cli.report.style import STYLE
from linreg_cli.runs.store import RunFolder

#: A second defence beside escaping: nothing in the page can load a resource, or run a script but the one that sorts.
_POLICY = (
    f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src {SOURCE}; base-uri 'none'; "
    "form-action 'none'"
)
_FOOT = (
    "Written by linreg report from the files of the run alone. Coefficients and metrics are in the original units of "
    "the columns; times are in UTC; folders are left out of paths."
)


class _Part(NamedTuple):
    """A section: its id in the document, its title, its content."""

    key: str
    title: str
    body: Html | None


def page_of(runs: Sequence[RunFolder]) -> str:
    """The report as one HTML document, which loads nothing else.

    Args:
        runs: one, or several to compare; runs that did not finish are reported, too.

    Raises:
        StoreError: if a run is damaged. A picture that cannot be drawn is reported in the document instead.
    """
    read = [contents_of(run) for run in runs]
    if len(read) == 1:
        [run] = read
        with run.reporting_damage(_FILES):
            parts = _parts(run)
            body = stack(_head(run, "h1"), _links(parts), *(_section(part, "h2") for part in parts))
        return _document(f"{run.id}, {run.record()['status']}", body)
    title = f"Comparison of {len(read)} runs"
    return _document(title, stack(element("h1", text(title)), *_compared(read)))


_FILES = "{run,metrics}.json"


def _compared(runs: Sequence[Shareable]) -> list[Html]:
    anchors = [f"run-{position}" for position in range(1, len(runs) + 1)]
    articles = []
    for anchor, run in zip(anchors, runs, strict=True):
        with run.reporting_damage(_FILES):  # before the tables of all runs, which could not say which run is damaged
            parts = [part._replace(key=f"{anchor}-{part.key}") for part in _parts(run, results.DOTS_OF_SEVERAL)]
            body = [_head(run, "h2"), *(_section(part, "h3") for part in parts)]
        articles.append(element("article", stack(*body), id=anchor))
    overall = [
        _Part("runs", "The runs", comparison.overview(runs, anchors)),
        _Part("loss", "Loss", results.overlaid(runs)),
        _Part("differences", "What differs", comparison.differences(runs)),
        _Part("coefficients", "Coefficients side by side", side_by_side(runs)),
    ]
    overall = [part for part in overall if part.body]
    own = [_Part(anchor, run.id, Html("")) for anchor, run in zip(anchors, runs, strict=True)]
    return [ranking(runs), _links([*overall, *own]), *(_section(part, "h2") for part in overall), *articles]


def _parts(run: Shareable, dpi: int = results.DOTS) -> list[_Part]:
    """The sections of one run, the results first; those without content are left out."""
    candidates = [
        ("coefficients", "Coefficients", parameters.parameters(run)),
        ("diagnostics", "Diagnostics", diagnostics(run)),
        ("pictures", "Pictures", results.pictures(run, dpi=dpi)),
        ("metrics", "Metrics", results.metrics(run)),
        ("gates", "Gates", results.gates(run)),
        ("optimum", "Distance to the optimum", parameters.optimum(run)),
        ("truth", "Truth recovered", parameters.truth(run)),
        ("cross-validation", "Cross-validation", results.cross_validation(run)),
        ("probe", "Probe", results.probe(run)),
        ("training", "Training", about.training(run)),
        ("data", "Data", about.data(run)),
        ("origin", "Provenance", stack(about.summary(run), about.origin(run))),
        ("config", "Config", about.config(run)),
    ]
    return [_Part(key, title, body) for key, title, body in candidates if body]


def _head(run: Shareable, level: str) -> Html:
    said = paragraph(Html(" ".join(sentences(run.record(), run.metrics))), class_="lead")
    rest = stack(about.label(run), said, about.opening(run))
    return element("header", element(level, text(run.id)), Html("\n"), rest)


def _section(part: _Part, level: str) -> Html:
    return element("section", stack(element(level, text(part.title)), part.body), id=part.key)


def _links(parts: Sequence[_Part]) -> Html:
    items = [element("li", element("a", text(part.title), href=f"#{part.key}")) for part in parts]
    return element("nav", element("ul", *items), aria_label="On this page")


def _document(title: str, body: Html) -> str:
    head = stack(
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("title", text(title)),
        element("style", Html(STYLE)),
    )
    main = element("main", Html("\n"), body, Html("\n"))
    foot = element("footer", paragraph(text(_FOOT)))
    page = stack(element("head", head), element("body", main, foot, element("script", Html(SCRIPT))))
    return f"<!doctype html>\n{element('html', page, lang='en')}\n"
