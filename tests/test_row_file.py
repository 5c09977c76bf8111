"""Matrices in a temporary file: what is written is read, faults say what to do, and nothing is left."""

import gc
import os
import subprocess
import sys
from collections import namedtuple

import numpy as np
import pytest

from linreg_cli.data.columns import row_file
from linreg_cli.data.columns.row_file import stored
from linreg_cli.errors import DataError


@pytest.fixture
def folder(monkeypatch, tmp_path):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    return tmp_path


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rows_written_in_any_order_are_read_in_any_range(dtype, folder):
    rng = np.random.default_rng(0)
    expected = [rng.normal(size=(100, width)).astype(dtype) for width in (3, 1)]
    matrices = stored(100, [3, 1], dtype)
    for start in rng.permutation(np.arange(0, 100, 9)):
        for matrix, values in zip(matrices, expected, strict=True):
            matrix.write(values[start : start + 9], start)
    for matrix, values in zip(matrices, expected, strict=True):
        assert (matrix.shape, matrix.ndim, matrix.size, len(matrix)) == (values.shape, 2, values.size, 100)
        assert matrix.dtype == values.dtype
        for first, last in ((0, 100), (0, 0), (13, 14), (50, 200), (99, 100)):
            np.testing.assert_array_equal(matrix[first:last], values[first:last])
        chosen = rng.integers(0, 100, 20)
        np.testing.assert_array_equal(matrix[chosen], values[chosen])
        np.testing.assert_array_equal(np.asarray(matrix), values)
    assert not os.listdir(folder), "the file has no name"


def test_the_file_is_closed_with_the_last_matrix(folder):
    def opened():
        return len(os.listdir("/proc/self/fd"))

    gc.collect()  # files that other tests have left
    before = opened()
    first, second = stored(10, [1, 1], "float32")
    assert opened() == before + 1
    del first
    gc.collect()
    np.testing.assert_array_equal(second[0:10], np.zeros((10, 1)))
    del second
    gc.collect()
    assert opened() == before


def test_space_is_checked_before_anything_is_written(folder, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(row_file.shutil, "disk_usage", lambda _: usage(10**9, 0, 3 * 2**20))
    with pytest.raises(DataError) as caught:
        stored(2**20, [3, 1], "float32")
    (fault,) = caught.value.faults
    assert "need 16 MiB in a temporary file, and 3 MiB are free; set TMPDIR" in str(fault)
    assert str(folder) in str(fault)


def test_a_file_that_is_cut_says_what_cannot_be_read(folder):
    (matrix,) = stored(10, [2], "float64")
    os.ftruncate(matrix._file._descriptor, 100)
    with pytest.raises(DataError, match="cannot be read back: the file is truncated; set TMPDIR"):
        matrix[0:10]


def test_a_large_matrix_does_not_become_one_array(monkeypatch):
    monkeypatch.setattr(row_file, "LARGEST_ARRAY", 50)
    (matrix,) = stored(10, [2], "float32")
    with pytest.raises(AssertionError, match="80 bytes on the disk are wanted as one array"):
        np.asarray(matrix)
    assert matrix[0:3].shape == (3, 2)


def test_nothing_is_left_where_the_process_is_killed(folder):
    code = """
import os, signal
import numpy as np
from linreg_cli.data.columns.row_file import stored
(matrix,) = stored(1000, [2], "float32")
matrix.write(np.ones((1000, 2), "float32"), 0)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == -9
    assert not os.listdir(folder)
