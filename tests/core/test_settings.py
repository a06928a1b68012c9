"""Settings: ranges, types, and edgesparse.toml."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from edgesparse.errors import SettingsError
from edgesparse.settings import Settings, read_config


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sparsity", 1.5),
        ("sparsity", -0.1),
        ("sparsity", float("nan")),
        ("sparsity", "0.5"),
        ("pattern", "diagonal"),
        ("pattern", "nm=N:M"),
        ("pattern", "nm=4:4"),
        ("pattern", "nm=0:4"),
        ("pattern", "nm=1:33"),
        ("pattern", "nm=2:4 "),
        ("method", "magic"),
        ("epochs", 0),
        ("vectors", 0),
        ("vectors", 2.5),
        ("seed", -1),
        ("seed", True),
        ("toolchain", "msvc"),
        ("emulator", "renode"),
        ("optimize", "size"),
        ("dense_per_channel", 1),
        ("keep_metadata", "yes"),
        ("quantize", "dynamic"),
        ("cluster", 2),
        ("cluster", 257),
        ("tflm_max_arena", 0),
        ("tflm_max_arena", 1.5),
        ("colour", "red"),
    ],
)
def test_a_bad_value_is_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(SettingsError, match=name):
        Settings().updated({name: value})


def test_finetune_needs_data() -> None:
    with pytest.raises(SettingsError, match="--data"):
        Settings().updated({"method": "finetune"})
    assert Settings().updated({"method": "finetune", "data": "x.npz"}).method == "finetune"


def test_finetune_needs_something_to_learn_from() -> None:
    values = {"method": "finetune", "data": "x.npz", "labels": False}
    assert Settings().updated(values).distill
    with pytest.raises(SettingsError, match="without labels and without distill has nothing to learn from"):
        Settings().updated({**values, "distill": False})


def test_clusters_and_training_for_int8_exclude_each_other() -> None:
    assert Settings().updated({"cluster": 16, "method": "finetune", "data": "x.npz"}).cluster == 16
    with pytest.raises(SettingsError, match="cluster 16 and quantize 'qat' exclude each other"):
        Settings().updated({"cluster": 16, "quantize": "qat", "data": "x.npz"})


def test_a_pattern_n_of_m_sets_the_sparsity() -> None:
    assert Settings().updated({"pattern": "nm=1:4"}).sparsity == 0.75
    assert Settings().updated({"pattern": "nm=3:8"}).sparsity == 0.625
    assert Settings().updated({"pattern": "nm=2:4", "sparsity": 0.5}).pattern == "nm=2:4"


def test_a_pattern_n_of_m_and_another_sparsity_disagree() -> None:
    with pytest.raises(SettingsError, match=r"sparsity 0\.8 and pattern 'nm=2:4' disagree: it removes 0\.5"):
        Settings().updated({"pattern": "nm=2:4", "sparsity": 0.8})


def test_a_whole_number_serves_as_sparsity() -> None:
    assert Settings().updated({"sparsity": 0}).sparsity == 0.0


def test_config_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    config = tmp_path / "edgesparse.toml"
    config.write_text('sparsity = 0.5\ndata = "samples.npz"\nmethod = "finetune"\n')
    assert read_config(config) == {"sparsity": 0.5, "data": str(tmp_path / "samples.npz"), "method": "finetune"}


@pytest.mark.parametrize(
    "text",
    [
        'method = "finetune"\nactivity_l1 = 0.1\n', 'quantize = "qat"\n', "activity_l1 = 0.1\n",
        'pattern = "nm=2:4"\nsparsity = 0.8\n', "labels = false\ndistill = false\n",
    ],
)  # fmt: skip
def test_what_a_config_needs_may_come_from_the_command_line(text: str, tmp_path: Path) -> None:
    """Settings that need one another are checked once they are all there."""
    config = tmp_path / "edgesparse.toml"
    config.write_text(text)
    given = {"data": "x.npz", "quantize": "qat", "pattern": "unstructured", "distill": True}
    assert Settings().updated(read_config(config) | given).trains


def test_settings_that_do_not_go_together_are_refused_when_merged(tmp_path: Path) -> None:
    config = tmp_path / "edgesparse.toml"
    config.write_text('quantize = "qat"\n')
    with pytest.raises(SettingsError, match="quantize 'qat' trains, and needs --data"):
        Settings().updated(read_config(config))


def test_config_leaves_a_function_alone(tmp_path: Path) -> None:
    config = tmp_path / "edgesparse.toml"
    config.write_text('data = "package.module:samples"\n')
    assert read_config(config)["data"] == "package.module:samples"


@pytest.mark.parametrize(
    "text",
    [
        "sparsity = 2\n", "sparsty = 0.5\n", "sparsity = = 1\n", 'epochs = "many"\n', 'method = "magic"\n',
        'method = 3\n', 'budget = "flash"\n', 'pattern = "nm=4:4"\n',
    ],
)  # fmt: skip
def test_a_bad_config_names_the_file(tmp_path: Path, text: str) -> None:
    config = tmp_path / "edgesparse.toml"
    config.write_text(text)
    with pytest.raises(SettingsError, match=r"edgesparse\.toml"):
        read_config(config)


@pytest.mark.parametrize(
    "text",
    [
        "seed = " + "9" * 5000, "seed = 0x" + "f" * 5000, "sparsity = " + "9" * 400, "sparsity = nan",
        "channels = -inf",
        "epochs = 0x" + "f" * 40_000, "tflm_max_arena = 0x" + "f" * 40_000, "sparsity = 0x" + "f" * 40_000,
        "data = " + "[" * 5000 + "]" * 5000, "method = {a = {b = [1, {c = 2}]}}", "seed" + ".a" * 5000 + " = 1",
        "[seed]\nvalue = 1", "[[seed]]", "seed = 9999-99-99", "seed = 2026-01-01", 'board = ["a", "b"]',
        'budget = "flash=' + "9" * 5000 + '"', 'budget = "accuracy-drop=' + "9" * 400 + '"',
        'pattern = "nm=\u0662:\u0664"',
        'method = "' + "x" * 100_000 + '"', 'method = """a\nb"""', '"a\\nb" = 1', '"' + "n" * 100_000 + '" = 1',
        "seed = 1 # \udcff", "seed = 1\n" * 2, "# " + "x" * 2_000_000,
    ],
    ids=range(26),
)  # fmt: skip
def test_any_config_is_read_or_refused_in_a_line_that_names_the_file(tmp_path: Path, text: str) -> None:
    config = tmp_path / "edgesparse.toml"
    config.write_bytes(text.encode("utf-8", errors="surrogateescape"))
    with pytest.raises(SettingsError, match=r"edgesparse\.toml") as caught:
        read_config(config)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 1500 + len(str(config)), "long values are cut"


def test_a_damaged_config_is_refused_and_nothing_else(tmp_path: Path) -> None:
    good = b'sparsity = 0.5\npattern = "nm=2:4"\nepochs = 3\nlabels = true\nbudget = "flash=96K,latency=20ms"\n'
    generator = random.Random(0)
    messages = []
    config = tmp_path / "edgesparse.toml"
    for _ in range(400):
        text = bytearray(good)
        for _ in range(generator.randint(1, 4)):
            at = generator.randrange(len(text))
            text[at : at + generator.randint(0, 2)] = generator.choice(
                (b"[", b"9" * 4400, b"=", b'"', b"\xff", b"{", b"-")
            )
        config.write_bytes(text)
        try:
            read_config(config)
        except SettingsError as error:
            messages.append(str(error))
    assert messages
    assert all(message.startswith(f"{config}: ") and "\n" not in message for message in messages)


def test_a_missing_config_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no such file"):
        read_config(tmp_path / "none.toml")
