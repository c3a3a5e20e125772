"""Models of one's own: what was written anew since it was trained is another network, what was not is the same."""

import functools
from typing import Any

import jax
import numpy as np
from flax import linen as nn

from align import networks, training

IDENTITY, SETTINGS = {"kind": "dense", "latent": 4, "seed": 0}, training.Settings(epochs=3)


class Holding(nn.Module):
    """A module that is given what it does."""

    given: Any


class Block(nn.Module):
    def __call__(self, x):
        return x


class Other(nn.Module):
    def __call__(self, x):
        return 2 * x


NET = """class Net(nn.Module):
    slope = {slope}
    @property
    def shift(self):
        return {shift}
    @staticmethod
    def scaled(x):
        return x * {scale}
    @nn.compact
    def __call__(self, x):
        return nn.Dense(3)(self.scaled({bend}(x)) * self.slope + self.shift)
"""
BEND = "def bend(x):\n    return {body}\n"
BLOCK = "class Block(nn.Module):\n    def __call__(self, x):\n        return {}(x)\n"
TIMES = """def times(k):
    def wrap(f):
        @functools.wraps(f)
        def g(x):
            return k * f(x)
        return g
    return wrap
"""


def net(before="", bend="nn.relu", **changes):
    return before + NET.format(**{"slope": 1, "shift": 0, "scale": 1, "bend": bend} | changes)


MASK, OTHER = np.zeros(3000, np.float32), np.arange(3000, dtype=np.float32) == 1500
MODELS = {
    "as it was": (net(), {}),
    "a constant of the class": (net(slope=2), {}),
    "a property": (net(shift=2), {}),
    "a static method": (net(scale=2), {}),
    "another function of a library": (net(bend="nn.gelu"), {}),
    "one of its own": (net(BEND.format(body="2 * x"), "bend"), {}),
    "its own otherwise": (net(BEND.format(body="3 * x"), "bend"), {}),
    "a number that it names": (net("SLOPE = 2\n" + BEND.format(body="SLOPE * x"), "bend"), {}),
    "another number": (net("SLOPE = 3\n" + BEND.format(body="SLOPE * x"), "bend"), {}),
    "a block": (net(BLOCK.format("nn.relu"), "Block()"), {}),
    "another block": (net(BLOCK.format("nn.gelu"), "Block()"), {}),
    "a decorator": (net(TIMES + "@times(2)\n" + BEND.format(body="x"), "bend"), {}),
    "another decorator": (net(TIMES + "@times(3)\n" + BEND.format(body="x"), "bend"), {}),
    "an array that it names": (net(bend="MASK *"), {"MASK": MASK}),
    "an array with another middle": (net(bend="MASK *"), {"MASK": OTHER}),
    "a table of functions": (net(bend="BENDS['a']"), {"BENDS": {"a": nn.relu}}),
    "another table": (net(bend="BENDS['a']"), {"BENDS": {"a": nn.gelu}}),
    "a key": (net(BEND.format(body="x + jax.random.normal(KEY)"), "bend"), {"KEY": jax.random.key(0)}),
    "another key": (net(BEND.format(body="x + jax.random.normal(KEY)"), "bend"), {"KEY": jax.random.key(1)}),
}


def test_a_model_that_was_written_anew_is_another():
    """As in a notebook, whose cell is changed and run again."""

    def described(text, known, context=""):
        place = {"nn": nn, "jax": jax, "functools": functools, "__name__": "__main__", **known}
        exec(text, place)
        return networks._describe(place["Net"](), IDENTITY, SETTINGS, context)

    for context in ("", "of the test"):
        found = {name: described(*model, context) for name, model in MODELS.items()}
        assert len({name for name, _ in found.values()}) == len(MODELS)
        again = {name: described(*model, context) for name, model in MODELS.items()}
        assert again == found and " at 0x" not in str(found)
    # Names of attributes are not those of the module.
    assert described(*MODELS["as it was"]) == described(net(), {"shift": 5, "slope": 6})


def test_what_a_function_in_a_field_is_given_tells_it_from_others():
    keys = [jax.random.key(seed) for seed in (0, 1)]
    several = [functools.partial(lambda given, x: given * x, one) for one in (MASK, OTHER, *keys, {"a", "b"}, [MASK])]
    names = [networks._describe(Holding(one), IDENTITY, SETTINGS, "")[0] for one in (*several, Block, Other)]
    assert len(set(names)) == len(several) + 2
