"""What a map is, read off its numbers: its family, its scale, and one line that says the most of it."""

from typing import Any

import jax
import numpy as np

from align.maps import map_file

# An entry or a singular value this close to the ideal one counts as it.
_TOLERANCE = 1e-4
# Beyond so many dimensions a line that is only looked at does without singular values, then without the family.
_LARGEST_DECOMPOSED, _LARGEST_NAMED = 512, 2048


# `fitted` is an `AffineMap`, whose module imports this one.


def describe(fitted: Any) -> dict[str, object]:
    """Return what can be read off a single `AffineMap`: its family by its singular values, and its diagnostics.

    `uneven` is the largest relative distance of a singular value from their root mean square, 0 for a map that keeps
    shapes; below 1e-4 the map is said to be a rotation, a reflection, or an isometric embedding or projection.
    `determinant_sign` is None where the determinant is 0 but for rounding. ValueError for a map that is not finite.
    """
    weight, bias = (np.asarray(a, np.float64) for a in (fitted.weight, fitted.bias))
    if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
        raise ValueError("the map has NaN or infinity, as where a fit has failed; expected finite weight and bias")
    values, scale, uneven, rank = _spectrum(fitted)
    described = {
        "family": _family(weight, bias, scale, uneven, rank),
        "d_source": fitted.d_source,
        "d_target": fitted.d_target,
        "dtype": str(fitted.weight.dtype),
        "weight_rank": rank,
        "weight_condition": float(values[0] / values[rank - 1]) if rank else None,
        "determinant_sign": float(np.linalg.slogdet(weight)[0]) if fitted.d_source == fitted.d_target == rank else None,
        "scale": scale,
        "uneven": uneven,
        "singular_values": [float(v) for v in np.quantile(values, [1, 0.75, 0.5, 0.25, 0])],
        "bias_norm": float(np.linalg.norm(bias)),
    }
    for name in map_file.DIAGNOSTICS:
        if (value := getattr(fitted, name)) is not None:
            described[f"fit_{name}"] = np.asarray(value).item()
    return described


def family(fitted: Any) -> str | None:
    """Return the name of the narrowest family of a single `AffineMap`, as `describe` does; None if it would take long.

    In its place a product and a Cholesky factor settle most cases: seconds become hundredths at 1,000 dimensions.
    """
    weight, bias = (np.asarray(a, np.float64) for a in (fitted.weight, fitted.bias))
    if max(weight.shape) > _LARGEST_NAMED:
        return None
    settled = _bounded_spectrum(weight, _epsilon(fitted))
    if settled is None and max(weight.shape) <= _LARGEST_DECOMPOSED:
        settled = _spectrum(fitted)[1:]
    return None if settled is None else _family(weight, bias, *settled)


def in_one_line(fitted: Any) -> str:
    """Return what an `AffineMap` is and how well it fits, in one line.

    Nothing is computed of arrays whose values are not at hand (traced, of another process), nor where the fields hold
    other things than arrays, as they do between transformations.
    """
    if not all(isinstance(getattr(a, "shape", None), tuple) for a in (fitted.weight, fitted.bias)):
        return _plain(fitted)
    if np.ndim(fitted.weight) < 2:
        return _plain(fitted)
    *batch, d_source, d_target = fitted.weight.shape
    parts = [f"{d_source} to {d_target} dimensions"]
    if batch:
        parts.insert(0, f"{' × '.join(map(str, batch))} maps")
    if not (_at_hand(fitted.weight) and _at_hand(fitted.bias)):
        return f"AffineMap({', '.join(parts)}, {type(fitted.weight).__name__})"
    if not batch and not (np.isfinite(fitted.weight).all() and np.isfinite(fitted.bias).all()):
        parts.insert(0, "not finite")
    elif not batch and (name := family(fitted)):
        parts.insert(0, name)
    if fitted.residual is not None and _at_hand(fitted.residual):
        least, most = (f"{reduce(fitted.residual):.3g}" for reduce in (np.min, np.max))
        parts.append(f"residual {least}" + (f" to {most}" if most != least else ""))
    for name in ("converged", "trusted"):
        status = getattr(fitted, name)
        if status is not None and _at_hand(status) and not np.all(status):
            parts.append(f"not {name}" if not batch else f"{np.sum(status)} of {np.size(status)} {name}")
    return f"AffineMap({', '.join(parts)})"


def _plain(fitted):
    known = {name: getattr(fitted, name) for name in ("weight", "bias", *map_file.DIAGNOSTICS, "details")}
    return f"AffineMap({', '.join(f'{name}={value!r}' for name, value in known.items() if value is not None)})"


def _at_hand(array):
    """Say whether the values can be looked at without computing, waiting for other processes, or an error."""
    if isinstance(array, jax.core.Tracer):
        return False
    if isinstance(array, jax.Array):
        return array.is_fully_addressable and not array.is_deleted()
    return isinstance(array, np.ndarray | np.generic)


def _spectrum(fitted):
    """Return the singular values, their root mean square, how far they are from it, and the rank."""
    weight = np.asarray(fitted.weight, np.float64)
    values = np.linalg.svd(weight, compute_uv=False)
    scale = float(values[0] * np.sqrt(np.mean((values / values[0]) ** 2))) if values[0] > 0 else 0.0
    uneven = float(np.max(np.abs(values / scale - 1))) if scale else None
    rank = int(np.sum(values > max(weight.shape) * _epsilon(fitted) * values[0]))
    return values, scale, uneven, rank


def _epsilon(fitted):
    """Return the rounding of the arithmetic with a map: half precision and integers are computed in wider floats."""
    return np.finfo(np.promote_types(fitted.weight.dtype, np.float32)).eps


def _bounded_spectrum(weight, eps):
    """Return what `_spectrum` does but the values, `uneven` as a bound on the right side of the tolerance; or None.

    With k the smaller dimension and s² = ‖W‖² / k, the eigenvalues of A = W W'/s² − I are σ²/s² − 1 for the singular
    values σ. The largest of their sizes lies between the largest entry of A and its Frobenius norm, and it is 1 to 2
    times |σ/s − 1| near 0. The rank is full where W W' − τ² I has a Cholesky factor, τ at least the threshold.
    """
    short = weight if weight.shape[0] <= weight.shape[1] else weight.T
    k = len(short)
    scale = float(np.linalg.norm(short) / np.sqrt(k))
    if not scale:
        return 0.0, None, 0
    short = short / scale
    apart = short @ short.T - np.eye(k)
    if (most := float(np.linalg.norm(apart))) < _TOLERANCE:
        return scale, most, k
    least = float(np.abs(apart).max())
    if least < 3 * _TOLERANCE:
        return None
    gram = apart + np.eye(k)
    largest = float(np.abs(gram).sum(1).max())  # at least σ²/s² of all; products round by about k epsilons of it
    threshold = largest * max((max(weight.shape) * float(eps)) ** 2, k * float(np.finfo(np.float64).eps))
    try:
        np.linalg.cholesky(gram - threshold * np.eye(k))
    except np.linalg.LinAlgError:
        return None
    return scale, least, k


def _family(weight, bias, scale, uneven, rank):
    square = weight.shape[0] == weight.shape[1]
    if rank == 0:
        return "constant"
    if square and np.max(np.abs(weight - np.eye(len(weight)))) < _TOLERANCE:
        name = "identity"
    elif uneven < _TOLERANCE:
        if square:
            name = "rotation" if np.linalg.slogdet(weight)[0] > 0 else "reflection"
        else:
            name = "isometric embedding" if weight.shape[0] < weight.shape[1] else "orthogonal projection"
        name += "" if abs(scale - 1) < _TOLERANCE else ", scaled"
    elif square and np.count_nonzero(weight - np.diag(np.diag(weight))) == 0:
        name = "scale per axis"
    else:
        name = "linear" if rank == min(weight.shape) else f"linear of rank {rank}"
    return name + (" and translation" if np.any(bias) else "")
