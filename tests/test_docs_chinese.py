"""A page in Chinese says what its English original says: the same code, numbers, names, pictures and links.

What the blocks of code print is tested on the English pages, in `test_docs.py`, `test_learning.py`, `test_ci.py`, ...
Here each block is held to be the same, so that no command is run twice.
"""

import itertools
import re

import pytest
from conftest import REPOSITORY
from translations import CHINESE, Page, code_spans, numbers, page, without_comments

PAIRS = pytest.mark.parametrize(("english", "chinese"), CHINESE.items(), ids=[*CHINESE])
#: Map and glossary.
MAP = "docs/zh/README.md"
PAGES = pytest.mark.parametrize("name", [*CHINESE.values(), MAP])

HAN = r"[㐀-鿿]"
#: Half-width marks that Chinese text writes in full width.
FULL_WIDTH = dict(zip(",.;:!?()", "，。；：！？（）", strict=True))
#: Words that would be a second name for what the glossary calls otherwise -> the word of the glossary.
ONE_WORD = {
    "学习速率": "学习率",
    "批量大小": "批大小",
    "批次": "小批量",
    "损失值": "损失",
    "代价函数": "代价",
    "标准误差": "标准误",
    "置信度": "置信区间",
    "最小平方": "最小二乘",
    "偏差项": "偏置",
    "过度拟合": "过拟合",
    "归一化": "标准化",
    "规范化": "标准化",
    "分类变量": "类别",
    "哑变量": "指示变量",
    "虚拟变量": "指示变量",
    "基准水平": "参考水平",
    "缺失数据": "缺失值",
    "空值": "缺失值",
    "训练样本集": "训练集",
    "训练划分": "训练集",
    "验证划分": "验证集",
    "测试划分": "测试集",
    "历元": "轮",
    "迭代轮数": "轮",
    "判定系数": "决定系数",
}


def test_a_comment_is_no_part_of_the_code():
    code = 'a: 1  # one\n# two\nb: "#N/A"\nlinreg list   # three\n'
    assert without_comments(code) == 'a: 1\n\nb: "#N/A"\nlinreg list\n'


@PAIRS
def test_the_code_is_the_same_in_the_same_order(english, chinese):
    assert page(chinese).blocks == page(english).blocks


@PAIRS
def test_sections_and_tables_are_the_same(english, chinese):
    def shape(of: Page) -> list[tuple[int, list[int]]]:
        """The level of each section, and the number of cells in each row of its tables."""
        rows = [[line.count("|") for line in part.splitlines() if line.startswith("|")] for part in of.sections]
        return list(zip([0, *of.levels], rows, strict=True))

    assert shape(page(chinese)) == shape(page(english))


@PAIRS
def test_each_section_has_the_numbers_and_the_names_of_the_original(english, chinese):
    originals, translations = page(english).sections, page(chinese).sections
    assert len(originals) > 3
    for original, translation in zip(originals, translations, strict=True):
        title = translation.partition("\n")[0]
        assert (title, numbers(translation)) == (title, numbers(original))
        assert (title, code_spans(translation)) == (title, code_spans(original))


@PAIRS
def test_pictures_are_shared_and_described_in_chinese(english, chinese):
    shown = page(chinese).pictures
    assert [file for _, file in shown] == [file for _, file in page(english).pictures]
    assert [text for text, _ in shown if not re.search(HAN, text)] == []


@PAIRS
def test_each_page_leads_to_its_other_language(english, chinese):
    for here, there in ((english, chinese), (chinese, english)):
        line = page(here).text.splitlines()[2]
        assert re.fullmatch(r"English \| \[中文\]\(\S+\)|\[English\]\(\S+\) \| 中文", line)
        assert page(here).links[0] == REPOSITORY / there


@PAIRS
def test_links_are_those_of_the_original_and_stay_in_chinese(english, chinese):
    """Besides, a page may lead to the map, which has the glossary."""
    translated = {REPOSITORY / here: REPOSITORY / there for here, there in {**CHINESE, "docs/README.md": MAP}.items()}
    expected = [translated.get(file, file) for file in page(english).links[1:]]
    assert [file for file in page(chinese).links[1:] if file in expected or file != REPOSITORY / MAP] == expected


def test_the_map_leads_to_every_page():
    assert {REPOSITORY / chinese for chinese in CHINESE.values()} <= set(page(MAP).links)


@PAGES
def test_text_is_set_as_chinese_is(name):
    for paragraph in page(name).paragraphs:
        assert len(paragraph) <= 600, paragraph[:60]
        # Code has the marks of its language.
        text = re.sub(r"`[^`]*`", "`", re.sub(r"\]\([^)]*\)", "]", paragraph))
        half = re.findall(rf"{HAN}[{re.escape(''.join(FULL_WIDTH))}]|[,;:!?]{HAN}", text)
        assert half == [], f"{half} in {paragraph}"
        # One blank between Chinese and Latin letters, digits or code.
        close = re.findall(rf".?{HAN}(?:[A-Za-z0-9`$]).?|.?[A-Za-z0-9%`²](?:{HAN}).?", text)
        assert close == [], f"{close} in {paragraph}"
        # None beside a mark of full width, whose own half is blank.
        wide = re.findall(r"[，。；：！？（）、「」“”] | [，。；：！？（）、」”]", text)
        assert wide == [], f"{wide} in {paragraph}"


@PAGES
def test_a_paragraph_is_one_line(name):
    """A line break between two Chinese characters is shown as a blank."""
    lines = page(name).prose.splitlines()
    pairs = itertools.pairwise(lines)
    broken = [line for line, following in pairs if line and re.match(rf"\s*(?:{HAN}|[A-Za-z`（“])", following)]
    assert broken == []


@PAGES
def test_one_thing_has_one_name(name):
    glossary = "".join(line.split(" | ")[0] + " " for line in page(MAP).text.splitlines() if line.startswith("| "))
    assert [instead for instead in ONE_WORD.values() if instead not in glossary] == []
    found = {word: instead for word, instead in ONE_WORD.items() if word in page(name).prose}
    assert found == {}
