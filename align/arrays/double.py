"""Double precision for a block of code, wherever this JAX keeps the switch."""

try:
    from jax import enable_x64
except ImportError:  # before jax 0.8
    from jax.experimental import enable_x64  # type: ignore[attr-defined, no-redef]

__all__ = ["enable_x64"]
