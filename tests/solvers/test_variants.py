"""Every solver with and without jit, under vmap and pmap, is the same solver; and equal shapes are traced once."""

import chex
import jax
import numpy as np
import pytest
from absl.testing import parameterized
from chex import ChexVariantType
from families import FAMILIES, ROWS, WITHOUT_PAIRS, pairs
from jax.sharding import NamedSharding, PartitionSpec

from align import metrics, solvers
from align.arrays import inputs
from align.arrays.double import enable_x64


class Variants(chex.TestCase):
    """Two problems at once, in float64: what is compiled, run one operation at a time, or run on two devices."""

    def setUp(self):
        super().setUp()
        self.enterContext(enable_x64(True))
        x, y = pairs()
        self.sources, self.targets = np.stack([x, y]), np.stack([y, x * np.linspace(1, 2, x.shape[1])])

    def assert_each_is_fitted_as_alone(self, solve):
        alone = [solve(*problem) for problem in zip(self.sources, self.targets, strict=True)]
        with jax.disable_jit(self.variant.type is ChexVariantType.WITHOUT_JIT):
            together = self.variant(jax.vmap(solve))(self.sources, self.targets)
        chex.assert_trees_all_close(together, jax.tree.map(lambda *a: np.stack(a), *alone), rtol=1e-9, atol=1e-9)

    @chex.variants(without_jit=True, with_pmap=True)  # compiled by jit: test_properties
    @parameterized.named_parameters((name, name) for name in FAMILIES)
    def test_one_operation_at_a_time_and_on_two_devices_from_pairs(self, name):
        self.assert_each_is_fitted_as_alone(FAMILIES[name].solve)

    @chex.variants(with_pmap=True)  # which compiles as jit does, and these take long to compile
    @parameterized.named_parameters((name, name) for name in WITHOUT_PAIRS if name != "unpaired")  # in test_unpaired
    def test_without_pairs(self, name):
        self.assert_each_is_fitted_as_alone(WITHOUT_PAIRS[name])


@pytest.mark.parametrize("name", FAMILIES)
def test_equal_shapes_are_traced_once_whatever_their_values(name, caplog):
    chex.clear_trace_counter()
    solve = FAMILIES[name].solve
    compiled = jax.jit(chex.assert_max_traces(lambda x, y, weights: solve(x, y, weights=weights), 1))
    for seed in range(3):
        x, y = (a.astype(np.float32) for a in pairs(seed))
        compiled(x, y, np.random.default_rng(seed).uniform(1, 2, ROWS).astype(np.float32))
        with jax.log_compiles(seed > 0):  # outside of jit: what the solver itself compiles
            solve(x, y)
    assert caplog.messages == []


def test_strengths_are_values_and_no_part_of_the_program():
    chex.clear_trace_counter()
    x, y = (a.astype(np.float32) for a in pairs())
    compiled = jax.jit(chex.assert_max_traces(lambda strengths: solvers.ridge(x, y, strengths=strengths), 1))
    weights = [compiled(np.float32([strength])).weight for strength in (0.1, 1.0, 10.0)]
    assert not np.allclose(weights[0], weights[2])


def over_two_devices(array, *spec):
    """Shard over the mesh that JAX makes of itself: since 0.9 its axes are explicit."""
    return jax.device_put(array, NamedSharding(jax.make_mesh((2,), ("a",)), PartitionSpec(*spec)))


LAYOUTS = {"rows": ("a",), "columns": (None, "a")}
SIDES = {"both": (0, 1), "the source": (0,), "the target": (1,)}


@pytest.mark.parametrize(
    ("side", "layout"), [("both", "rows"), ("both", "columns"), ("the source", "columns"), ("the target", "rows")]
)
def test_sharded_over_the_mesh_that_jax_makes(side, layout):
    pair = [a.astype(np.float32) for a in pairs()]
    sharded = [over_two_devices(a, *LAYOUTS[layout]) if k in SIDES[side] else a for k, a in enumerate(pair)]
    for call in (solvers.rigid, solvers.ridge, metrics.linear_cka):
        chex.assert_trees_all_close(call(*sharded), call(*pair), rtol=1e-3, atol=1e-4)
    fitted = solvers.rigid(*sharded)
    np.testing.assert_allclose(fitted(sharded[0]), fitted(pair[0]), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", FAMILIES)
def test_every_solver_takes_rows_sharded_over_the_mesh_that_jax_makes(name):
    with enable_x64(True):
        pair, weights = pairs(), np.linspace(1, 2, ROWS)
        sharded = [over_two_devices(a, "a") for a in (*pair, weights)]
        found = FAMILIES[name].solve(*sharded[:2], weights=sharded[2])
        chex.assert_trees_all_close(found, FAMILIES[name].solve(*pair, weights=weights), rtol=1e-9, atol=1e-9)


def test_sharded_arrays_in_a_program_and_in_a_mesh_that_is_set():
    pair = [a.astype(np.float32) for a in pairs()]
    sharded, expected = [over_two_devices(a, "a") for a in pair], solvers.rigid(*pair).weight
    closed_over = jax.jit(lambda scale: solvers.rigid(scale * inputs.as_array("source", sharded[0]), sharded[1]).weight)
    np.testing.assert_allclose(closed_over(1.0), expected, rtol=1e-4, atol=1e-4)
    with jax.set_mesh(sharded[0].sharding.mesh):
        np.testing.assert_allclose(solvers.rigid(*sharded).weight, expected, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(solvers.rigid(*pair).weight, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_shards_stay_where_they_are(layout):
    given = over_two_devices(pairs()[0].astype(np.float32), *LAYOUTS[layout])
    taken = inputs.as_array("source", given)
    assert taken.sharding.is_equivalent_to(given.sharding, 2)
    assert [shard.data.unsafe_buffer_pointer() for shard in taken.addressable_shards] == [
        shard.data.unsafe_buffer_pointer() for shard in given.addressable_shards
    ]
