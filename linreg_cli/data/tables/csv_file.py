"""The bytes of a CSV as UTF-8, and what a file is that is no CSV or has another encoding."""

import codecs
import contextlib
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import pyarrow as pa

from linreg_cli.data.tables.encodings import EncodingGuess, candidates, likely, sample_words
from linreg_cli.data.tables.rewriting import by_command, is_rewritable
from linreg_cli.data.tables.table_file import TableFile
from linreg_cli.data.tables.text_format import TextFormat
from linreg_cli.errors import DataError, Fault
from linreg_cli.remedies import quoted, setting, settings

#: First bytes of files that are often misnamed .csv.
_MAGIC = {
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"%PDF": "a PDF",
    b"PK\x03\x04": "a ZIP archive or an Excel workbook; save the sheet as CSV",
    b"\x1f\x8b": "gzip; rename it to .csv.gz",
    b"\x28\xb5\x2f\xfd": "zstd; rename it to .csv.zst",
    b"PAR1": "Parquet; rename it to .parquet",
    b"ARROW1": "Arrow; rename it to .arrow",
}
#: The mark at the start of a file -> its encoding. That of UTF-32 begins as that of UTF-16 does.
_MARKS = {
    b"\xff\xfe\0\0": "utf-32",
    b"\0\0\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
_BLOCK = 1 << 20


class CsvFile:
    """The bytes of a text file.

    Args:
        path: the file, plain or compressed.
        text: its encoding.

    Raises:
        DataError: for a file that cannot be read or is another format.
    """

    def __init__(self, path: str, text: TextFormat) -> None:
        self.name, self._text, self._file = path, text, TableFile(path)
        #: Whether the bytes are not UTF-8.
        self.is_recoded = codecs.lookup(text.encoding).name not in ("utf-8", "utf-8-sig")
        with self.raw() as stream:
            self._refuse_other_kinds(stream.read(4096))
        with self.open() as stream:
            self._refuse_other_text(stream.read(4096))

    @contextlib.contextmanager
    def open(self) -> Iterator[Any]:
        """The content as UTF-8.

        Raises:
            DataError: for a file that cannot be read, or bytes that are not text in its encoding.
        """
        with self.raw() as stream:
            try:
                yield pa.transcoding_input_stream(stream, self._text.encoding, "utf-8") if self.is_recoded else stream
            except UnicodeError:
                if not self.is_recoded:
                    raise
                raise DataError([self.undecodable() or Fault("the text cannot be decoded", self.name)]) from None

    def size(self) -> int:
        """Bytes of the file, as they are stored."""
        return self._file.size()

    @contextlib.contextmanager
    def raw(self) -> Iterator[Any]:
        """The bytes of the file, decompressed."""
        with self._file.stream() as stream:
            yield stream

    @cached_property
    def has_quotes(self) -> bool:
        """Whether there is a quote.

        Raises:
            DataError: if there is a NUL byte.
        """
        found = False
        with self.open() as stream:
            while block := stream.read(_BLOCK):
                if b"\0" in block:
                    raise self.holds_nul()
                found = found or b'"' in block
        return found

    def holds_nul(self) -> DataError:
        """The error for a NUL byte, with its line."""
        line = 1
        with self.open() as stream:
            while (block := stream.read(_BLOCK)) and b"\0" not in block:
                line += block.count(b"\n")
        line += block.partition(b"\0")[0].count(b"\n")
        return DataError("not a CSV: the file has a NUL byte; save it as UTF-8 text", f"{self.name}, line {line}")

    def first_lines(self) -> list[str]:
        """The first lines, at most 20, without blank ones."""
        with self.open() as stream:
            head = stream.read(1 << 16).removeprefix(codecs.BOM_UTF8).decode("utf-8", "replace")
        return [line for line in head.splitlines() if line.strip()][:20]

    def rewritten(self, words: str, expression: str, needed: Mapping[str, Any] | None = None) -> str:
        """What to do in words, with the command that does it where the file is plain UTF-8 text.

        Args:
            words: what is changed in the file.
            expression: the change, for sed -E.
            needed: the settings that the changed file needs, by dotted key.
        """
        if self.is_recoded or not is_rewritable(self.name):
            return f"{words} and set {settings(needed)}" if needed else words
        return by_command(words, expression, self.name, needed or {}, of_run=self._text.of_run)

    def undecodable(self) -> Fault | None:
        """The first line that is not text in the encoding, and the encoding to set; None if every line is."""
        encoding = self._text.encoding
        found = self._first_bad(encoding)
        if found is None:
            return None
        line, reason, content = found
        guess, rivals = self._guessed()
        reads = f" (in {guess} the line is {quoted(content.decode(guess, 'replace')[:60])}" if content else ""
        also = [f"; in {each}, about as likely, {quoted(content.decode(each, 'replace')[:60])}" for each in rivals]
        reads = f"{reads}{''.join(also)})" if content else ""
        where, shown = f"{self.name}, line {line}", "UTF-8" if not self.is_recoded else encoding
        if self._text.of_run:
            return Fault(f"{reason} is not {shown} text{reads}; save the file as {shown}", where)
        remedy = setting("data.encoding", guess)
        others = "".join(f", or {setting('data.encoding', each)}" for each in rivals)
        message = f"{reason} is not {shown} text{reads}; set {remedy}{others}"
        return Fault(message, where, settings={"data.encoding": guess})

    def guess(self) -> EncodingGuess | None:
        """How the encoding that `undecodable` would set was guessed; None where a mark or UTF-8 leaves no doubt."""
        with self.raw() as stream:
            head = stream.read(1 << 16)
        encoding, rivals = self._guessed()
        if encoding == "utf-8" or head[:2] in _MARKS:
            return None
        return EncodingGuess({each: sample_words(head, each) for each in (encoding, *rivals)})

    def _guessed(self) -> tuple[str, list[str]]:
        """The encoding of the file, and those that are about as likely."""
        with self.raw() as stream:
            head = stream.read(1 << 16)
        if head[:2] in _MARKS:
            return _MARKS[head[:2]], []
        fitting = (each for each in ("utf-8", *candidates(head)) if self._first_bad(each) is None)
        guess = next(fitting)  # latin-1 decodes everything
        even = likely(head)
        return guess, [each for each in even if each != guess and guess in even and self._first_bad(each) is None]

    def _first_bad(self, encoding: str) -> tuple[int, str, bytes] | None:
        """The line of the first bytes that cannot be decoded, what is wrong, and the line's bytes; None without any."""
        decoder, line = codecs.getincrementaldecoder(encoding)(), 1
        try:
            with self.raw() as stream:
                while block := stream.read(_BLOCK):
                    line += decoder.decode(block).count("\n")
                decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            before, after = error.object[: error.start], error.object[error.start :]
            line += before.decode(encoding, "ignore").count("\n")
            content = before.rpartition(b"\n")[2] + after.partition(b"\n")[0]
            return line, f"byte 0x{error.object[error.start]:02x}", content.rstrip(b"\r")
        except UnicodeError as error:  # of a codec without positions
            return line, f"the file ({error})", b""
        return None

    def _refuse_other_kinds(self, head: bytes) -> None:
        if not head.strip():
            raise DataError("the file is empty", self.name)
        for magic, kind in _MAGIC.items():
            if head.startswith(magic):
                raise DataError(f"not a CSV: the file is {kind}", self.name)
        if self.is_recoded:
            return
        encoding = next((name for mark, name in _MARKS.items() if head.startswith(mark)), None)
        if encoding is None and len(head) > 3:  # text without a mark: one byte of each pair is 0
            encoding = "utf-16-le" if not any(head[1:8:2]) else "utf-16-be" if not any(head[0:8:2]) else None
        if encoding is not None:
            remedy = self._text.remedy("data.encoding", encoding, "save it as UTF-8")
            message = f"the file is {encoding.upper()} text; {remedy}"
            raise DataError([Fault(message, self.name, settings={"data.encoding": encoding})])

    def _refuse_other_text(self, head: bytes) -> None:
        head = head.removeprefix(codecs.BOM_UTF8)
        if not head.strip():
            raise DataError("the file is empty", self.name)
        if head.lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml")):
            raise DataError("not a CSV: the file is a web page (HTML or XML); download the table itself", self.name)
        if head.lower().startswith(b"sep=") and b"," not in head.split(b"\n", 1)[0][5:]:
            mark = head[4:5].decode("ascii", "replace")
            remedy = self._text.remedy("data.delimiter", mark, "write the table as that of the run")
            raise DataError(
                f'a "sep=" line of Excel, and no header; delete the line and {remedy}', f"{self.name}, line 1"
            )
        if b"\0" in head:
            raise self.holds_nul()
