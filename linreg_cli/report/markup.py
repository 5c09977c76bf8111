"""HTML that is safe by its type: what a run says becomes `Html` through `text`, and elements take nothing else.

Tables stand in a box of their own that scrolls sideways, and have a caption and headers for every row and column.
"""

import base64
import re
import struct
from collections.abc import Collection, Iterable, Sequence
from html import escape
from typing import NewType

from linreg_cli.wording import number, one_line

Html = NewType("Html", str)

#: Rows of a table that are always in sight; further ones are folded away.
MOST_ROWS = 40

#: Characters of a fact that gets a line of its own.
_LONG = 50

_TAG = re.compile("<[^>]*>")
_VOID = ("img", "meta", "wbr")


def text(given: str) -> Html:
    """Text that may hold anything, on one line.

    >>> text("<b> & '")
    '&lt;b&gt; &amp; &#x27;'
    """
    return Html(escape(one_line(given)))


def lines(given: str) -> Html:
    """Text that may hold anything, with its line breaks."""
    return Html("\n".join(text(line.expandtabs()) for line in given.splitlines()))


def name(given: str) -> Html:
    """A name from the data: one that is written from right to left does not turn around what stands beside it."""
    return element("bdi", text(given))


def names(given: Iterable[str]) -> Html:
    """Several names, with commas."""
    return Html(", ".join(name(each) for each in given))


def figure_of(value: object) -> Html:
    """A number as it stands in a table."""
    return text(number(value))


def element(tag: str, *children: Html, **attributes: str) -> Html:
    """One element; `class_` is the attribute class, and `aria_label` is aria-label.

    >>> element("p", text("a < b"), class_="note")
    '<p class="note">a &lt; b</p>'
    """
    written = "".join(f' {key.rstrip("_").replace("_", "-")}="{text(value)}"' for key, value in attributes.items())
    return Html(f"<{tag}{written}>" + ("" if tag in _VOID else f"{''.join(children)}</{tag}>"))


def stack(*parts: Html | None) -> Html:
    """Blocks below each other, without those that are None or empty."""
    return Html("\n".join(part for part in parts if part))


def paragraph(*parts: Html, class_: str = "") -> Html:
    """A paragraph."""
    return element("p", *parts, **({"class_": class_} if class_ else {}))


def bullets(items: Sequence[Html]) -> Html | None:
    """A list; None where there is nothing to list."""
    return element("ul", *(element("li", item) for item in items)) if items else None


def facts(pairs: Sequence[tuple[str, Html | None]]) -> Html:
    """Names and what they stand for, without those that are None."""
    groups = []
    for term, what in pairs:
        if what:
            wide = {"class_": "wide"} if len(_TAG.sub("", what)) > _LONG else {}
            groups.append(element("div", element("dt", text(term)), element("dd", what), **wide))
    return element("dl", Html("\n"), stack(*groups))


def fold(summary: str, *body: Html) -> Html:
    """What is not in sight before a reader asks for it; on paper it always is."""
    return element("details", element("summary", text(summary)), *body)


def table(caption: str, header: Sequence[str], rows: Sequence[Sequence[Html]], words: Collection[int] = (0,)) -> Html:
    """A table whose rows are named by their first cell.

    Args:
        caption: what it shows.
        header: of the columns.
        rows: cells, as many a row as the header has.
        words: the columns that hold words; the others hold numbers, and are aligned to the right.
    """
    shown = _table(caption, header, rows[:MOST_ROWS], words)
    rest = rows[MOST_ROWS:]
    if not rest:
        return shown
    continued = _table(f"{caption}, continued", header, rest, words)
    return stack(shown, fold(f"The other {len(rest):,} of {len(rows):,} rows", continued))


def _table(caption: str, header: Sequence[str], rows: Sequence[Sequence[Html]], words: Collection[int]) -> Html:
    kinds = ["w" if position in words else "n" for position in range(len(header))]
    head = [element("th", name(title), scope="col", class_=kind) for title, kind in zip(header, kinds, strict=True)]
    body = []
    for first, *rest in rows:
        cells = [element("td", cell, class_=kind) for cell, kind in zip(rest, kinds[1:], strict=True)]
        body.append(element("tr", element("th", first, scope="row"), *cells))
    whole = element(
        "table",
        element("caption", text(caption)),
        element("thead", element("tr", *head)),
        element("tbody", Html("\n"), stack(*body)),
    )
    # With the keyboard, too, a table that is wider than the page can be scrolled.
    return element("div", whole, class_="scroll", role="region", tabindex="0", aria_label=caption)


def picture(png: bytes, alt: str, caption: str) -> Html:
    """A picture that is part of the page."""
    width, height = struct.unpack(">II", png[16:24])
    source = f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"
    image = element("img", src=source, alt=alt, width=str(width), height=str(height))
    return element("figure", image, element("figcaption", text(caption)))
