"""Every block of the page about Python runs, one after the other in one program, as a reader would run them."""

import re

from conftest import REPOSITORY

PAGE = (REPOSITORY / "docs" / "python.md").read_text(encoding="utf-8")


def test_every_block_runs_in_the_order_of_the_page(tmp_path, monkeypatch):
    found = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE)
    assert len(found) >= 6
    (tmp_path / "configs").symlink_to(REPOSITORY / "configs")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for block in found:
        exec(compile(block, block, "exec"), names)  # a traceback names the block
    assert names["run"].gates[0].passed
    assert (tmp_path / "residuals.png").read_bytes().startswith(b"\x89PNG")
