"""The threads of BLAS: a run with shards has the same bits with any number, and leaves the number as it was."""

import json
import threading

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import linreg_cli
from linreg_cli.blas import one_blas_thread
from linreg_cli.calls import in_python


def threads():
    """The threads of each BLAS of numpy and scipy, by another library."""
    return {each["num_threads"] for each in threadpool_info() if each["internal_api"] == "openblas"}


def test_a_run_with_shards_and_its_evaluation_do_not_depend_on_the_threads_of_blas(linreg, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    values = np.random.default_rng(5).normal(size=(50_001, 3))
    np.savetxt("t.csv", values, "%.4f", ",", header="a,b,y", comments="")
    keys = ["data.split={train: 1.0}", "train.shards=2", "train.epochs=1", "train.batch_size=full", "plots=false"]
    keys += ["evaluate.predictions=none", "evaluate.covariance=HC3", "optimizer.lr=auto"]
    words = [word for key in keys for word in ("--set", key)]
    found = []
    for count in (1, 2):
        with threadpool_limits(count, "blas"):
            assert linreg("train", "t.csv", "--target", "y", "--name", f"r{count}", *words).code == 0
            assert threads() == {count}
            run = tmp_path / "outputs" / f"r{count}-0001"
            evaluated = linreg("evaluate", f"r{count}-0001", "--json").out
            metrics = json.loads((run / "metrics.json").read_text())
            found.append([metrics, json.loads(evaluated), (run / "influence.csv").read_text()])
    one, two = found
    one[1].pop("run", None), two[1].pop("run", None)
    assert one == two


@pytest.mark.parametrize(("said", "expected"), [(None, 1), ("", 1), ("2", 2)])
def test_a_call_of_python_has_one_thread_unless_the_environment_names_a_number(monkeypatch, said, expected):
    if said is None:
        monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    else:
        monkeypatch.setenv("OPENBLAS_NUM_THREADS", said)
    with threadpool_limits(2, "blas"):
        assert in_python(threads)() == {expected}
        assert threads() == {2}


def test_python_and_the_command_line_give_the_same_statistics(linreg, tmp_path, monkeypatch):
    """With two threads of BLAS, standard errors of this table differ in the last digits."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    values = np.random.default_rng(5).normal(size=(60_000, 40)) @ np.random.default_rng(6).normal(size=(40, 40))
    names = [*(f"x{place}" for place in range(39)), "y"]
    pq.write_table(pa.table(dict(zip(names, values.T.copy(), strict=True))), "t.parquet")
    (tmp_path / "c.yaml").write_text(
        "data: {path: t.parquet, target: y}\npreprocess: {standardize: true}\noptimizer: {lr: auto}\nplots: false\n"
        "train: {epochs: 1, batch_size: full}\nevaluate: {predictions: none}\n"
    )
    found = []
    for count in (1, 2):
        with threadpool_limits(count, "blas"):
            run = linreg_cli.train("c.yaml")
            found.append((run.metrics["optimum"], (run.path / "influence.csv").read_text()))
    assert found[0] == found[1]


def test_the_last_of_several_contexts_restores_the_threads():
    inside, leave = threading.Event(), threading.Event()

    def other():
        with one_blas_thread():
            inside.set()
            leave.wait()

    with threadpool_limits(2, "blas"):
        thread = threading.Thread(target=other)
        with one_blas_thread():
            thread.start()
            inside.wait()
        assert threads() == {1}
        leave.set()
        thread.join()
        assert threads() == {2}
        with pytest.raises(ValueError, match="x"), one_blas_thread():
            raise ValueError("x")
        assert threads() == {2}
