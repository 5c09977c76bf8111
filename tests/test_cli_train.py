"""`linreg train` as a user meets it."""

from conftest import CONFIGS


def test_train_prints_one_json_object_and_leaves_a_complete_run(linreg, tmp_path):
    result = linreg("train", "-c", CONFIGS / "smoke.yaml", "--json", "--fail-if", "test.r2 < 0.9")
    assert result.code == 0, result.err
    assert set(result.json) == {"run", "path", "status", "metrics", "seconds"}
    assert result.json["status"] == "finished"
    files = {path.name for path in (tmp_path / "outputs" / "smoke-0001").iterdir()}
    assert files == {
        "run.json", "config.yaml", "history.csv", "metrics.json", "model.safetensors",
        "preprocess.json", "checkpoint.safetensors", "predictions.csv",
    }  # fmt: skip
