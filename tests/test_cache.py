"""One rule for the cache folder: the one that is named, else the system's place for the user, else none."""

import os
import pwd
import sys

import pooch
import pytest

from linreg_cli.cache import cache_folder
from linreg_cli.data.tables.download import fetch
from linreg_cli.errors import DataError
from linreg_cli.optim.engines.kernels import disk


def test_the_cache_folder_is_the_one_that_is_named_else_the_users(monkeypatch, tmp_path):
    for name in ("LINREG_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == pooch.os_cache("linreg")
    assert tmp_path in cache_folder().parents
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "linreg"
    monkeypatch.setenv("LINREG_CACHE", str(tmp_path / "named"))
    assert cache_folder() == tmp_path / "named"
    assert os.listdir(tmp_path) == []  # asking makes nothing


@pytest.mark.parametrize(
    ("system", "expected"),
    [("linux", ".cache/linreg"), ("darwin", "Library/Caches/linreg"), ("win32", "AppData/linreg/linreg/Cache")],
)
def test_each_system_has_its_own_place(monkeypatch, tmp_path, system, expected):
    """As documented by platformdirs, https://platformdirs.readthedocs.io, for `user_cache_dir("linreg")`."""
    for name in ("LINREG_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "AppData"))
    monkeypatch.setattr(sys, "platform", system)
    assert cache_folder() == tmp_path / expected


def test_a_user_without_a_home_has_no_cache_folder_and_none_called_tilde_is_made(monkeypatch, tmp_path):
    for name in ("LINREG_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)

    def nobody(_):
        raise KeyError

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    package = tmp_path / "package"
    package.write_text("a file, so that no folder can be made in it, by root neither")
    monkeypatch.setattr(disk, "_SOURCES", package)
    assert cache_folder() is None
    disk.write("some_kernels.run", "float32", "0" * 16, "key", b"code")
    assert disk.read("some_kernels.run", "float32", "0" * 16, "key") is None
    with pytest.raises(DataError, match="has no home folder; set LINREG_CACHE to a folder"):
        fetch("http://127.0.0.1:9/t.csv", "0" * 64)
    assert os.listdir(tmp_path) == ["package"]
