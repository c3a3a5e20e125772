"""The file of a map: safetensors that hold its arrays, its diagnostics and a description."""

import os
from collections.abc import Mapping

import numpy as np

from align.arrays import atomic, paths

_FORMAT = {"format": "align.AffineMap", "version": "1"}

DIAGNOSTICS = ("rank", "condition", "residual", "iterations", "converged", "trusted")


def write(
    path: str | os.PathLike[str], arrays: dict[str, np.ndarray], metadata: dict[str, str], overwrite: bool = True
) -> None:
    """Write arrays by name, weight `[..., d_source, d_target]` among them, and metadata, whole or not at all."""
    from safetensors.numpy import save

    if not isinstance(metadata, Mapping):
        raise ValueError(f"metadata must be a dict of texts; it is {metadata!r}")
    if taken := [name for name, own in _FORMAT.items() if str(metadata.get(name, own)) != own]:
        raise ValueError(f"metadata must leave {', '.join(taken)} to the file, which says by it what it is")

    described = {
        **{str(key): str(value) for key, value in metadata.items()},
        **_FORMAT,
        "d_source": str(arrays["weight"].shape[-2]),
        "d_target": str(arrays["weight"].shape[-1]),
    }
    with atomic.replacing(paths.expanded(path), overwrite=overwrite) as partial:
        partial.write_bytes(save(arrays, described))


def read(path: str | os.PathLike[str]) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Return the arrays and the metadata of a file; ValueError where `write` did not make it."""
    from safetensors import SafetensorError, safe_open

    path = paths.expanded(path)
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            if any(metadata.get(key) != value for key, value in _FORMAT.items()):
                raise ValueError(f"{path} is a safetensors file, but not a map written by AffineMap.save (version 1)")
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, OSError, TypeError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise ValueError(f"{path} is not a readable safetensors file: {error}") from error
    _check_arrays(path, arrays)
    return arrays, metadata


def _check_arrays(path, arrays):
    unknown = arrays.keys() - {"weight", "bias", *DIAGNOSTICS}
    if unknown or not arrays.keys() >= {"weight", "bias"}:
        raise ValueError(f"{path} must hold weight, bias and diagnostics of a map; it holds {sorted(arrays)}")
    weight, bias = arrays["weight"], arrays["bias"]
    if not (np.issubdtype(weight.dtype, np.floating) and bias.dtype == weight.dtype):
        raise ValueError(f"{path}: weight and bias must share one float dtype; they are {weight.dtype}, {bias.dtype}")
    batch = weight.shape[:-2]
    if weight.ndim < 2 or bias.shape != (*batch, weight.shape[-1]):
        raise ValueError(f"{path}: weight {weight.shape} and bias {bias.shape} do not belong to one map")
    for name in DIAGNOSTICS:
        if name in arrays and arrays[name].shape != batch:
            raise ValueError(f"{path}: {name} has shape {arrays[name].shape}, expected {batch}")
