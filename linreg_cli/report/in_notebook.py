"""A run as it is shown in a notebook: its head, its coefficients and two pictures."""

from linreg_cli.findings import shown
from linreg_cli.report import about, parameters, results
from linreg_cli.report.contents import contents_of
from linreg_cli.report.found import findings_of
from linreg_cli.report.markup import Html, bullets, element, message, stack, text
from linreg_cli.runs.store import RunFolder

#: Two of these: a run with one feature has the fitted line.
_PICTURES = ("loss", "fit", "predicted")
#: A notebook has its own style; this is for what it does not know.
_STYLE = """
.linreg-run .pictures { display: flex; flex-wrap: wrap; gap: 1rem; }
.linreg-run figure { flex: 1 1 20rem; max-width: 36rem; margin: 0; }
.linreg-run img { width: 100%; height: auto; background: #fff; }
.linreg-run caption, .linreg-run th:first-child { text-align: left; }
.linreg-run dl > div { display: flex; gap: 0.5rem; }
.linreg-run .scroll { overflow-x: auto; }
"""


def in_notebook(run: RunFolder) -> Html:
    """A part of a page; the same files give the same text.

    Raises:
        StoreError: if a file that every report needs is damaged.
    """
    contents = contents_of(run)
    warnings = shown([each["message"] for each in findings_of(contents.record())])
    return element(
        "div",
        Html(f"<style>{_STYLE}</style>"),
        element("h3", text(contents.id)),
        stack(
            about.opening(contents),
            bullets([message(each) for each in warnings]),
            results.metrics(contents),
            parameters.parameters(contents),
            results.pictures(contents, _PICTURES, most=2),
        ),
        class_="linreg-run",
    )
