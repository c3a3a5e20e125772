"""One training loop for every network: Adam, an epoch at a time, seeds in parallel.

A network is a Flax module that maps inputs to predictions; autoencoders, decoders of relative representations and
stitching networks differ in what they are given, not in how they are trained: by the mean squared error, where no other
loss is named. Repeats with other seeds are independent, so they run side by side with `pmap`, one program per device
and no communication. With more networks than devices a CPU runs them in rounds (those that are furthest behind go next,
so that all devices stay busy), and an accelerator runs several per device with `vmap`.
"""

import functools
import math
import numbers
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, NamedTuple

import jax
import numpy as np
import optax
from flax import linen as nn
from jax import Array
from jax import numpy as jnp

from align.arrays import checks
from align.arrays.inputs import as_array
from align.models import initial as initial_parameters

SCHEDULES = ("onecycle", "constant")
INITIALS = ("normal", *initial_parameters.DRAWS)
Loss = Callable[[Array, Array], Array]


@dataclass(frozen=True)
class Settings:
    """How a network is trained; the paper's own (section 4.1) is batch 64 and a constant learning rate of 1e-3.

    `passes` is the number of passes over the data that make an epoch: one compiled call, then checkpoint and progress.
    `weight_decay`, of all parameters and in units of the learning rate, is decoupled from the gradient (Loshchilov and
    Hutter 2019): it leaves two encoders less room to bend their latents in ways of their own. `memory` is Adam's b2, of
    squared gradients: 0.99 under "onecycle" and 0.999 else, where it is None. `initial` is how parameters are drawn:
    "normal" as Flax does (LeCun's, biases zero), "uniform" as PyTorch does, "orthogonal" (`align.models.initial`).
    """

    epochs: int = 14
    batch: int = 64
    learning_rate: float = 5e-3
    schedule: str = "onecycle"
    passes: int = 1
    weight_decay: float = 0.0
    memory: float | None = None
    initial: str = "normal"

    def __post_init__(self):
        checks.check_counts(epochs=self.epochs, batch=self.batch, passes=self.passes)
        if not _is_finite(self.learning_rate) or self.learning_rate <= 0:
            raise ValueError(f"learning_rate must be positive and finite; it is {self.learning_rate!r}")
        if not _is_finite(self.weight_decay) or self.weight_decay < 0:
            raise ValueError(f"weight_decay must be at least 0 and finite; it is {self.weight_decay!r}")
        if self.schedule not in SCHEDULES:
            raise ValueError(f"schedule must be one of {', '.join(SCHEDULES)}; it is {self.schedule!r}")
        if self.memory is not None and not (_is_finite(self.memory) and 0 <= self.memory < 1):
            raise ValueError(f"memory must be at least 0 and below 1, or None; it is {self.memory!r}")
        if self.initial not in INITIALS:
            raise ValueError(f"initial must be one of {', '.join(INITIALS)}; it is {self.initial!r}")

    def described(self) -> dict[str, Any]:
        """Give the settings by name, as rows and trained networks are found by.

        Those that came later are left out where they say what was done before there was a choice.
        """
        later = {field.name: field.default for field in fields(self) if field.name in ("memory", "initial")}
        return {name: value for name, value in asdict(self).items() if name not in later or value != later[name]}

    def steps(self, n: int) -> int:
        """Give the optimiser's steps in one pass over n samples; the last, smaller batch is left out."""
        return n // min(self.batch, n)


def _is_finite(value):
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)


class State(NamedTuple):
    """A network in training: what a checkpoint holds. Its arrays live on the host between epochs."""

    params: Any
    optimizer: Any
    epoch: Any
    loss: Any


def squared_error(outputs: Array, targets: Array) -> Array:
    """Give the mean squared error of outputs `[n, ...]` against targets `[n, ...]`."""
    return jnp.mean((outputs - targets) ** 2)


def cross_entropy(logits: Array, labels: Array) -> Array:
    """Give the mean negative log-likelihood of labels `[n]`, integers, under logits `[n, classes]`."""
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def optimizer(settings: Settings, n: int) -> optax.GradientTransformation:
    """Give Adam with the schedule over the whole training on n samples."""
    rate, memory = settings.learning_rate, 0.999 if settings.memory is None else settings.memory
    if settings.schedule == "onecycle":
        steps = settings.epochs * settings.passes * settings.steps(n)
        rate = optax.cosine_onecycle_schedule(max(steps, 7), rate, pct_start=0.15)
        # Of squared gradients; a longer one lets the high learning rate collapse a network.
        memory = 0.99 if settings.memory is None else settings.memory
    return optax.adamw(rate, b2=memory, weight_decay=settings.weight_decay)


def start(model: nn.Module, key: Array, inputs: Array, settings: Settings, constants: tuple = ()) -> State:
    """Initialise a network for `inputs` `[n, ...]`; constants are further arguments of the model, not trained.

    ValueError for a model that has more than parameters, such as running means.
    """
    # A new array is traced where everything is, as under `jit`, be the arguments concrete or not.
    leaves = jax.tree.leaves((key, inputs, constants, jnp.zeros(())))
    traced = any(isinstance(leaf, jax.core.Tracer) for leaf in leaves)
    params = (_initialise if traced else _initialise_once)(model, key, as_array("inputs", inputs[:1]), constants)
    if isinstance(params, Mapping) and (others := sorted(set(params) - {"params"})):
        raise ValueError(f"model must have nothing but parameters, all of which are trained; it has {others} too")
    if settings.initial in initial_parameters.DRAWS:
        params = initial_parameters.DRAWS[settings.initial](jax.random.fold_in(key, 1), params)
    return State(params, optimizer(settings, len(inputs)).init(params), jnp.int32(0), jnp.float32(jnp.inf))


def _initialise(model, key, inputs, constants):
    return model.init(key, inputs, *constants)


# It runs once, so that compiling is what it costs: faster programs would take longer to make than they save.
_initialise_once = jax.jit(_initialise, static_argnums=0, compiler_options={"xla_backend_optimization_level": 1})


def fit(
    model: nn.Module,
    states: Sequence[State],
    keys: Sequence[Array],
    inputs: Array | Sequence[Array],
    targets: Array | Sequence[Array],
    settings: Settings,
    *,
    loss: Loss = squared_error,
    constants: tuple = (),
    devices: Sequence[jax.Device] | None = None,
    after_round: Callable[[dict[int, State]], None] = lambda _: None,
) -> list[State]:
    """Train networks of one architecture to the end of their epochs, in parallel.

    model: the architecture. states: of the networks, as `start` gives them, or of any epoch.
    keys: one for each network, which draws the order of its samples.
    inputs, targets: one array `[n, ...]` that all networks share, or a list with one array per network.
    settings: how long, how fast, and in batches of how many.
    loss: of a batch, from the model's outputs and the targets: a function that is hashed, so not a new one every time.
    constants: further arguments of the model, which are not trained.
    devices: to train on, side by side; all that are local without it.
    after_round: receives {network's index: its state} whenever some of them have finished an epoch: the place to save a
        checkpoint, to show progress, and to stop by raising.

    A network's result does not depend on those beside it. ValueError unless there are as many keys as states, and as
    many arrays in a list, and unless inputs are as many as targets, at least one.
    """
    if getattr(keys, "ndim", 1) == 0:
        raise ValueError(f"keys must be a list, one per state; it is one key for {len(states)} states")
    if len(keys) != len(states):
        raise ValueError(f"keys must be one per state; there are {len(keys)} for {len(states)} states")
    inputs, targets = (_as_arrays(*data, len(states)) for data in (("inputs", inputs), ("targets", targets)))
    lengths = [{len(x) for x in (data if isinstance(data, list | tuple) else [data])} for data in (inputs, targets)]
    if len(set.union(*lengths)) > 1:
        came = " and ".join(", ".join(map(str, sorted(each))) for each in lengths)
        raise ValueError(f"inputs and targets must be as many, for every network; they are {came}")
    if lengths[0] == {0}:
        raise ValueError("inputs and targets must be at least one; there are none")
    devices = jax.local_devices() if devices is None else devices
    states = list(states)
    shared = tuple(not isinstance(data, list | tuple) for data in (inputs, targets))
    samples = len(targets if shared[1] else targets[0])
    while behind := [i for i, state in enumerate(states) if state.epoch < settings.epochs]:
        behind.sort(key=lambda i: int(states[i].epoch))
        width = min(len(devices), len(behind))
        per_device = networks_per_device(devices[:width], len(behind))
        chosen = behind[: width * per_device]
        # A last, incomplete row is filled with repeats, whose results are dropped.
        grid = np.resize(chosen, (width, per_device))
        data = (x if same else _stack(x, grid) for x, same in zip((inputs, targets), shared, strict=True))
        arguments = (_stack(states, grid), _stack(keys, grid), *data, constants)
        leaves, tree = jax.tree.flatten(arguments)
        shapes = tree, tuple((jnp.shape(x), jnp.result_type(x)) for x in leaves)
        numerics = tuple(getattr(jax.config, name) for name in ("jax_default_matmul_precision", "jax_enable_x64"))
        run = compile_epochs(model, settings, samples, shared, tuple(devices[:width]), shapes, loss, numerics)
        trained = jax.device_get(run(*arguments))
        for slot, index in enumerate(chosen):
            where = np.unravel_index(slot, grid.shape)
            states[index] = jax.tree.map(lambda x, where=where: x[where], trained)
        after_round({index: states[index] for index in chosen})
    return states


def networks_per_device(devices: Sequence[jax.Device], networks: int) -> int:
    """Give how many networks a device trains at a time: a CPU core one, an accelerator its share of all."""
    return 1 if devices[0].platform == "cpu" else math.ceil(networks / len(devices))


def _as_arrays(name, data, networks):
    """Return the array of all networks, or one of each."""
    if not isinstance(data, list | tuple):
        return as_array(name, data)
    if len(data) != networks:
        raise ValueError(f"{name} must be one per network; there are {len(data)} for {networks} states")
    return [as_array(name, each) for each in data]


def _stack(values, grid):
    """Stack one pytree per network into leading axes [device, network of the device], on the host what is there."""

    def stack(*leaves):
        return (np if all(isinstance(leaf, np.ndarray | np.generic) for leaf in leaves) else jnp).stack(leaves)

    rows = [jax.tree.map(stack, *(values[i] for i in row)) for row in grid]
    return jax.tree.map(stack, *rows)


@functools.cache
def compile_epochs(
    model: nn.Module,
    settings: Settings,
    samples: int,
    shared: tuple[bool, ...],
    devices: tuple[jax.Device, ...],
    shapes: tuple,
    loss: Loss,
    numerics: tuple,
) -> jax.stages.Compiled:
    """Compile an epoch of several networks: a program per device, on its networks one beside the other.

    numerics: JAX's settings of precision, which are those of the program.
    """
    per_network = [None if same else 0 for same in shared]

    def several(states, keys, inputs, targets, constants):
        epoch = functools.partial(_epoch, model, settings, loss)
        axes = (0, 0, *per_network, None)
        if keys.shape[0] == 1:  # a batch axis of one would turn every product into a batched one
            data = (x if same else x[0] for x, same in zip((inputs, targets), shared, strict=True))
            state = jax.tree.map(lambda x: x[0], states)
            state = epoch(state, _order(settings, samples, keys[0], state.epoch), *data, constants)
            return jax.tree.map(lambda x: x[None], state)
        # Not all kinds of keys draw the same under `vmap` as alone.
        orders = jax.lax.map(lambda each: _order(settings, samples, *each), (keys, states.epoch))
        return jax.vmap(epoch, in_axes=axes)(states, orders, inputs, targets, constants)

    program = jax.pmap(several, in_axes=(0, 0, *per_network, None), devices=devices, donate_argnums=0)
    tree, leaves = shapes
    arguments = jax.tree.unflatten(tree, [jax.ShapeDtypeStruct(*leaf) for leaf in leaves])
    # Programs side by side fill the cores of a CPU; threads within each product would only get in each other's way.
    alone = devices[0].platform != "cpu" or len(devices) == 1
    options = {} if alone else {"xla_cpu_multi_thread_eigen": False}
    # Optax and the models of others promote as JAX does by itself, whatever a caller's rules are.
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        return program.lower(*arguments).compile(compiler_options=options)


def _order(settings, samples, key, epoch):
    """Draw the batches `[steps, batch]` of `settings.passes` passes from the key and the number of the epoch."""
    steps = settings.steps(samples)
    keys = jax.random.split(jax.random.fold_in(key, epoch), settings.passes)
    order = jax.vmap(lambda k: jax.random.permutation(k, samples))(keys)
    return order[:, : steps * min(settings.batch, samples)].reshape(settings.passes * steps, -1)


def _epoch(model, settings, loss, state, order, inputs, targets, constants):
    """Take a step for each batch `[steps, batch]` of an order."""
    adam = optimizer(settings, len(targets))

    def loss_of(params, rows):
        return loss(model.apply(params, inputs[rows], *constants), targets[rows])

    def step(carry, rows):
        params, moments = carry
        lost, gradient = jax.value_and_grad(loss_of)(params, rows)
        updates, moments = adam.update(gradient, moments, params)
        return (optax.apply_updates(params, updates), moments), lost

    (params, moments), losses = jax.lax.scan(step, (state.params, state.optimizer), order)
    return State(params, moments, state.epoch + 1, losses.mean().astype(state.loss.dtype))
