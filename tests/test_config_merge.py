"""Several files and `--set` become one config: key by key, later ones win, and nothing of another kind lingers."""

import pytest
from conftest import CONFIGS

from linreg_cli.config import load_config
from linreg_cli.config.types import Distribution
from linreg_cli.errors import ConfigError

BASE = """
name: base
data: {source: synthetic, weights: {a: 1, b: 2}, features: {a: {normal: [0, 1]}, b: {uniform: [0, 1]}}, n_samples: 50}
optimizer: {lr: 0.1, momentum: 0.5, schedule: {kind: step, step_size: 3, gamma: 0.5}}
train: {epochs: 7}
gates: [train.r2 > 0]
"""


@pytest.fixture
def load(tmp_path):
    def call(*layers: str, overrides=()):
        files = []
        for position, text in enumerate(layers):
            path = tmp_path / f"{position}.yaml"
            path.write_text(text)
            files.append(str(path))
        return load_config(files, overrides).config

    return call


def refused(action, *args, **kwargs) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        action(*args, **kwargs)
    return [str(fault) for fault in caught.value.faults]


def test_later_files_override_key_by_key(load):
    config = load(BASE, "optimizer: {lr: 0.2}\ntrain: {batch_size: 5}\n", "name: last\n")
    assert (config.name, config.optimizer.lr, config.optimizer.momentum) == ("last", 0.2, 0.5)
    assert (config.train.epochs, config.train.batch_size, config.data.n_samples) == (7, 5, 50)


def test_an_empty_file_changes_nothing(load):
    assert load(BASE, "") == load(BASE)


def test_lists_are_replaced_and_not_joined(load):
    assert load(BASE, "gates: [train.mse < 9]\n").gates == ("train.mse < 9",)


def test_set_is_stronger_than_every_file_and_the_last_set_wins(load):
    config = load(BASE, "seed: 1\n", overrides=["seed=2", "train.epochs=1", "seed=3"])
    assert (config.seed, config.train.epochs) == (3, 1)


def test_set_may_make_a_section_that_no_file_has(load):
    assert load(BASE, overrides=["train.early_stopping.monitor=train.loss"]).train.early_stopping.patience == 10


def test_set_replaces_a_mapping_and_a_file_merges_it(load):
    """`--set data.weights={...}` says what the weights are; a file goes on key by key."""
    settings = ["data.features=null", "data.weights={c: 3}"]
    assert load(BASE, overrides=settings).data.weights == {"c": 3.0}
    assert load(BASE, "data: {weights: {b: 9}}\n").data.weights == {"a": 1.0, "b": 9.0}


def test_one_feature_may_change_its_distribution(load):
    config = load(BASE, "data: {features: {a: {uniform: [5, 6]}}}\n")
    assert config.data.features == {"a": Distribution("uniform", 5, 6), "b": Distribution("uniform", 0, 1)}
    assert load(BASE, overrides=["data.features.a={uniform: [5, 6]}"]) == config


def test_a_column_may_be_named_like_a_distribution(load):
    features = "{normal: {uniform: [0, 1]}, b: {uniform: [0, 1]}}"
    base = f"data: {{source: synthetic, weights: {{normal: 1, b: 2}}, features: {features}}}"
    config = load(base, "data: {weights: {normal: 5}, features: {normal: {uniform: [0, 9]}}}\n")
    assert config.data.weights == {"normal": 5.0, "b": 2.0}
    assert config.data.features["normal"] == Distribution("uniform", 0, 9)


# --- changes of kind


def test_housing_on_a_table_keeps_the_names_of_its_features_and_drops_what_only_synthetic_data_has():
    config = load_config([str(CONFIGS / "housing.yaml")], ["data.source=table", "data.path=houses.csv"]).config
    assert config.data.source == "table"
    assert config.data.features == ("bedrooms", "bathrooms", "sqft_living")
    assert (config.data.target, config.data.path) == ("price", "houses.csv")
    assert (config.data.split.train, config.data.split.test) == (0.8, 0.1)


@pytest.mark.parametrize(
    "overrides",
    [
        ["data.path=h.csv", "data.source=table"],
        [" data.source = table", "data.path=h.csv"],
        ["data.path=h.csv", "data.source=inline", "data.source=table"],
    ],
)
def test_the_place_of_the_kind_among_the_overrides_does_not_matter(overrides):
    config = load_config([str(CONFIGS / "housing.yaml")], overrides).config
    assert (config.data.source, config.data.path) == ("table", "h.csv")


def test_a_second_file_may_change_the_source(load):
    config = load(BASE, "data: {source: table, path: a.csv, target: y}\n")
    assert (config.data.source, config.data.features) == ("table", ("a", "b"))


@pytest.mark.parametrize(
    ("layers", "messages"),
    [
        (["data: {source: table, path: a, target: y, n_samples: 5}"],
         ["unknown key 'n_samples' in data: it belongs to source: synthetic; remove it"]),
        (["data: {path: a, target: y, n_samples: 5}"],
         ["unknown key 'n_samples' in data: it belongs to source: synthetic; remove it"]),
        ([BASE, "data: {source: table, path: a, target: y, noise_std: 5}"],
         ["unknown key 'noise_std' in data: it belongs to source: synthetic; remove it"]),
        ([BASE, "data: {path: a.csv}"], ["unknown key 'path' in data: it belongs to source: table; remove it"]),
        (["data: {path: a, target: y, n_samples: 5}", "data: {source: table}"],
         ["unknown key 'n_samples' in data: it belongs to source: synthetic; remove it"]),
        ([BASE.replace("n_samples", "n_sample"), "data: {source: table, path: a, target: y}"],
         ["unknown key 'n_sample' in data"]),
        ([BASE, "optimizer: {schedule: {gamma: 0.5, T_max: 3}}"],
         ["unknown key 'T_max' in optimizer.schedule: it belongs to kind: cosine"]),
        (["data: {source: synthetic}\noptimizer: {schedule: {step_size: 3}}"],
         ["unknown key 'step_size' in optimizer.schedule: it belongs to kind: step"]),
        ([BASE, "optimizer: {schedule: {kind: cosine}}"], ["optimizer.schedule.T_max is required"]),
    ],
)  # fmt: skip
def test_a_key_of_another_kind_in_the_same_layer_is_refused(load, layers, messages):
    found = refused(load, *layers)
    assert len(found) == len(messages)
    for text, message in zip(found, messages, strict=True):
        assert message in text


def test_a_schedule_that_changes_its_kind_keeps_what_both_kinds_have(load):
    schedule = load(BASE, overrides=["optimizer.schedule.kind=exponential"]).optimizer.schedule
    assert (schedule.kind, schedule.gamma) == ("exponential", 0.5)
    schedule = load(BASE, overrides=["optimizer.schedule.T_max=9", "optimizer.schedule.kind=cosine"]).optimizer.schedule
    assert (schedule.kind, schedule.T_max, schedule.eta_min) == ("cosine", 9, 0.0)
    assert load(BASE, overrides=["optimizer.schedule.kind=constant"]).optimizer.schedule.kind == "constant"


# --- faults of several layers


def test_faults_of_every_file_and_override_come_together(load, tmp_path):
    found = refused(load, "data: {}\nseed: 1\nseed: 2\n", "- 1\n", overrides=["a", "seed=[1"])
    assert [text.split(": ")[0] for text in found] == [
        f"{tmp_path}/0.yaml:3:1", f"{tmp_path}/1.yaml:1:1", "--set a", "--set seed=[1",
    ]  # fmt: skip


def test_a_fault_is_placed_in_the_layer_that_set_the_value(load, tmp_path):
    found = refused(load, BASE, "train:\n  epochs: 0\n", overrides=["seed=-1"])
    assert sorted(text.split(": ")[0] for text in found) == ["--set seed=-1", f"{tmp_path}/1.yaml:2:11"]


def test_without_a_file_nothing_is_loaded():
    assert refused(load_config, []) == ["no config file was given"]


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("houses.yaml", "houses"),
        ("größe.yaml", "größe"),
        ("gro\u0308sse.yml", "grösse"),  # as macOS writes an umlaut
        ("my houses (2).prod.yaml", "my-houses-2-.prod"),
        (".hidden.yaml", "hidden"),
        ("房价.yaml", "房价"),
        ("a" * 120 + ".yaml", "a" * 100),
        ("---.yaml", "run"),
    ],
)
def test_the_default_name_is_the_stem_of_the_first_file(tmp_path, file, name):
    (tmp_path / file).write_text("data: {source: synthetic}\n")
    (tmp_path / "more.yaml").write_text("seed: 1\n")
    files = [str(tmp_path / file), str(tmp_path / "more.yaml")]
    assert load_config(files).config.name == name
    assert load_config(files, ["name=other"]).config.name == "other"


def test_without_a_file_the_default_name_is_run():
    assert load_config([], ["data.source=synthetic"]).config.name == "run"
    assert load_config(["/dev/null"], ["data.source=synthetic"]).config.name == "run"


def test_a_name_fits_the_name_of_a_folder(load):
    """100 letters of three bytes: with the number of the run, 305 bytes, and file systems take 255."""
    message = refused(load, BASE, overrides=[f"name={'价' * 100}"])
    assert len(message) == 1
    assert message[0].endswith(": name: a name has at most 200 bytes in UTF-8, found 300; use a shorter one")
