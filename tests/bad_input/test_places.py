"""Paths that begin with ~, a machine without the device that is asked for, and counts that are said twice."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from align import AffineMap
from align.arrays import paths
from align.command.running import main
from align.data import folders
from align.data.errors import DataError

ROOT = Path(__file__).parents[2]
TINY = ("--dataset=mnist_sample", "--model=mlp", "--seeds=2", "--epochs=1", "--dry_run")


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


@pytest.fixture
def homeless(tmp_path, monkeypatch):
    """No home folder: no variable, and nobody with this number in the system's list."""
    monkeypatch.setattr(os.path, "expanduser", lambda text: text)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("text", ["~/w", "~", "w", "/w", "a/~/b", "~nobody-of-this-name/w"])
def test_one_rule(home, text):
    expected = {"~/w": str(home / "w"), "~": str(home)}.get(text, text)
    assert paths.expanded(text) == expected
    assert paths.user_path(Path(text)) == Path(expected)


@pytest.mark.parametrize("text", ["~/w", "~"])
def test_no_home(homeless, text):
    with pytest.raises(ValueError, match=r"there is no home folder; set HOME"):
        paths.user_path(text)


def test_the_cache_without_a_home(homeless, monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    with pytest.raises(DataError, match=r"no home folder; set HOME .*XDG_CACHE_HOME.* --data_dir or ALIGN_DATA_DIR"):
        folders.cache_dir()


def test_files_of_the_command(home, capsys):
    random = np.random.default_rng(0)
    np.save(home / "x.npy", random.normal(size=(20, 3)))
    np.savez(home / "both.npz", x=np.load(home / "x.npy"), labels=np.arange(20) % 2)
    assert main(["fit", "~/x.npy", "~/both.npz:x", "--output=~/map.safetensors", "--quiet"]) == 0
    assert main(["apply", "~/map.safetensors", "~/x.npy", "-o", "~/y.npy", "--quiet"]) == 0
    assert main(["score", "~/map.safetensors", "~/x.npy", "~/y.npy", "--quiet"]) == 0
    assert main(["inspect", "~/map.safetensors"]) == 0
    (home / "ids.txt").write_text("\n".join(map(str, range(20))))
    ids = ["--id", "~/ids.txt", "--target-id", "~/ids.txt"]
    assert main(["score", "~/map.safetensors", "~/x.npy", "~/y.npy", *ids, "--quiet"]) == 0
    assert {path.name for path in home.iterdir()} == {"x.npy", "both.npz", "map.safetensors", "y.npy", "ids.txt"}
    assert not Path("~").exists()


def test_files_of_maps(home):
    AffineMap.identity(3).save("~/map.safetensors")
    assert (home / "map.safetensors").is_file() and AffineMap.load("~/map.safetensors").d_source == 3
    assert AffineMap.read_metadata(Path("~/map.safetensors"))["d_target"] == "3"


def test_the_command_without_a_home(homeless, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["inspect", "~/map.safetensors"])
    assert (
        ended.value.code == 2 and "argument map: ~/map.safetensors: there is no home folder" in capsys.readouterr().err
    )


@pytest.mark.parametrize("seed", ["-1", "1.5", "first", "4294967296", "100000000000000000000000"])
def test_seeds_of_the_command(seed, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["score", "m", "x", "y", "--seed", seed])
    assert ended.value.code == 2 and f"{seed!r} is not a whole number from 0 to 4294967295" in capsys.readouterr().err


def run(tmp_path, *flags, **environment):
    command = [sys.executable, str(ROOT / "experiments" / "anchors.py"), *flags]
    places = {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu", "HOME": str(tmp_path)}
    environment = os.environ | places | environment
    return subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)


def test_the_folders_of_an_experiment(tmp_path):
    done = run(tmp_path, *TINY, "--latent=2,2", "--anchors=20,20", "--workdir=~/w", "--results=~/r", "--json")
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "~").exists()
    tasks = [json.loads(line)["task"] for line in done.stdout.splitlines()]
    assert len(tasks) == len(set(tasks))
    once = run(tmp_path, *TINY, "--latent=2", "--anchors=20", "--workdir=~/w", "--results=~/r", "--json")
    assert once.stdout == done.stdout


def test_an_experiment_on_a_terminal_that_shows_ascii_alone(tmp_path):
    ascii_alone = {"PYTHONIOENCODING": "ascii", "LC_ALL": "C", "PYTHONUTF8": "0"}
    for flags in (("--help",), (*TINY, "--latent=2", "--anchors=20")):
        done = run(tmp_path, *flags, **ascii_alone)
        assert done.returncode == 0 and done.stdout.isascii(), done.stderr


def test_an_experiment_without_the_device_that_is_asked_for(tmp_path):
    done = run(tmp_path, *TINY, "--latent=2", "--anchors=20", JAX_PLATFORMS="cuda")
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("error: JAX finds no device") and "JAX_PLATFORMS is 'cuda'" in last
    assert "Traceback" not in done.stderr


def test_what_a_file_is_cannot_be_said_otherwise(tmp_path):
    fitted = AffineMap.identity(2)
    with pytest.raises(ValueError, match="metadata must leave version to the file"):
        fitted.save(tmp_path / "x.safetensors", metadata={"version": "2.3"})
    assert not [*tmp_path.iterdir()]
    fitted.save(tmp_path / "x.safetensors", metadata={"made": "today"})
    kept = AffineMap.read_metadata(tmp_path / "x.safetensors")
    fitted.save(tmp_path / "y.safetensors", metadata=kept)  # as they were read
    assert AffineMap.read_metadata(tmp_path / "y.safetensors") == kept
