"""Layers and networks with and without jit, several beside each other, on one device and on two: the same values."""

import chex
import jax
import jax.numpy as jnp
from absl.testing import parameterized

from align.models import conv, layers, mlp

IMAGES, CODES, FEATURES = (2, 8, 8, 1), (2, 3), (2, 7, 5, 2)
MODULES = {
    "Conv": (layers.Conv(4, 3, 2), FEATURES),
    "ConvTranspose": (layers.ConvTranspose(4, 3, 2), FEATURES),
    "ConvEncoder": (conv.ConvEncoder(3, (2, 4), (5, 3)), IMAGES),
    "ConvDecoder": (conv.ConvDecoder((2, 4), (5, 3), side=8), CODES),
    "MLPEncoder": (mlp.MLPEncoder(3, (8,)), IMAGES),
    "MLPDecoder": (mlp.MLPDecoder((8,), side=8), CODES),
}


class Variants(chex.TestCase):
    @chex.variants(without_jit=True, with_pmap=True)  # which compiles, as jit does
    @parameterized.named_parameters((name, name) for name in MODULES)
    def test_networks_beside_each_other_are_each_alone(self, name):
        module, shape = MODULES[name]
        x = jax.random.normal(jax.random.key(1), shape)
        params = jax.jit(jax.vmap(module.init, (0, None)))(jax.random.split(jax.random.key(0), 2), x)
        together = self.variant(jax.vmap(module.apply, (0, None)))(params, x)
        apply = jax.jit(chex.assert_max_traces(lambda params: module.apply(params, x), 1))
        alone = [apply(jax.tree.map(lambda leaf, place=place: leaf[place], params)) for place in range(2)]
        chex.assert_trees_all_close(together, jnp.stack(alone), atol=1e-5)  # sums of at most 80 products of order one
        chex.clear_trace_counter()
