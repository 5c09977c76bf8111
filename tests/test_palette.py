"""Pictures of at most 256 colours: few colours come back as they were, many as the nearest of those kept."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from linreg_cli.figures.palette import png


def read(content: bytes) -> np.ndarray:
    with Image.open(BytesIO(content)) as picture:
        assert picture.mode == "P"
        return np.asarray(picture.convert("RGB"))


def opaque(colours: np.ndarray) -> np.ndarray:
    return np.dstack([colours, np.full(colours.shape[:2], 255)]).astype(np.uint8)


def test_few_colours_are_the_same_to_the_bit() -> None:
    flat = np.array([[255, 255, 255], [0, 114, 178], [213, 94, 0], [217, 217, 217], [0, 0, 0]])
    drawn = flat[np.arange(20 * 30).reshape(20, 30) % 5]
    assert np.array_equal(read(png(opaque(drawn))), drawn)


def test_pale_colours_beside_each_other_stay_apart() -> None:
    """Pillow's octree makes such a ramp white."""
    ramp = np.repeat(np.arange(200, 255)[None, :, None], 3, axis=2).repeat(4, axis=0)
    found = read(png(opaque(ramp))).astype(int)
    assert np.abs(found - ramp).max() <= 3
    assert len(np.unique(found)) > 12


def test_white_stays_white_among_many_colours() -> None:
    chance = np.random.default_rng(0)
    drawn = chance.integers(0, 256, (60, 60, 3))
    drawn[::2] = 255
    found = read(png(opaque(drawn))).astype(int)
    assert np.all(found[::2] == 255)
    # 256 of 16 million colours: a colour taken at random from a grid of 6 x 6 x 6 is at most 26 away in each channel
    assert np.abs(found - drawn)[1::2].mean() < 26


def test_frequent_colours_are_kept_where_there_are_too_many() -> None:
    chance = np.random.default_rng(0)
    drawn = np.full((100, 100, 3), [10, 200, 30])
    drawn[:20] = chance.integers(0, 256, (20, 100, 3))
    assert np.abs(read(png(opaque(drawn)))[20:].astype(int) - [10, 200, 30]).max() <= 3


@pytest.mark.parametrize("shape", [(1, 1), (7, 3)])
def test_an_empty_picture_is_white(shape: tuple[int, int]) -> None:
    assert np.all(read(png(np.full((*shape, 4), 255, np.uint8))) == 255)
