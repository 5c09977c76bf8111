"""Machine code placed in memory without LLVM: its binding takes 47 MB, and a kernel 20 KB.

A kernel's object (ELF, x86-64) has code and constants, and absolute addresses of constants and of functions of the C
library. It is written into a file in memory that is mapped as readable and executable, never as writable. Any other
object is left to LLVM.
"""

import contextlib
import ctypes
import mmap
import os
import struct
from dataclasses import dataclass

import numpy as np

#: "ELF, 64 bits, little-endian, version 1", a relocatable file, of x86-64.
_MAGIC, _KIND = b"\x7fELF\x02\x01\x01", (1, 62)
#: Types of sections: a table of symbols, relocations with addends, without bytes in the file; one that is in memory.
_SYMBOLS, _RELOCATIONS, _EMPTY, _IN_MEMORY, _THREAD_LOCAL = 2, 4, 8, 0x2, 0x400
#: The only relocation that is known: the address of a symbol and an addend, 64 bits (R_X86_64_64).
_ADDRESS = 1
_ABSOLUTE = 0xFFF1

_placed: list[mmap.mmap] = []


@dataclass(frozen=True)
class _Section:
    """The header of a section, with the fields that are used."""

    kind: int
    flags: int
    begin: int
    size: int
    link: int
    of: int
    alignment: int


def place(code: bytes, symbol: str) -> int | None:
    """Place an object in memory for the lifetime of the process.

    Args:
        code: the bytes of the object.
        symbol: a function in it.

    Returns:
        The address of the function; None for an object that is not understood, or where the system does not allow it.
    """
    with contextlib.suppress(OSError, ValueError, LookupError, struct.error, AttributeError, TypeError):
        return _place(code, symbol)
    return None


def _place(code: bytes, symbol: str) -> int:
    """As `place`.

    Raises:
        OSError, ValueError, LookupError, struct.error, AttributeError, TypeError: where `place` returns None.
    """
    if code[:7] != _MAGIC or struct.unpack_from("<HH", code, 16) != _KIND:
        raise ValueError
    sections, places, size = _sections(code), {}, 0
    for number, each in enumerate(sections):
        if each.flags & _IN_MEMORY:
            if each.flags & _THREAD_LOCAL:
                raise ValueError
            size += -size % max(1, each.alignment)
            places[number] = size
            size += each.size
    file = os.memfd_create("linreg-kernel", os.MFD_CLOEXEC)
    try:
        os.ftruncate(file, size)
        mapped = mmap.mmap(file, size, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_EXEC)
        base = int(np.frombuffer(mapped, np.uint8).ctypes.data)
        (table,) = (each for each in sections if each.kind == _SYMBOLS)
        symbols = _addresses(code, sections, table, places, base)
        content = bytearray(size)
        for number, at in places.items():
            each = sections[number]
            if each.kind != _EMPTY:
                content[at : at + each.size] = code[each.begin : each.begin + each.size]
        _relocate(code, sections, places, [address for _, address in symbols], content)
        if os.pwrite(file, content, 0) != size:
            raise ValueError
    finally:
        os.close(file)
    address = dict(symbols)[symbol]
    assert address is not None
    _placed.append(mapped)
    return address


def _sections(code: bytes) -> list[_Section]:
    (begin,), (entry, count) = struct.unpack_from("<Q", code, 40), struct.unpack_from("<HH", code, 58)
    found = []
    for number in range(count):
        header = struct.unpack_from("<IIQQQQIIQQ", code, begin + number * entry)
        _, kind, flags, _, at, size, link, of, alignment, _ = header
        found.append(_Section(kind, flags, at, size, link, of, alignment))
    return found


def _addresses(
    code: bytes, sections: list[_Section], table: _Section, places: dict[int, int], base: int
) -> list[tuple[str, int | None]]:
    """Name and address of each symbol; None for one that names no place, such as the source file.

    Raises:
        AttributeError: for a function that the process does not have.
    """
    names, library, found = sections[table.link].begin, ctypes.CDLL(None), []
    for at in range(table.begin, table.begin + table.size, 24):
        name_at, _, _, section, value, _ = struct.unpack_from("<IBBHQQ", code, at)
        name = code[names + name_at : code.index(b"\0", names + name_at)].decode()
        address = None
        if section == 0 and name:
            address = ctypes.cast(getattr(library, name), ctypes.c_void_p).value
        elif section in places:
            address = base + places[section] + value
        elif section == _ABSOLUTE:
            address = value
        found.append((name, address))
    return found


def _relocate(
    code: bytes, sections: list[_Section], places: dict[int, int], symbols: list[int | None], content: bytearray
) -> None:
    """Fill the addresses in.

    Raises:
        ValueError: for a relocation that is not known.
    """
    for each in sections:
        if each.kind != _RELOCATIONS or each.of not in places:
            continue
        for at in range(each.begin, each.begin + each.size, 24):
            offset, info, addend = struct.unpack_from("<QQq", code, at)
            address = symbols[info >> 32]
            if info & 0xFFFFFFFF != _ADDRESS or address is None:
                raise ValueError
            struct.pack_into("<Q", content, places[each.of] + offset, address + addend)
