"""The solvers as an estimator of scikit-learn: `Aligner` goes into a pipeline and into a search over solvers.

    from align.sklearn import Aligner
    aligner = Aligner(solver="ridge").fit(source, target)
    aligner.transform(codes)  # in the target's space
    fitted = aligner.map_     # the AffineMap, with its residual

Needs scikit-learn, which the package itself does not: `pip install 'align-latents[sklearn]'`.
"""

from typing import Any

import jax
import numpy as np

try:
    from sklearn.base import (
        BaseEstimator,
        ClassNamePrefixFeaturesOutMixin,
        MultiOutputMixin,
        RegressorMixin,
        TransformerMixin,
    )
    from sklearn.metrics import r2_score
    from sklearn.utils import check_array
    from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data
except ImportError as error:
    raise ImportError("align.sklearn needs scikit-learn 1.6 or newer: pip install 'align-latents[sklearn]'") from error

from align.arrays.double import enable_x64
from align.maps import AffineMap
from align.solvers import SOLVERS, Known

__all__ = ["Aligner"]

_FLOATS = (np.float64, np.float32)


class Aligner(ClassNamePrefixFeaturesOutMixin, TransformerMixin, MultiOutputMixin, RegressorMixin, BaseEstimator):
    """Map one embedding to another by a solver of rows in correspondence.

    solver: name of a solver that needs pairs in the table `align.solvers.SOLVERS`, such as "rigid" or "ridge".
    options: its keyword arguments, such as `{"towards": "rigid"}`.

    `X` `[n, d_source]` is the embedding to map, `y` `[n, d_target]` the one to map to, row by row of the same things; a
    `y` of `[n]` has one dimension. Both are computed in the precision of X, float64 unless X is float32, whatever
    JAX's own setting: results are NumPy arrays of that dtype.

    After `fit`, `map_` is the `AffineMap`, with its rank, residual and `details`, and `n_features_in_` is d_source. Its
    fields are NumPy arrays; what it maps itself is a JAX array of the dtype that JAX's own setting allows.
    """

    def __init__(self, solver: str = "ridge", *, options: dict[str, object] | None = None):
        self.solver = solver
        self.options = options

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "Aligner":
        """Fit the map from X `[n, d_source]` to y `[n, d_target]`; sample_weight `[n]` counts rows.

        ValueError for a solver that is unknown or needs no pairs, for options that it does not take, and for arrays
        that do not fit it (as the solver itself says) or are masked.
        """
        solver = self._chosen()
        _check_unmasked(X=X, y=y, sample_weight=sample_weight)
        X, y = validate_data(self, X, y, dtype=_FLOATS, multi_output=True, y_numeric=True, ensure_min_samples=2)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, X, dtype=X.dtype, ensure_non_negative=True)
            counted = sample_weight > 0  # a solver may look at how many rows there are
            if counted.sum() < 2:
                raise ValueError(f"sample_weight must be positive for two rows or more; it is for {counted.sum()}")
            X, y, sample_weight = X[counted], y[counted], sample_weight[counted]
        target = (y[:, None] if y.ndim == 1 else y).astype(X.dtype, copy=False)
        with enable_x64(X.dtype == np.float64):
            known = Known(None, X, target, weights=sample_weight)
            fitted = solver.run(known, **(self.options or {}))
            self.map_ = jax.tree.map(np.asarray, fitted)
        if not self.map_.converged:
            raise ValueError(f"{self.solver} found no map of {X.shape} to {target.shape}: a decomposition failed")
        self._one_dimension = y.ndim == 1
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Map X `[n, d_source]` to the space of y, `[n, d_target]`."""
        return self._mapped(X)

    def predict(self, X: Any) -> np.ndarray:
        """Map X `[n, d_source]` as `transform` does, to `[n]` where y had this shape."""
        mapped = self._mapped(X)  # what `transform` returns may be a table, by `set_output`
        return mapped[:, 0] if self._one_dimension else mapped

    def inverse_transform(self, X: Any) -> np.ndarray:
        """Map X `[n, d_target]`, of the space of y, back to `[n, d_source]`, in the least-squares sense."""
        check_is_fitted(self)
        _check_unmasked(X=X)
        X = check_array(X, dtype=_FLOATS, input_name="X")
        with enable_x64(X.dtype == np.float64):
            weight, bias = (getattr(self.map_, name).astype(X.dtype, copy=False) for name in ("weight", "bias"))
            # What counts as zero is the rounding of the fit, also in more digits than it had.
            epsilon = max(np.finfo(dtype).eps for dtype in (self.map_.weight.dtype, X.dtype))
            rcond = max(weight.shape) * float(epsilon)
            return np.asarray(AffineMap(weight, bias).inverse(rcond=rcond)(X))

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return R² of y `[n, d_target]` as predicted from X `[n, d_source]`: 1 − relative residual².

        The errors of all dimensions are summed, and so are their variances, so that turning either embedding does not
        change the score, as the plain mean over dimensions would. sample_weight `[n]` counts rows. A y that does not
        vary scores 1 where it is predicted exactly, and 0 otherwise; one row has no score, NaN.
        """
        _check_unmasked(y=y, sample_weight=sample_weight)
        predicted = self.predict(X)
        # Of scikit-learn's score its checks alone: to its means over dimensions one that is constant counts nothing.
        if np.isnan(r2_score(y, predicted, sample_weight=sample_weight)):
            return float("nan")
        weights = _check_sample_weight(sample_weight, predicted, dtype=np.float64, ensure_non_negative=True)
        y, predicted = (np.asarray(a, np.float64).reshape(len(weights), -1)[weights > 0] for a in (y, predicted))
        if (y == y[0]).all():
            return float((predicted == y).all())
        weights, from_mean = weights[weights > 0], y - y[0]
        from_mean = from_mean - np.average(from_mean, 0, weights)
        error, spread = (weights @ (each**2).sum(1) for each in (predicted - y, from_mean))
        return float(1 - error / spread)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    @property
    def _n_features_out(self):
        return self.map_.d_target

    def _mapped(self, X):
        check_is_fitted(self)
        _check_unmasked(X=X)
        X = validate_data(self, X, dtype=_FLOATS, reset=False)
        return X @ self.map_.weight.astype(X.dtype, copy=False) + self.map_.bias.astype(X.dtype, copy=False)

    def _chosen(self):
        pairs = [name for name, solver in SOLVERS.items() if solver.needs == "pairs"]
        if self.solver not in pairs:
            raise ValueError(f"solver must be one of {', '.join(pairs)}, which need pairs; it is {self.solver!r}")
        solver, options = SOLVERS[self.solver], {} if self.options is None else self.options
        if not isinstance(options, dict):
            raise ValueError(f"options must be a dict of keyword arguments, or None; it is {options!r}")
        if unknown := [name for name in options if name not in solver.options]:
            raise ValueError(
                f"options of {self.solver} may be {', '.join(solver.options) or 'none'}; they hold {', '.join(unknown)}"
            )
        if missing := [name for name in solver.required if name not in options]:
            raise ValueError(f"options of {self.solver} must hold {', '.join(missing)}")
        return solver


def _check_unmasked(**arrays):
    """Raise ValueError for masked arrays, whose mask no solver would heed."""
    for name, array in arrays.items():
        if isinstance(array, np.ma.MaskedArray):
            raise ValueError(f"{name} must be an array of real numbers; it is masked, {array.dtype} {array.shape}")
