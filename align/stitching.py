"""Stitching (paper section 3.2, equation 3): a small network trained on pairs of latents, the rival of closed forms."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, cast

import jax
from flax import linen as nn
from jax import Array
from jax import numpy as jnp
from jax.typing import ArrayLike

from align import training
from align.arrays import checks, inputs
from align.arrays.products import HIGHEST

SETTINGS = training.Settings(learning_rate=1e-3, schedule="constant")
MIN_STEPS = 3000


class StitchingNetwork(nn.Module):
    """Three dense layers with ReLUs between them and hidden width `factor` times the source's dimension."""

    factor: int
    d_target: int

    @nn.compact
    def __call__(self, x: Array) -> Array:
        width = self.factor * x.shape[-1]
        for _ in range(2):
            x = nn.relu(nn.Dense(width, precision=HIGHEST)(x))
        return nn.Dense(self.d_target, precision=HIGHEST)(x)


class _WeightedNetwork(StitchingNetwork):
    """The same network on rows that end in the root of their weight w: √w f(x), whose squared error has weight w."""

    @nn.compact
    def __call__(self, rows: Array) -> Array:
        return rows[..., -1:] * super().__call__(rows[..., :-1])


class StitchingMap(NamedTuple):
    """A trained stitching network: `fitted(x)` maps `[n, d_source]` to `[n, d_target]`."""

    network: StitchingNetwork
    params: Any

    def __call__(self, x: ArrayLike) -> Array:
        (x,) = inputs.as_floats(x=x)
        d_source = self.params["params"]["Dense_0"]["kernel"].shape[-2]
        if x.ndim == 0 or x.shape[-1] != d_source:
            raise ValueError(f"x must be [..., {d_source}] for this map; it is {x.shape}")
        return cast(Array, self.network.apply(self.params, x))


def stitching(
    key: Array,
    source: ArrayLike,
    target: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    factor: int = 2,
    settings: training.Settings = SETTINGS,
) -> StitchingMap:
    """Train a stitching network from source to target, rows in correspondence.

    key: of the start, and of the order of the rows.
    source: `[n, d_source]`.
    target: `[n, d_target]`.
    weights: `[n]`, of the rows' squared errors, relative to their mean.
    factor: k of equation (3), the hidden width over d_source.
    settings: of the training.

    ValueError for shapes that do not fit, for input that is not finite or whose squares are not, for weights that are
    negative or all zero, and for a training that diverges.
    """
    heavy = None if weights is None else [weights]
    return stitch_pairs([key], [source], [target], weights=heavy, factor=factor, settings=settings)[0]


def stitch_pairs(
    keys: Sequence[Array],
    sources: Sequence[ArrayLike],
    targets: Sequence[ArrayLike],
    *,
    weights: Sequence[ArrayLike | None] | None = None,
    factor: int = 2,
    settings: training.Settings = SETTINGS,
    after_round: Callable[[dict[int, training.State]], None] = lambda done: None,
) -> list[StitchingMap]:
    """Train one stitching network per pair of equally shaped latents, side by side; arguments as for `stitching`.

    keys, sources, targets, weights: one for each network. after_round: as for `training.fit`.

    A pass over a few anchors is a step or two: passes are added until the training has `MIN_STEPS` steps.
    """
    checks.check_counts(factor=factor)
    counts = {"keys": len(keys), "sources": len(sources), "targets": len(targets)}
    counts |= {} if weights is None else {"weights": len(weights)}
    if not all(counts.values()) or len(set(counts.values())) > 1:
        raise ValueError(f"{', '.join(counts)} must be as many, at least one; they are {[*counts.values()]}")
    if not isinstance(settings, training.Settings):
        raise ValueError(f"settings must be training.Settings; they are {settings!r}")
    for key in keys:
        checks.check_key(key)
    if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves((keys, sources, targets, weights))):
        raise ValueError("source, target and key must be known: a network is trained step by step, not under jit")
    weights = [None] * len(sources) if weights is None else weights
    if len({each is None for each in weights}) > 1:
        raise ValueError("weights must be given for every network, or for none; some are None")
    pairs = [inputs.as_pairs(*each) for each in zip(sources, targets, weights, strict=True)]
    for source, target, heavy in pairs:
        inputs.check_finite(source=source, target=target)
        inputs.check_squares(source=source, target=target)
        if heavy is not None:
            inputs.check_weights(heavy)
    x, y, heavies = (list(each) for each in zip(*pairs, strict=True))
    samples, d_target = len(x[0]), y[0].shape[-1]
    steps = settings.steps(samples) * settings.passes * settings.epochs
    settings = replace(settings, passes=settings.passes * max(1, -(-MIN_STEPS // steps)))
    network = StitchingNetwork(factor, d_target)
    halves = [jax.random.split(key) for key in keys]
    states = [training.start(network, k[0], s, settings) for k, s in zip(halves, x, strict=True)]
    orders = [k[1] for k in halves]
    if heavies[0] is not None:
        roots = [jnp.sqrt(w / w.mean())[:, None] for w in heavies]
        x = [jnp.concatenate(each, axis=1) for each in zip(x, roots, strict=True)]
        y = [root * each for root, each in zip(roots, y, strict=True)]
    trained = network if heavies[0] is None else _WeightedNetwork(factor, d_target)
    states = training.fit(trained, states, orders, x, y, settings, after_round=after_round)
    for state in states:
        if not all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(state.params)):
            raise ValueError(
                "training from source to target diverged: parameters are not finite; "
                "expected source and target of a smaller scale, or settings of a smaller learning_rate"
            )
    return [StitchingMap(network, state.params) for state in states]
