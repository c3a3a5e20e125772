"""The fitted transformation: `target ≈ source @ weight + bias`, and what is known about how well it fits."""

import dataclasses
import os
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import ArrayLike, DTypeLike

from align.arrays import checks, inputs
from align.arrays.products import matmul
from align.arrays.scales import unit
from align.linalg.decompositions import pinv
from align.maps import description, map_file


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class AffineMap:
    """An affine map between two latent spaces, a pytree; `vmap` over a solver gives one with leading batch axes.

    weight: `[d_source, d_target]`; bias: `[d_target]`. ValueError where their shapes do not belong together.

    The rest is scalar, carries no gradient, and is None where nobody measured it:
    rank: dimensions of the source data that the fit used.
    condition: largest over smallest singular value of what was decomposed, among those that count towards the rank.
    residual: ‖target − self(source)‖ / ‖target − mean(target)‖ over the training rows (so 1 − residual² is R²).
    iterations: steps taken, 0 for a closed form.
    converged: False where the input was not finite or a decomposition failed (weight and bias of a closed form are NaN
    then), or where an iteration did not come to rest or found no matches to learn from.
    trusted: whether the map is to be believed, in the judgement of a solver that can tell a failure from a success.
    details: a further record of one solver, such as the path of ridge strengths; not written to files.
    """

    weight: jax.Array
    bias: jax.Array
    rank: jax.Array | None = None
    condition: jax.Array | None = None
    residual: jax.Array | None = None
    iterations: jax.Array | None = None
    converged: jax.Array | None = None
    trusted: jax.Array | None = None
    details: Any = None

    def __post_init__(self):
        for name in ("weight", "bias"):
            value = getattr(self, name)
            if isinstance(value, list | tuple) or callable(getattr(value, "detach", None)):
                object.__setattr__(self, name, inputs.as_array(name, value))
        weight, bias = (getattr(a, "shape", None) for a in (self.weight, self.bias))
        if weight is None or bias is None:  # what is no array says nothing of a shape
            return
        if len(weight) < 2 or bias != (*weight[:-2], weight[-1]):
            raise ValueError(
                f"weight must be [d_source, d_target] and bias [d_target], after the same batch axes if any; "
                f"they are {weight} and {bias}"
            )

    @staticmethod
    def identity(dimensions: int, *, dtype: DTypeLike | None = None) -> "AffineMap":
        """Return the map of a space onto itself that moves nothing."""
        checks.check_counts(dimensions=dimensions)
        return AffineMap(jnp.eye(dimensions, dtype=dtype), jnp.zeros(dimensions, dtype))

    @property
    def d_source(self) -> int:
        """Dimensions of the points that the map takes."""
        return self.weight.shape[-2]

    @property
    def d_target(self) -> int:
        """Dimensions of the points that the map returns."""
        return self.weight.shape[-1]

    def __repr__(self):
        return description.in_one_line(self)

    def __call__(self, x: ArrayLike) -> jax.Array:
        """Map points `[..., d_source]` to `[..., d_target]`; a batched map takes `[*batch, n, d_source]`."""
        points = self._points(x, self.d_source, f" for a map of weight {self.weight.shape}")
        dtype = inputs.float_dtype(x=points, weight=self.weight)
        points, weight, bias = (a.astype(dtype) for a in (points, self.weight, self.bias))
        moved = matmul(points, weight)
        bias = bias[..., None, :] if bias.ndim > 1 else bias
        return moved + lax.expand_dims(bias, range(moved.ndim - bias.ndim))

    def _points(self, x, dimensions, which):
        """Return x as an array of points of so many dimensions, in the batch axes of the map if it has any."""
        x, batch = inputs.as_array("x", x), self.weight.shape[:-2]
        if x.ndim < 1 + bool(batch) or x.shape[-1] != dimensions:
            raise ValueError(f"x must be [{'..., n' if batch else '...'}, {dimensions}]{which}; it is {x.shape}")
        if any(a != b and 1 not in (a, b) for a, b in zip(batch[::-1], x.shape[-3::-1], strict=False)):
            raise ValueError(f"x must be [{', '.join(map(str, batch))}, n, {dimensions}]{which}; it is {x.shape}")
        return x

    def queries(self, x: ArrayLike) -> jax.Array:
        """Turn queries `[..., d_target]` of the target space into queries `[..., d_source + 1]` of unmapped documents.

        For a document d, `q · (d @ weight + bias) = (q @ weight.T) · d + q · bias`. The first d_source columns are
        `q @ weight.T`, for an index that stays as it is; the last is `q · bias`, one number a query. So

            (queries[:, :-1] @ documents.T + queries[:, -1:]) / fitted.norms(documents)

        are the scores, and the order, of a search by cosine among the mapped documents; without the division, those of
        a search by inner product. An index that only knows the inner product finds the same with one more dimension:
        `queries @ fitted.documents(documents).T`. That is more than a map fitted from target to source can do: mapped
        queries meet documents whose lengths in the target space nobody has divided by.

        A batched map takes `[*batch, n, d_target]`.
        """
        points = self._points(x, self.d_target, f", queries of the space that weight {self.weight.shape} maps to")
        dtype = inputs.float_dtype(x=points, weight=self.weight)
        both = jnp.concatenate([self.weight, self.bias[..., None, :]], -2).astype(dtype)
        return matmul(points.astype(dtype), both.swapaxes(-1, -2))

    def norms(self, x: ArrayLike) -> jax.Array:
        """Return ‖self(x)‖, `[...]`, for points `[..., d_source]`: what scores of `queries` are divided by."""
        scaled, power = unit(self(x), axis=-1)
        return (power * _norms(scaled))[..., 0]

    def documents(self, x: ArrayLike) -> jax.Array:
        """Return points `[..., d_source]` as documents `[..., d_source + 1]` for `queries`: x and 1, over ‖self(x)‖.

        The inner product of a query with a document is then that of the query with self(x) at unit length: its cosine,
        but for the length of the query. A document that the map sends to zero is zero.
        """
        scaled, power = unit(self(x), axis=-1)
        norms = _norms(scaled)  # times the power it may leave the range of floats
        x = inputs.as_array("x", x).astype(norms.dtype)
        x = jnp.broadcast_to(x, (*norms.shape[:-1], x.shape[-1]))
        longer = jnp.concatenate([x, jnp.ones_like(norms)], -1)
        zero = norms == 0  # which NaN is not
        return jnp.where(zero, 0, longer / jnp.where(zero, 1, norms) / power)

    def then(self, after: "AffineMap") -> "AffineMap":
        """Compose: the map x ↦ after(self(x)). Its diagnostics are unknown, since no data was fitted."""
        if not isinstance(after, AffineMap):
            raise ValueError(f"after must be an AffineMap; it is {type(after).__name__}")
        if self.d_target != after.d_source:
            raise ValueError(
                f"after must take {self.d_target} dimensions to follow weight {self.weight.shape}; "
                f"its weight is {after.weight.shape}"
            )
        dtype = inputs.float_dtype(weight=self.weight, after=after.weight)
        bias = after(self.bias[..., None, :].astype(dtype))[..., 0, :]
        return AffineMap(matmul(self.weight.astype(dtype), after.weight.astype(dtype)), bias)

    def __matmul__(self, after: "AffineMap") -> "AffineMap":
        """Compose left to right, as the weights multiply: `(a @ b)(x) == b(a(x))`."""
        return self.then(after)

    def inverse(self, *, rcond: float | None = None) -> "AffineMap":
        """Invert in the least-squares sense: the minimum-norm x with self(x) closest to y.

        rcond: singular values below rcond times the largest count as zero; the larger dimension times the machine
        epsilon unless given. `residual` of the result is what a round trip loses: ‖weight · inverse − I‖_F / √d_source
        for the source space, 0 where the map is invertible there, √(1 − rank/d_source) where it is not.
        `trusted` stays that of the map: which point belongs to which is what was judged.
        """
        if rcond is not None:
            checks.check_fraction(rcond=rcond)
        weight, bias = inputs.as_floats(weight=self.weight, bias=self.bias)
        inverse, rank, condition = pinv(weight, rcond=rcond)
        rank = rank.astype(jnp.int32)
        kept = matmul(weight, inverse)
        lost = kept - jnp.eye(self.d_source, dtype=kept.dtype)
        return AffineMap(
            inverse,
            -matmul(bias[..., None, :], inverse)[..., 0, :],
            rank=rank,
            condition=condition,
            residual=jax.lax.stop_gradient(jnp.sqrt(jnp.mean(jnp.sum(lost**2, -1), -1))),
            iterations=jnp.zeros_like(rank),
            converged=jnp.isfinite(inverse).all((-2, -1)),
            trusted=self.trusted,
        )

    def save(
        self, path: str | os.PathLike[str], *, metadata: dict[str, str] | None = None, overwrite: bool = True
    ) -> None:
        """Write the map as safetensors, whole or not at all; `metadata` is kept beside the description of the file.

        Weight and bias are written in the one float dtype, at least float32, that holds both; ValueError
        where none does, and for metadata with a format or a version of its own. FileExistsError where there is a file
        already, unless `overwrite`.
        """
        fields = {name: getattr(self, name) for name in ("weight", "bias", *map_file.DIAGNOSTICS)}
        arrays = {name: np.asarray(value, order="C") for name, value in fields.items() if value is not None}
        dtypes = (arrays[name].dtype for name in ("weight", "bias"))
        dtype = np.result_type(*(np.float32 if d == jnp.bfloat16 else d for d in dtypes), np.float32)
        if not np.issubdtype(dtype, np.floating):
            came = f"{arrays['weight'].dtype} and {arrays['bias'].dtype}"
            raise ValueError(f"weight and bias must be real numbers to be saved; they are {came}")
        arrays |= {name: arrays[name].astype(dtype, copy=False) for name in ("weight", "bias")}
        map_file.write(path, arrays, metadata or {}, overwrite)

    @staticmethod
    def load(path: str | os.PathLike[str]) -> "AffineMap":
        """Read a map that `save` wrote; ValueError for any other file. float64 becomes float32 where x64 is off."""
        arrays, _ = map_file.read(path)
        return AffineMap(**{name: inputs.as_array(name, value) for name, value in arrays.items()})

    @staticmethod
    def read_metadata(path: str | os.PathLike[str]) -> dict[str, str]:
        """Read the description that `save` put into the file; ValueError for a file that `save` did not write."""
        return map_file.read(path)[1]


def _norms(x):
    """Return the norms `[..., 1]` of points `[..., d]`, with a derivative of zero at zero."""
    squares = jnp.sum(x**2, -1, keepdims=True)
    zero = squares == 0  # which NaN is not
    return jnp.where(zero, 0, jnp.sqrt(jnp.where(zero, 1, squares)))


_FIELDS = tuple(field.name for field in dataclasses.fields(AffineMap))


def _flatten_with_keys(fitted):
    return [(jax.tree_util.GetAttrKey(name), getattr(fitted, name)) for name in _FIELDS], None


def _flatten(fitted):
    return [getattr(fitted, name) for name in _FIELDS], None


def _unflatten(_, values):
    # Not by the constructor, which checks: between transformations the leaves are axes, sums or whatever a caller maps
    # them to, and batch axes may stand last.
    fitted = object.__new__(AffineMap)
    vars(fitted).update(zip(_FIELDS, values, strict=True))
    return fitted


jax.tree_util.register_pytree_with_keys(AffineMap, _flatten_with_keys, _unflatten, _flatten)
