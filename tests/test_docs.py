"""The documentation says what the code does."""

import json
import re
import runpy

import pytest
from conftest import CONFIGS, REPOSITORY

from linreg_cli.cli.app import app
from linreg_cli.config.schema import SECTIONS, Section
from linreg_cli.errors import LinregError

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", ["configuration.md", "commands.md", "reference.md", "config.schema.json"])
def test_generated_page_is_up_to_date(page):
    pages = runpy.run_path(str(REPOSITORY / "docs" / "generate.py"))["PAGES"]
    assert (REPOSITORY / "docs" / page).read_text(encoding="utf-8") == pages[page](), "run 'make docs'"


def test_every_command_is_on_the_page():
    page = (REPOSITORY / "docs" / "commands.md").read_text(encoding="utf-8")
    names = [command.name for command in app.registered_commands if not command.hidden]
    for group in app.registered_groups:
        names += [f"{group.name} {command.name}" for command in group.typer_instance.registered_commands]
        names += [] if group.typer_instance.registered_callback is None else [group.name]
    assert len(names) >= 8
    assert [name for name in names if f"\n## linreg {name}\n" not in page] == []


def test_every_section_of_the_schema_is_on_the_page():
    def sections(of: type[Section]) -> set[type[Section]]:
        return {of}.union(*(sections(sub) for sub in of.__subclasses__()))

    assert sections(Section) - {Section} == set(SECTIONS.values())


def test_the_page_about_the_run_folder_has_every_file_and_every_key(linreg, tmp_path):
    page = (REPOSITORY / "docs" / "runs.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([\w./]+)`", page))
    table = REPOSITORY / "docs" / "howto" / "flats.csv"
    assert linreg("train", table, "--target", "rent", "--fail-if", "test.r2 < 0", "-q").code == 0
    assert linreg("report", "flats").code == 0
    [run] = (tmp_path / "outputs").iterdir()
    files = {path.name + "/" * path.is_dir() for path in run.iterdir()}
    assert len(files) > 10
    assert files - named == set()
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    assert record.keys() - named == set()


def test_every_exit_code_is_in_the_table():
    def codes(of: type[LinregError]) -> set[int]:
        own = {of.exit_code} if "exit_code" in vars(of) else set()
        return own.union(*(codes(sub) for sub in of.__subclasses__()))

    page = (REPOSITORY / "docs" / "commands.md").read_text(encoding="utf-8")
    table = page.partition("## Exit codes")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([\d, ]+) \|", table, flags=re.MULTILINE)
    listed = {int(code) for row in rows for code in row.split(",")}
    assert codes(LinregError) <= listed
    assert {0, 1, 129, 130, 141, 143} <= listed


def test_the_gallery_has_every_kind_of_picture_and_its_commands_draw_them(tmp_path):
    from linreg_cli.figures.kinds import KINDS

    gallery = runpy.run_path(str(REPOSITORY / "docs" / "gallery.py"))
    page = (REPOSITORY / "docs" / "gallery.md").read_text(encoding="utf-8")
    assert page == gallery["page"](), "run 'make docs'"
    commands = [command for _, command, _ in gallery["PICTURES"]]
    assert {each.partition("--kind ")[2].split()[0] for each in commands if "--kind" in each} == set(KINDS)
    assert any(each.startswith("linreg plot sweeps/") for each in commands)
    drawn = gallery["draw"](tmp_path)
    stored = {path.name for path in gallery["IMAGES"].iterdir()}
    assert drawn.keys() == stored == {f"{name}.png" for name, _, _ in gallery["PICTURES"]}
    assert all(content.startswith(b"\x89PNG") for content in drawn.values())


def test_every_shipped_config_is_in_the_readme():
    assert [path.name for path in CONFIGS.glob("*.yaml") if f"`{path.name}`" not in README] == []


def test_changelog_has_the_version_in_the_making():
    changelog = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    assert "## [Unreleased]" in changelog
    assert "### Numerics" in changelog


def test_a_section_of_the_changelog_is_there_once():
    text = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    sections = [line for line in text.splitlines() if line.startswith("#")]
    assert sections == [*dict.fromkeys(sections)]


def test_a_row_is_in_a_table_once():
    for page in ("docs/architecture.md", "tests/README.md"):
        rows = [line for line in (REPOSITORY / page).read_text(encoding="utf-8").splitlines() if line.startswith("|")]
        firsts = [row.split(" | ")[0] for row in rows if not row.startswith("|--") and not row.startswith("| ---")]
        assert [first for first in firsts if firsts.count(first) > 1] == [], page


def test_every_test_that_the_page_about_reliability_names_is_there():
    page = (REPOSITORY / "docs" / "reliability.md").read_text(encoding="utf-8")
    named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", page)
    assert len(named) > 60
    texts = {file: (REPOSITORY / "tests" / file).read_text(encoding="utf-8") for file, _ in named}
    assert [f"{file}::{test}" for file, test in named if f"\ndef {test}(" not in texts[file]] == []
    numbers = [int(number) for number in re.findall(r"^\| (\d+) \|", page, flags=re.MULTILINE)]
    assert numbers == sorted(set(numbers))
    assert set(range(1, 54)) <= set(numbers)


def test_every_file_and_folder_that_the_page_about_architecture_names_is_there():
    page = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:[\w.-]+/)*[\w-]+\.py|(?:[\w-]+/)+)`", page)
    [flow] = re.findall(r"```text\n(.*?)```", page, flags=re.DOTALL)
    in_flow = re.findall(r"^([\w/]+(?:/|\.py)) {2,}", flow, flags=re.MULTILINE)
    folders = [path.name for path in (REPOSITORY / "linreg_cli").iterdir() if (path / "__init__.py").is_file()]
    assert sorted(name.strip("/") for name in in_flow if name.endswith("/")) == sorted(folders)
    table = page.partition("## To change X, open Y")[2].partition("\n## ")[0]
    assert sum(line.startswith("| ") for line in table.splitlines()) > 30
    places = REPOSITORY, REPOSITORY / "linreg_cli"
    missing = {name for name in [*named, *in_flow] if not any((place / name).exists() for place in places)}
    # `plots/` is a folder of a run, which the page about runs describes.
    assert missing - {"plots/"} == set()
