"""Trained networks, found again: by what they are, never trained twice, and going on from their last epoch."""

import contextlib
import dataclasses
import functools
import hashlib
import inspect
import itertools
import json
import operator
import os
import re
import sys
import sysconfig
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax import linen as nn
from jax import Array

from align import checkpoints, training

_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
_GENERATED = {"__init__", "__eq__", "__hash__", "__repr__", "__replace__"}
_PLAIN = (int, float, complex, str, bytes, list, tuple, dict, np.ndarray, jax.Array)
_OURS = ("align", "align_lab")
_INSTALLED = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})


def named_key(seed: int, *names: str) -> Array:
    """Derive the key of a named purpose from a seed, so that no two purposes share their random numbers."""
    # Of one kind, whatever JAX's default is: networks are found by their seed.
    return jax.random.fold_in(jax.random.key(seed, impl="threefry2x32"), zlib.crc32("/".join(names).encode()))


def obtain(
    model: nn.Module,
    identities: Sequence[dict],
    inputs: Array | Sequence[Array],
    targets: Array | Sequence[Array],
    settings: training.Settings,
    folder: Path,
    *,
    loss: training.Loss = training.squared_error,
    constants: tuple = (),
    context: str = "",
    after_round: Callable[[int, float], None] = lambda epochs, loss: None,
) -> list[Any]:
    """Give the trained parameters of networks of one architecture, training what is missing of them.

    model, inputs, targets, settings, loss, constants: as for `training.fit`.
    identities: what each network is, at least its `kind` and `seed`; with the settings and the architecture, what a
        checkpoint is found by. The model's own class, and functions and classes in its fields, count by their name
        where an installed package has them, and else by their code, what they close over and the globals that they
        name: what was edited is trained anew. ValueError for what does not tell it, unless there is a context.
    folder: where checkpoints are looked for and kept. PermissionError where there is training to do and it cannot be
        written.
    context: names anything else that the networks depend on, as a loss of their own.
    after_round: receives the number of network-epochs just finished and their mean loss; it is called first with those
        found.
    """
    identities = [_plain(identity) for identity in identities]
    shared = not isinstance(inputs, list | tuple)
    samples: Any = inputs if shared else inputs[0]
    described = [_describe(model, identity, settings, context) for identity in identities]
    places = [folder / name for name, _ in described]
    states, keys = [], []
    for identity, place, (_, description) in zip(identities, places, described, strict=True):
        purpose = json.dumps({name: value for name, value in identity.items() if name != "seed"}, sort_keys=True)
        key = named_key(identity["seed"], "initialise", purpose)
        start = functools.partial(training.start, model, inputs=samples, settings=settings, constants=constants)
        state = checkpoints.restore(place, jax.eval_shape(start, key), description)
        states.append(state or jax.device_get(start(key)))
        keys.append(named_key(identity["seed"], "order", purpose))
    found = sum(int(state.epoch) for state in states)
    if found:
        after_round(found, float("nan"))
    if found < settings.epochs * len(states):
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):  # said before an epoch is spent
            raise PermissionError(f"{folder} cannot be written; trained networks are kept there")

    def save(done):
        lost = []
        for index, state in done.items():
            if all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((state.loss, state.params))):
                checkpoints.save(places[index], state, described[index][1])
            else:
                lost.append(state)
        if lost:
            raise RuntimeError(
                f"training came to NaN or infinity in epoch {int(lost[0].epoch)}, at learning rate "
                f"{settings.learning_rate:g}; expected a smaller one. No such epoch is kept"
            )
        after_round(len(done), sum(float(state.loss) for state in done.values()) / len(done))

    states = training.fit(
        model, states, keys, inputs, targets, settings, loss=loss, constants=constants, after_round=save
    )
    return [state.params for state in states]


def trained_share(
    model: nn.Module, identities: Sequence[dict], settings: training.Settings, folder: Path, *, context: str = ""
) -> float:
    """Give the share of the training of some networks that has been done already, from 0 to 1; see `obtain`."""
    names = (_describe(model, _plain(identity), settings, context)[0] for identity in identities)
    epochs = sum(checkpoints.latest_epoch(folder / name) for name in names)
    return epochs / (settings.epochs * len(identities))


def _plain(identity):
    """Return an identity with Python's numbers for NumPy's, which JSON does not know."""
    return {name: value.item() if isinstance(value, np.generic) else value for name, value in identity.items()}


def _describe(model, identity, settings, context):
    description = {
        **identity,
        "context": " ".join(context.split()),
        "architecture": _architecture(model, context),
        "settings": _plain(settings.described()),
    }
    digest = hashlib.sha256(json.dumps(description, sort_keys=True).encode()).hexdigest()[:10]
    words = (f"{name}{value}" if isinstance(value, int) else str(value) for name, value in identity.items())
    return "-".join([*words, digest]), description


def _architecture(model, context):
    """Say what a model is: its fields, and of what they show but the name of, what that is made of."""
    said = []
    for value in _fields_of(model):
        if isinstance(value, nn.Module):
            said += [] if _is_installed(type(value)) else [_class(type(value), context, [])]
        elif callable(value):
            said.append(_function(value, context, []))
        elif not context and _ADDRESS.search(repr(value)):
            raise _unsaid(value)
    text = " ".join(_ADDRESS.sub("", repr(model)).split())
    return text + (f" with {'; '.join(said)}" if said else "")


def _fields_of(value):
    """Yield what stands in the fields of a module, at any depth, in their order, and modules themselves."""
    if isinstance(value, nn.Module):
        yield value
        inner = [getattr(value, field.name, None) for field in dataclasses.fields(value)]
    elif isinstance(value, Mapping):
        inner = list(value.values())
    elif isinstance(value, list | tuple):
        inner = list(value)
    else:
        yield value
        return
    for each in inner:
        yield from _fields_of(each)


def _class(value, context, said):
    """Say what a class of modules is made of: its bases and its methods. said: as for `_function`."""
    name = f"{value.__module__}.{value.__qualname__}"
    if any(value is one for one in said) or _is_installed(value):
        return name
    said.append(value)
    bases = [_class(base, context, said) for base in value.__bases__ if issubclass(base, nn.Module)]
    # Flax wraps methods. What dataclasses write follows from the fields.
    own = [one for key, one in vars(value).items() if inspect.isfunction(one) and key not in _GENERATED]
    return f"{name}({', '.join([*bases, *(_function(inspect.unwrap(one), context, said) for one in own)])})"


def _function(value, context, said):
    """Say what something that is called is made of; ValueError where nothing tells it, unless there is a context.

    said: functions and classes that need no more than their name, as they have been said; this one is added.
    """
    name = f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', '')}"
    if any(value is one for one in said) or _is_named(value):
        return name
    said.append(value)

    def given(values):
        return ", ".join(_value(one, context, said) for one in values)

    if isinstance(value, functools.partial):
        function = _value(value.func, context, said)
        return f"{function} of {given([*value.args, *itertools.chain(*sorted(value.keywords.items()))])}"
    if inspect.isfunction(value):
        kept = [cell.cell_contents for cell in value.__closure__ or ()]
        kept += [*(value.__defaults__ or ()), *itertools.chain(*sorted((value.__kwdefaults__ or {}).items()))]
        if _is_installed(value) and "<lambda>" not in name:
            return f"{name} of {given(kept)}"
        return f"{name} {_code(value.__code__)} of {', '.join([given(kept), *_looked_up(value, context, said)])}"
    if hasattr(value, "__wrapped__"):  # as of jit
        return f"{type(value).__name__} of {_value(value.__wrapped__, context, said)}"
    if not context:
        raise _unsaid(value)
    return type(value).__name__


def _value(value, context, said):
    """Say what a function is given: numbers and words as they are, arrays by what they hold."""
    if inspect.isclass(value) and issubclass(value, nn.Module):
        return _class(value, context, said)
    if callable(value):
        return _function(value, context, said)
    if isinstance(value, np.ndarray | jax.Array):  # whose middle is not shown
        array = np.asarray(value)
        return f"{array.dtype}{array.shape} {hashlib.sha256(array.tobytes()).hexdigest()[:10]}"
    if not context and _ADDRESS.search(repr(value)):
        raise _unsaid(value)
    return repr(value)


def _looked_up(function, context, said):
    """Yield what a function finds by the names in it: functions, numbers, words and lists of them; no other objects."""
    for name in _names(function.__code__):
        found = function.__globals__.get(name)
        if callable(found) or isinstance(found, _PLAIN):
            with contextlib.suppress(ValueError):
                yield f"{name}={_value(found, context, said)}"


def _names(code):
    """List the names that a function, and those within it, look up."""
    inner = [name for one in code.co_consts if inspect.iscode(one) for name in _names(one)]
    return sorted({*code.co_names, *inner})


def _is_installed(value):
    """Say whether a function or class is of this package or of an installed one: its name says what it does."""
    file = getattr(sys.modules.get(value.__module__), "__file__", None) or ""
    return value.__module__.partition(".")[0] in _OURS or any(map(file.startswith, _INSTALLED))


def _is_named(value):
    """Say whether a module that was imported has it, under its own name, and no user may have written it anew."""
    if inspect.isfunction(value) and not _is_installed(value):
        return False
    module = sys.modules.get(getattr(value, "__module__", None) or "__main__")
    try:
        return module is not sys.modules["__main__"] and operator.attrgetter(value.__qualname__)(module) is value
    except AttributeError:
        return False


def _unsaid(value):
    return ValueError(f"model has a field {value!r}, which does not say what it computes; name that by context=")


def _code(code):
    """Give a digest of what a function does, whatever it is called and wherever it stands."""
    inner = [
        _code(one) if inspect.iscode(one) else repr(sorted(one, key=repr) if isinstance(one, frozenset) else one)
        for one in code.co_consts  # a set comes in another order in every process
    ]
    return hashlib.sha256(repr((code.co_code, code.co_names, inner)).encode()).hexdigest()[:10]
