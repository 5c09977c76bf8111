"""What every report is within: the HTML document, its sections, and the links to them."""

from collections.abc import Sequence
from typing import NamedTuple

from linreg_cli.report.markup import Html, element, paragraph, stack, text
from linreg_cli.report.script import SCRIPT, SOURCE
from linreg_cli.report.style import STYLE

#: A second defence beside escaping: nothing in the page can load a resource, or run a script but the one that sorts.
_POLICY = (
    f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src {SOURCE}; base-uri 'none'; "
    "form-action 'none'"
)


class Part(NamedTuple):
    """A section: its id in the document, its title, its content."""

    key: str
    title: str
    body: Html


def section(part: Part, level: str) -> Html:
    """A section with its title, `h2` or `h3`."""
    return element("section", stack(element(level, text(part.title)), part.body), id=part.key)


def links(parts: Sequence[Part]) -> Html:
    """The list of sections that a page begins with."""
    items = [element("li", element("a", text(part.title), href=f"#{part.key}")) for part in parts]
    return element("nav", element("ul", *items), aria_label="On this page")


def whole(title: str, body: Html, foot: str) -> str:
    """A page as one HTML document, which loads nothing else.

    Args:
        title: of the document.
        body: what is on the page.
        foot: the text below it.
    """
    head = stack(
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("title", text(title)),
        element("style", Html(STYLE)),
    )
    main = element("main", Html("\n"), body, Html("\n"))
    below = element("footer", paragraph(text(foot)))
    page = stack(element("head", head), element("body", main, below, element("script", Html(SCRIPT))))
    return f"<!doctype html>\n{element('html', page, lang='en')}\n"
