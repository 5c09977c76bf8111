"""Pages of the documentation, in English and in Chinese, taken apart."""

import re
from dataclasses import dataclass
from pathlib import Path

from conftest import REPOSITORY

#: English page -> the same page in Chinese.
CHINESE = {
    "README.md": "README.zh-CN.md",
    "docs/learning.md": "docs/zh/learning.md",
    "docs/tables.md": "docs/zh/tables.md",
    "docs/ci.md": "docs/zh/ci.md",
}

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)
_COMMENT = re.compile(r"(?:^|[ \t]+)#.*$", flags=re.MULTILINE)
_HEADING = re.compile(r"^(#+) (.+)$", flags=re.MULTILINE)
_MARK = re.compile(r"^(?:[-*>]|#+|\d+\.)\s+")
_CODE = re.compile(r"(`+)(.+?)\1")
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_PICTURE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)")
_NUMBER = re.compile(r"(?<![\w.,])-?\d+(?:,\d{3})*(?:\.\d+)?(?:e-?\d+)?")


@dataclass(frozen=True)
class Page:
    """One Markdown file of the repository."""

    path: Path

    @property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @property
    def blocks(self) -> list[tuple[str, str]]:
        """Language and content of each block of code; comments, which may be in any language, are left out."""
        return [
            (language, content if language == "text" else without_comments(content))
            for language, content in _BLOCK.findall(self.text)
        ]

    @property
    def prose(self) -> str:
        """The text without its blocks of code, pictures in it."""
        return _BLOCK.sub("", self.text)

    @property
    def sections(self) -> list[str]:
        """The prose of each section, with its heading; what stands before the first heading is the first."""
        return re.split(r"^(?=#)", self.prose, flags=re.MULTILINE)

    @property
    def levels(self) -> list[int]:
        """The level of each heading."""
        return [len(marks) for marks, _ in _HEADING.findall(self.prose)]

    @property
    def pictures(self) -> list[tuple[str, Path]]:
        """Alternative text and file of each picture."""
        return [(text, self._beside(link)) for text, link in _PICTURE.findall(self.prose)]

    @property
    def links(self) -> list[Path]:
        """The file of each link into the repository, in their order; pictures are none."""
        found = [link.partition("#")[0] for link in _LINK.findall(self.prose) if "://" not in link]
        return [self._beside(file) if file else self.path for file in found]

    @property
    def paragraphs(self) -> list[str]:
        """Paragraphs, headings, entries of lists and cells of tables, one line each, without their marks."""
        lines = [""]
        for line in map(str.strip, self.prose.splitlines()):
            if line.startswith("|"):
                lines += [*map(str.strip, re.split(r"(?<!\\)\|", line)), ""]
            elif not line or not lines[-1] or _MARK.match(line):
                lines.append(_MARK.sub("", line))
            else:
                lines[-1] += f" {line}"
        return [line for line in lines if line.strip("-: ")]

    def _beside(self, link: str) -> Path:
        return (self.path.parent / link).resolve()


def page(name: str) -> Page:
    return Page(REPOSITORY / name)


def without_comments(code: str) -> str:
    """Code without comments, and without the blanks before them."""
    return _COMMENT.sub("", code)


def code_spans(prose: str) -> set[str]:
    """What stands between backticks."""
    return {code.strip() for _, code in _CODE.findall(prose)}


def numbers(prose: str) -> set[str]:
    """The numbers in the prose, but for those within code and addresses."""
    return set(_NUMBER.findall(_CODE.sub("", re.sub(r"\]\([^)]*\)", "]", prose))))
