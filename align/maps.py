"""The fitted transformation: `target ≈ source @ weight + bias`, and what is known about how well it fits."""

import dataclasses
import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

_FORMAT = {"format": "align.AffineMap", "version": "1"}
_DIAGNOSTICS = ("rank", "condition", "residual", "iterations", "converged")


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class AffineMap:
    """An affine map between two latent spaces, a pytree; `vmap` over a solver gives one with leading batch axes.

    weight: `[d_source, d_target]`; bias: `[d_target]`.

    The rest is scalar, carries no gradient, and is None where nobody measured it:
    rank: dimensions of the source data that the fit used.
    condition: largest over smallest singular value of what was decomposed, among those that count towards the rank.
    residual: ‖target − self(source)‖ / ‖target − mean(target)‖ over the training rows (so 1 − residual² is R²).
    iterations: steps taken, 0 for a closed form.
    converged: False where the input was not finite or a decomposition failed; weight and bias are NaN then.
    details: a further record of one solver, such as the path of ridge strengths; not written to files.
    """

    weight: jax.Array
    bias: jax.Array
    rank: jax.Array | None = None
    condition: jax.Array | None = None
    residual: jax.Array | None = None
    iterations: jax.Array | None = None
    converged: jax.Array | None = None
    details: object = None

    def __call__(self, x):
        """Map points `[..., d_source]` to `[..., d_target]`; a batched map takes `[*batch, n, d_source]`."""
        x = jnp.asarray(x)
        if x.ndim == 0 or x.shape[-1] != self.weight.shape[-2]:
            raise ValueError(
                f"x must be [..., {self.weight.shape[-2]}] for a map of weight {self.weight.shape}; it is {x.shape}"
            )
        bias = self.bias[..., None, :] if self.bias.ndim > 1 else self.bias
        return jnp.matmul(x, self.weight, precision=jax.lax.Precision.HIGHEST) + bias

    def then(self, after: "AffineMap") -> "AffineMap":
        """Compose: the map x ↦ after(self(x)). Its diagnostics are unknown, since no data was fitted."""
        if self.weight.shape[-1] != after.weight.shape[-2]:
            raise ValueError(
                f"after must take {self.weight.shape[-1]} dimensions to follow weight {self.weight.shape}; "
                f"its weight is {after.weight.shape}"
            )
        bias = after(self.bias[..., None, :])[..., 0, :]
        return AffineMap(jnp.matmul(self.weight, after.weight, precision=jax.lax.Precision.HIGHEST), bias)

    def __matmul__(self, after: "AffineMap") -> "AffineMap":
        """Compose left to right, as the weights multiply: `(a @ b)(x) == b(a(x))`."""
        return self.then(after)

    def inverse(self, *, rcond=None) -> "AffineMap":
        """Invert in the least-squares sense: the minimum-norm x with self(x) closest to y.

        rcond: singular values below rcond times the largest count as zero; the larger dimension times the machine
        epsilon unless given. `residual` of the result is what a round trip loses: ‖weight · inverse − I‖_F / √d_source
        for the source space, 0 where the map is invertible there, √(1 − rank/d_source) where it is not.
        """
        from align.solvers.decompositions import pinv  # the solvers import this module

        inverse, rank, condition = pinv(self.weight, rcond=rcond)
        rank = rank.astype(jnp.int32)
        kept = jnp.matmul(self.weight, inverse, precision=jax.lax.Precision.HIGHEST)
        lost = kept - jnp.eye(self.weight.shape[-2], dtype=kept.dtype)
        bias = -jnp.matmul(self.bias[..., None, :], inverse, precision=jax.lax.Precision.HIGHEST)[..., 0, :]
        return AffineMap(
            inverse,
            bias,
            rank=rank,
            condition=condition,
            residual=jax.lax.stop_gradient(jnp.sqrt(jnp.mean(jnp.sum(lost**2, -1), -1))),
            iterations=jnp.zeros_like(rank),
            converged=jnp.isfinite(inverse).all((-2, -1)),
        )

    def save(self, path, *, metadata: dict[str, str] | None = None) -> None:
        """Write the map as safetensors, whole or not at all; `metadata` is kept beside the description of the file."""
        from safetensors.numpy import save

        known = {name: getattr(self, name) for name in ("weight", "bias", *_DIAGNOSTICS)}
        arrays = {name: np.asarray(value, order="C") for name, value in known.items() if value is not None}
        described = {
            **{str(key): str(value) for key, value in (metadata or {}).items()},
            **_FORMAT,
            "d_source": str(self.weight.shape[-2]),
            "d_target": str(self.weight.shape[-1]),
        }
        path = Path(path)
        partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
        try:
            partial.write_bytes(save(arrays, described))
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)

    @staticmethod
    def load(path) -> "AffineMap":
        """Read a map that `save` wrote; ValueError for any other file. float64 becomes float32 unless x64 is on."""
        arrays, _ = _read(path)
        return AffineMap(**{name: jnp.asarray(value) for name, value in arrays.items()})

    @staticmethod
    def read_metadata(path) -> dict[str, str]:
        """Read the description that `save` put into the file; ValueError for a file that `save` did not write."""
        return _read(path)[1]


def _read(path):
    from safetensors import SafetensorError, safe_open

    path = os.fspath(path)
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
    unknown = arrays.keys() - {"weight", "bias", *_DIAGNOSTICS}
    if unknown or not arrays.keys() >= {"weight", "bias"}:
        raise ValueError(f"{path} must hold weight, bias and diagnostics of a map; it holds {sorted(arrays)}")
    weight, bias = arrays["weight"], arrays["bias"]
    if not (np.issubdtype(weight.dtype, np.floating) and bias.dtype == weight.dtype):
        raise ValueError(f"{path}: weight and bias must share one float dtype; they are {weight.dtype}, {bias.dtype}")
    batch = weight.shape[:-2]
    if weight.ndim < 2 or bias.shape != (*batch, weight.shape[-1]):
        raise ValueError(f"{path}: weight {weight.shape} and bias {bias.shape} do not belong to one map")
    for name in _DIAGNOSTICS:
        if name in arrays and arrays[name].shape != batch:
            raise ValueError(f"{path}: {name} has shape {arrays[name].shape}, expected {batch}")
