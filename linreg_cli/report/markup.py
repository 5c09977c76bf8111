"""HTML that is safe by its type: text of a run becomes `Html` by `text`, which escapes it; elements take only `Html`.

Every table has a caption, headers for rows and columns, and its own horizontal scrolling; `script.py` sorts those of
three rows and more.
"""

import base64
import re
import struct
from collections.abc import Collection, Iterable, Sequence
from html import escape, unescape
from typing import NewType

from linreg_cli.decimals import cut
from linreg_cli.wording import number, one_line, plural

Html = NewType("Html", str)

#: Rows of a table that are always shown; further ones are in a `details` element.
MOST_ROWS = 40
#: The most rows of a table in all; further ones are counted, since a browser is slow with a page of 100,000 rows.
MOST_FOLDED = 2_000

#: A fact with more characters gets its own line.
_LONG = 50
#: Longer names are cut in captions.
_LONGEST = 60
#: A name without a longer word is broken at its blanks alone.
_WORD = 14
#: Rows from which on their order matters.
_SORTED = 3

#: After these a name is broken before it is broken anywhere else.
_JOINTS = re.compile(r"(?<=[(=:_])(?=[^\s(=:_])")
#: The name of an option in a message.
_OPTION = re.compile(r"(?<!\S)--[a-z][a-z-]*")
_TAG = re.compile("<[^>]*>")
_VOID = ("img", "meta", "wbr")


def text(given: str) -> Html:
    """Escape arbitrary text, on one line.

    >>> text("<b> & '")
    '&lt;b&gt; &amp; &#x27;'
    """
    return Html(escape(one_line(given)))


def lines(given: str) -> Html:
    """Escape arbitrary text, with its line breaks.

    >>> lines("a\\n<b>")
    'a\\n&lt;b&gt;'
    """
    return Html("\n".join(text(line.expandtabs()) for line in given.splitlines()))


def message(given: str) -> Html:
    """Escape a message, with its line breaks; a browser does not part the dashes of an option from its name.

    >>> message("train with --set a=1")
    'train with <span class="option">--set</span> a=1'
    """
    return Html(_OPTION.sub(lambda found: element("span", text(found[0]), class_="option"), lines(given)))


def name(given: str) -> Html:
    """A name from the data, isolated (`bdi`), so that right-to-left text does not reorder what is beside it.

    A long one may be broken after its brackets, signs and underscores rather than inside a word.

    >>> name("a < b"), name("weekday(sold)=2")
    ('<bdi>a &lt; b</bdi>', '<bdi>weekday(<wbr>sold)=<wbr>2</bdi>')
    """
    parts = _JOINTS.split(given) if len(given) > _WORD else [given]
    return element("bdi", Html(element("wbr").join(map(text, parts))))


def short(given: str) -> str:
    """A name in a caption, cut in its middle where it is long; the tables have it whole.

    >>> short("price"), len(short("x" * 300))
    ('price', 60)
    """
    return cut(one_line(given), _LONGEST)


def names(given: Iterable[str]) -> Html:
    """Several names, separated by commas."""
    return Html(", ".join(name(each) for each in given))


def enumerated(parts: Sequence[Html], more: int, noun: str) -> Html:
    """Parts with commas, and `and` before the last, which is the number of those left out if there are any.

    >>> enumerated([text("a"), text("b")], 0, "other"), enumerated([text("a")], 2, "target")
    ('a and b', 'a and 2 more targets')
    """
    left_out = text(plural(more, noun if noun == "other" else f"more {noun}"))
    found = [*parts, *([left_out] if more > 0 else [])]
    return Html(found[0] if len(found) == 1 else f"{', '.join(found[:-1])} and {found[-1]}")


def sentence(*parts: Html) -> Html:
    """Parts as one sentence, which begins with a capital letter unless a name does.

    >>> sentence(text("the fit is "), text("exact"))
    'The fit is exact.'
    """
    joined = "".join(parts)
    if not joined.startswith("<"):
        joined = joined[0].upper() + joined[1:]
    return Html(f"{joined}.")


def figure_of(value: object) -> Html:
    """A number as `wording.number` writes it, escaped.

    >>> figure_of(1234.5), figure_of(None)
    ('1,234.5', '-')
    """
    return text(number(value))


def element(tag: str, *children: Html, **attributes: str) -> Html:
    """One HTML element; the keyword `class_` is the attribute class, and `aria_label` is aria-label.

    >>> element("p", text("a < b"), class_="note")
    '<p class="note">a &lt; b</p>'
    """
    written = "".join(f' {key.rstrip("_").replace("_", "-")}="{text(value)}"' for key, value in attributes.items())
    return Html(f"<{tag}{written}>" + ("" if tag in _VOID else f"{''.join(children)}</{tag}>"))


def stack(*parts: Html | None) -> Html:
    """Elements on consecutive lines, without those that are None or empty."""
    return Html("\n".join(part for part in parts if part))


def paragraph(*parts: Html, class_: str = "") -> Html:
    """A `p` element."""
    return element("p", *parts, **({"class_": class_} if class_ else {}))


def bullets(items: Sequence[Html]) -> Html | None:
    """A `ul` element; None for no items."""
    return element("ul", *(element("li", item) for item in items)) if items else None


def facts(pairs: Sequence[tuple[str, Html | None]]) -> Html:
    """A `dl` element of (term, description) pairs, without those whose description is None."""
    groups = []
    for term, what in pairs:
        if what:
            wide = {"class_": "wide"} if len(_TAG.sub("", what)) > _LONG else {}
            groups.append(element("div", element("dt", text(term)), element("dd", what), **wide))
    return element("dl", Html("\n"), stack(*groups))


def fold(summary: str, *body: Html, **attributes: str) -> Html:
    """A `details` element: closed on the screen, open in print."""
    return element("details", element("summary", text(summary)), *body, **attributes)


def interval(low: str, high: str) -> Html:
    """The ends of an interval, between which alone a line may break.

    >>> interval("-0.5", "1.25")
    '<span>-0.5 to</span> <span>1.25</span>'
    """
    return Html(f"{element('span', text(f'{low} to'))} {element('span', text(high))}")


def table(
    caption: str,
    header: Sequence[str],
    rows: Sequence[Sequence[Html]],
    words: Collection[int] = (0,),
    intervals: Collection[int] = (),
) -> Html:
    """A table whose rows are named by their first cell.

    Args:
        caption: above the table.
        header: the title of each column.
        rows: the cells of each row, as many as there are titles.
        words: positions of the columns of text; the others are numbers and right-aligned.
        intervals: positions of columns of `interval`.
    """
    kinds = ["w" if at in words else "n i" if at in intervals else "n" for at in range(len(header))]
    rest = rows[MOST_ROWS:MOST_FOLDED]
    left = len(rows) - MOST_FOLDED
    shown = _table(caption, header, rows[:MOST_ROWS], kinds, sorts=len(rows) >= _SORTED and left <= 0)
    if not rest:
        return shown
    continued = _table(f"{caption}, continued", header, rest, kinds)
    note = paragraph(text(f"... and {left:,} more, in the files of the run"), class_="note") if left > 0 else None
    return stack(
        shown,
        fold(
            f"The next {len(rest):,} of {len(rows):,} rows"
            if note
            else f"The other {len(rest):,} of {len(rows):,} rows",
            stack(continued, note),
            class_="rows",
        ),
    )


def _table(
    caption: str, header: Sequence[str], rows: Sequence[Sequence[Html]], kinds: Sequence[str], *, sorts: bool = False
) -> Html:
    head = [element("th", name(title), scope="col", class_=kind) for title, kind in zip(header, kinds, strict=True)]
    body = []
    for first, *rest in rows:
        cells = [
            element("td", cell, class_=f"{kind}{_unbroken(cell) if kind == 'w' else ''}")
            for cell, kind in zip(rest, kinds[1:], strict=True)
        ]
        kept = {"class_": "whole"} if _unbroken(first) else {}
        body.append(element("tr", element("th", first, scope="row", **kept), *cells))
    whole = element(
        "table",
        element("caption", text(caption)),
        element("thead", element("tr", *head)),
        element("tbody", Html("\n"), stack(*body)),
        **({"data_sort": ""} if sorts else {}),
    )
    # tabindex: so that a table wider than the page can be scrolled by keyboard. Groups may have the same name.
    return element("div", whole, class_="scroll", role="group", tabindex="0", aria_label=caption)


def _unbroken(cell: Html) -> str:
    """The class of a cell whose words are short enough to stay whole, after a blank; "" for others."""
    words = unescape(_TAG.sub("", cell.replace("<wbr>", " "))).split()
    longest = max((len(word.rstrip(",;")) for word in words), default=0)
    return " whole" if longest <= _WORD else ""


def picture(png: bytes, alt: str, caption: str) -> Html:
    """A picture embedded in the document.

    Args:
        png: the content of a PNG file.
        alt: the text for readers who cannot see it.
        caption: below the picture.
    """
    width, height = struct.unpack(">II", png[16:24])
    source = f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"
    image = element("img", src=source, alt=alt, width=str(width), height=str(height))
    return element("figure", image, element("figcaption", text(caption)))
