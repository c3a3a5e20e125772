"""JAX's strict settings: no promotion of ranks, none of dtypes; with x64 and without."""

import contextlib
from functools import partial

import jax
import numpy as np
import pytest
from metric_references import METRICS

from align import AffineMap, anchors, metrics, relative, training
from align.arrays.double import enable_x64
from align.models import autoencoder
from align.solvers import SOLVERS, Known
from align.stitching import stitching

ROWS, D = 12, 3
LABELS = np.repeat(np.arange(3), 4)
KEY = jax.random.key(0)
SMALL = {
    "reduced_rank": {"rank": 2},
    "class_gaussians": {"restarts": 2, "iterations": 2},
    "subclass_means": {"clusters": 2, "sample": 4, "iterations": 2},
    "labels": {"restarts": 2, "iterations": 2, "subset": 4},
    "icp": {"iterations": 2},
    "unpaired": {"restarts": 1, "clusters": 4, "sample": 12, "subset": 12},
}


def solve(name, x, y, weights=None, **options):
    known = Known(KEY, x, y, weights, LABELS, LABELS)
    return SOLVERS[name].run(known, **SMALL.get(name, {}), **options)


def derivative(name):
    def loss(x, y):
        return solve(name, x, y).weight.sum()

    return jax.grad(loss, argnums=(0, 1))


PAIRED = [name for name, solver in SOLVERS.items() if solver.needs == "pairs"]
CALLS = {
    **{name: partial(solve, name) for name in SOLVERS},
    **{f"{name}, weighted": lambda x, y, name=name: solve(name, x, y, x[:, 0] ** 2) for name in PAIRED},
    **{f"{name}, its derivative": derivative(name) for name in PAIRED},
    **{f"{name}, many": lambda x, y, name=name: jax.vmap(partial(solve, name))(x[None], y[None]) for name in PAIRED},
    "ridge, towards origin": partial(solve, "ridge", towards="origin"),
    "ridge, of strengths": partial(solve, "ridge", strengths=np.ones(2, np.float32)),
    "icp, csls": partial(solve, "icp", matching="csls"),
    "icp, mutual, affine": partial(solve, "icp", matching="mutual", step="affine"),
    "class_means, affine": partial(solve, "class_means", step="affine"),
    **{name: metric.call for name, metric in METRICS.items() if "minibatch" not in name},
    "minibatch_cka": partial(metrics.minibatch_cka, batch_size=4),
    "minibatch_cka, kernel": partial(metrics.minibatch_cka, batch_size=4, bandwidth=1.0),
    **{f"relative.{name}": partial(relative.represent, similarity=name) for name in relative.SIMILARITIES},
    "relative.layer_normalised": lambda x, y: relative.layer_normalised(x),
    "relative.standardised": relative.standardised,
    **{
        f"anchors.{name}": lambda x, y, name=name: getattr(anchors, name)(KEY, x, 3)
        for name in ("random", "farthest_point", "kmeans", "leverage", "d_optimal")
    },
    "anchors.class_balanced": lambda x, y: anchors.class_balanced(KEY, x, 3, labels=LABELS),
    "anchors.neighbourhoods": lambda x, y: anchors.neighbourhoods(KEY, x, 3, size=2),
    "a map applied, inverted and composed": lambda x, y: (
        AffineMap(x[:3], x[3]).inverse().then(AffineMap(y[:3], y[3]))(x)
    ),
}


@contextlib.contextmanager
def strict(x64):
    with enable_x64(x64), jax.numpy_rank_promotion("raise"), jax.numpy_dtype_promotion("strict"):
        yield


@pytest.mark.parametrize("x64", [False, True], ids=["x64 off", "x64 on"])
@pytest.mark.parametrize("name", CALLS)
def test_traced(name, x64):
    with strict(x64):
        for dtype in (np.float32, *([np.float64] if x64 else [])):
            rows = jax.ShapeDtypeStruct((ROWS, D), dtype)
            jax.eval_shape(CALLS[name], rows, rows)


@pytest.mark.parametrize("x64", [False, True], ids=["x64 off", "x64 on"])
@pytest.mark.parametrize("model", ["conv", "mlp"])
def test_networks_are_trained(model, x64):
    images = np.random.default_rng(0).uniform(size=(4, 28, 28, 1)).astype(np.float32)
    settings = training.Settings(epochs=1, batch=2)
    with strict(x64):
        network = autoencoder(model, 2, "mnist")
        state = training.start(network, KEY, images, settings)
        (state,) = training.fit(network, [state], [KEY], images, images, settings, devices=jax.local_devices()[:1])
    assert np.isfinite(state.loss) and state.loss.dtype == np.float32


@pytest.mark.parametrize("weighted", [False, True])
def test_stitching_networks_are_trained(weighted):
    x = np.random.default_rng(0).normal(size=(ROWS, D)).astype(np.float32)
    with strict(x64=False):
        fitted = stitching(KEY, x, x, weights=np.ones(ROWS, np.float32) if weighted else None)
        assert np.isfinite(fitted(x)).all()
