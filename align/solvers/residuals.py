"""How much of the target a map leaves unexplained, measured on the rows themselves."""

import jax
import jax.numpy as jnp

from align.solvers.moments import HIGHEST, blocked_sum


def relative_residual(source, target, weights, weight, bias):
    """Return ‖target − (source @ weight + bias)‖ / ‖target − mean‖, without a gradient; 0 where both norms are 0."""
    source, target, weights, weight, bias = jax.lax.stop_gradient((source, target, weights, weight, bias))
    mean = target.mean(0) if weights is None else jnp.matmul(weights, target, precision=HIGHEST) / weights.sum()

    def squares(x, y, w):
        errors = ((y - jnp.matmul(x, weight, precision=HIGHEST) - bias) ** 2).sum(1)
        spread = ((y - mean) ** 2).sum(1)
        return (errors.sum(), spread.sum()) if w is None else ((errors * w).sum(), (spread * w).sum())

    error, spread = blocked_sum(squares, (source, target, weights))
    return jnp.sqrt(jnp.where(error == 0, 0, error / spread))
