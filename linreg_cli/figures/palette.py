"""PNG files of at most 256 colours, which take a third of the bytes and half the time of those with every colour.

Rejected: Pillow's own reductions. The better one takes twice as long as it saves, and the faster one makes pale colours
white.
"""

from io import BytesIO
from typing import Any

import numpy as np

#: Pixels are counted by the upper bits of each channel: colours of one bin are within 3 of 255 of each other.
_BITS = 6
_MOST = 256
_WHITE = 0xFFFFFF


def png(rgba: np.ndarray) -> bytes:
    """An opaque picture as PNG. White stays white; equal pictures give equal bytes.

    The 255 most frequent colours are kept, within 3 of 255 in each channel. The others, which are the blurred edges of
    lines and letters, become the nearest of these.

    Args:
        rgba: red, green, blue and opacity, shape (height, width, 4), uint8. Opacity is not read.
    """
    from PIL import Image

    height, width = rgba.shape[:2]
    pixels = np.ascontiguousarray(rgba).view("<u4").ravel() & _WHITE
    inked = np.flatnonzero(pixels != _WHITE)  # most of a picture is white
    entries, palette = _reduced(pixels[inked])
    indexed = np.zeros(height * width, np.uint8)
    indexed[inked] = entries
    picture = Image.frombytes("P", (width, height), indexed.tobytes())
    picture.putpalette(np.vstack([np.full((1, 3), 255), palette]).astype(np.uint8).tobytes())
    buffer = BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def _reduced(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The entry of each pixel, from 1, shape (n,), and the colours of the entries, shape (at most 255, 3)."""
    if not len(pixels):
        return pixels, np.empty((0, 3))
    channels = [(pixels >> shift) & 255 for shift in (0, 8, 16)]
    bins = np.zeros(len(pixels), np.int64)
    for channel in channels:
        bins = bins << _BITS | channel >> (8 - _BITS)
    counts = np.bincount(bins, minlength=1 << 3 * _BITS)
    used = np.flatnonzero(counts)
    # Of equally frequent colours some from everywhere, not the darkest.
    scattered = used * 2_654_435_761 % (1 << 32)
    kept = np.sort(used[np.lexsort((scattered, -counts[used]))[: _MOST - 1]])
    entry_of = np.zeros(len(counts), np.int64)
    entry_of[used] = 1 + _nearest(_middles(used), _middles(kept))
    entries = entry_of[bins]
    # The colour of an entry is the mean over the pixels of its own bin, not of those that have none.
    own = np.isin(bins, kept) if len(used) > len(kept) else slice(None)
    sums = [np.bincount(entries[own], weights=channel[own], minlength=len(kept) + 1)[1:] for channel in channels]
    return entries, np.rint(np.stack(sums, axis=1) / counts[kept][:, None])


def _middles(bins: np.ndarray) -> np.ndarray:
    """The colours of bins, in units of a bin, shape (n, 3)."""
    most = (1 << _BITS) - 1
    return np.stack([bins >> 2 * _BITS, bins >> _BITS & most, bins & most], axis=1).astype(np.float64)


def _nearest(colours: np.ndarray, among: np.ndarray) -> Any:
    """For each colour, shape (n, 3), the position of the nearest among others, shape (m, 3)."""
    return np.argmin((among**2).sum(axis=1) - 2 * colours @ among.T, axis=1)
