"""Every page of the documentation runs as it is written, is short, and leads somewhere."""

import re
import shlex

import pytest
import typer.main
from conftest import REPOSITORY
from pages import DOCS, PAGES, anchors, assert_shown, blocks, links, numbers, paragraphs, play, prose, same
from translations import CHINESE

from linreg_cli.cli.app import app

#: The longest paragraph of a page, in characters.
LONGEST = 600
#: Page -> the file whose tests run it.
ELSEWHERE = {
    "docs/learning.md": "test_learning.py",
    "docs/ci.md": "test_ci.py",
    "docs/gallery.md": "test_docs.py",
    "docs/trackers.md": "test_trackers.py",
    "docs/howto/outside.md": "test_outside.py",
    "docs/howto/processes.md": "test_ranks.py",
}
#: How-to page -> numbers in its text that are facts of the tool, or calculated, and not printed on the page.
FACTS = {
    "docs/howto/check.md": {25, 100 * 0.86334},
    "docs/howto/columns.md": {1970},
    "docs/howto/convergence.md": {1e-7, 0.01},
    "docs/howto/export.md": {1970, 1e-12, 1e-5, 32, 64},
    "docs/howto/outside.md": {20, 1.30},  # versions
    "docs/howto/parts.md": {0.9, 1.2, 1.0, 1.7, 1e6},  # measured
    "docs/howto/processes.md": {
        137,
        200,
        64,
        1e6,
        2e6,
        32,
        14.3,
        15.7,
        10.6,
        10.0,
        2.4,
        7.3,
        7.7,
        6.4,
    },  # facts, measured
    "docs/howto/large.md": {1e7, 20, 1e7 * 20 * 4 / 1e9, 1e7 * 20 * 8 / 1e9, 100, 100 - 1, 1e4, 1e6, 1.4, 8 + 4, 24},
}
ENGINES = ("reference", "native", "statistics", "exact")
#: Page -> what its blocks that cannot be run begin with, and why they cannot.
NOT_RUN = {
    "docs/install.md": {"uv": "installs packages"},
    "README.md": {"make": "installs packages"},
}
#: The code of a translation is that of its original, which `test_docs_chinese.py` holds.
WITH_BLOCKS = [
    name
    for name, page in PAGES.items()
    if name not in ELSEWHERE and name not in CHINESE.values() and any(block.language for block in blocks(page))
]


@pytest.mark.parametrize("name", WITH_BLOCKS)
def test_a_page_does_what_it_says(linreg, tmp_path, name):
    reasons = NOT_RUN.get(name, {})
    left_out = [block for block in blocks(PAGES[name]) if block.code.startswith(tuple(reasons))]
    assert len({block.code.split()[0] for block in left_out}) == len(reasons)
    done = play(PAGES[name], linreg, tmp_path, skip=lambda code: code.startswith(tuple(reasons)))
    assert done + len(left_out) == len(blocks(PAGES[name]))


def test_a_page_that_is_run_elsewhere_is_run_there():
    for page, file in ELSEWHERE.items():
        assert page.rpartition("/")[2].removesuffix(".md") in (REPOSITORY / "tests" / file).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [name for name in PAGES if name not in ("docs/commands.md", "docs/architecture.md")])
def test_an_output_that_is_shown_stands_below_its_command(name):
    assert [block.code for block in blocks(PAGES[name]) if block.language in ("text", "")] == []


@pytest.mark.parametrize("name", PAGES)
def test_no_paragraph_and_no_cell_of_a_table_is_long(name):
    cells = [cell for row in re.findall(r"^\|.*", PAGES[name], flags=re.MULTILINE) for cell in row.split("|")]
    assert [text[:60] for text in (*paragraphs(PAGES[name]), *cells) if len(text) > LONGEST] == []


@pytest.mark.parametrize("name", [name for name in PAGES if "/howto/" in name])
def test_a_number_in_the_text_of_a_how_to_page_is_one_that_was_printed(name):
    page = PAGES[name]
    code = "".join(f"{block.code}{block.shown or ''}" for block in blocks(page)).replace("=", " ")
    known = {abs(number) for number in numbers(code)} | FACTS.get(name, set()) | set(range(10))

    def is_known(number: float) -> bool:
        digits = len(f"{number:g}".replace(".", "").lstrip("0"))
        return any(f"{each:.{digits}g}" == f"{number:.{digits}g}" for each in known)

    assert [number for number in numbers(prose(page)) if not is_known(abs(number))] == []


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_to_pages_and_headings_that_are_there(name):
    here = REPOSITORY / name
    for link in links(PAGES[name]):
        path, _, heading = link.partition("#")
        there = (here.parent / path).resolve() if path else here
        assert there.exists(), link
        assert not heading or heading in anchors(there.read_text(encoding="utf-8")), link


def test_the_map_has_every_page():
    found = {(DOCS / link.partition("#")[0]).resolve() for link in links(PAGES["docs/README.md"])}
    lost = [name for name in PAGES if name.startswith("docs/") and (REPOSITORY / name).resolve() not in found]
    assert lost == ["docs/README.md"]
    assert "](docs/README.md)" in PAGES["README.md"]


def test_commands_in_the_text_have_options_that_are_there():
    root = typer.main.get_command(app)
    checked = 0
    for name, page in PAGES.items():
        for code in re.findall(r"`(linreg [a-z][^`\n]*)`", page):
            words = shlex.split(code.partition(" | ")[0])[1:]
            if words[0] in ENGINES:  # a column of a table of the benchmarks
                continue
            command = root
            while hasattr(command, "commands") and words and re.fullmatch(r"[a-z-]+", words[0]):
                assert words[0] in command.commands, (name, code)
                command = command.commands[words.pop(0)]
            known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
            options = [word.partition("=")[0] for word in words if re.match("--?[a-z]", word)]
            assert [option for option in options if option not in known] == [], (name, code)
            checked += 1
    assert checked > 20


def test_what_the_checks_of_a_page_would_find():
    page = "A `b`\nc [d](e.md#f).\n- g\n  h\n\n| i | j |\n\n"
    page += "```sh\nlinreg k\n```\n\n```text\n1.5 s, 2\n...\n4\n```\n## F, g\n"
    assert paragraphs(page) == ["A `b` c [d](e.md#f).", "- g h"]
    assert links(page) == ["e.md#f"]
    assert anchors(page) == {"f-g"}
    [block] = blocks(page)
    assert (block.language, block.code, block.shown) == ("sh", "linreg k\n", "1.5 s, 2\n...\n4\n")
    assert_shown(block.shown, "0\n9 s, 2\n3\n4\n")
    for wrong in ("1.5 s, 3\n4\n", "4\n1.5 s, 2\n", "1.5 s, 2\n5\n"):
        with pytest.raises(AssertionError):
            assert_shown(block.shown, wrong)
    assert same("a 1,000.5 b", "a  1,000.5001 b")
    assert not same("a 1,000.5 b", "a 1,001.5 b")
    assert numbers("−2 and 1.5e-3 in 3.2 s") == [-2, 1.5e-3]
