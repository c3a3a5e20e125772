"""Trained networks, found again: by what they are, never trained twice, and going on from their last epoch."""

import contextlib
import dataclasses
import dis
import functools
import hashlib
import inspect
import itertools
import json
import operator
import os
import re
import site
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
_ADDED = set(vars(type("Empty", (nn.Module,), {})))  # to a class by Flax
# What counts by its name, wherever it lies, and folders of packages.
_KNOWN = {"align", "align_lab", "flax", "jax", "jaxlib", "numpy", "optax"}
_FOLDERS = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
_INSTALLED = tuple(f"{folder}{os.sep}" for folder in (*_FOLDERS, *site.getsitepackages(), site.getusersitepackages()))


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
        where an installed package has them, and else by their code, what they close over, and what they find by name
        as far as that shows what it is: what was edited is trained anew. ValueError for a field that does not tell what
        it computes, unless there is a context.
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
            said.append(_value(value, context, []))
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
    """Say what a class is made of: its bases, methods and constants; its fields stand in its instances.

    said: as for `_function`.
    """
    name = f"{value.__module__}.{value.__qualname__}"
    if any(value is one for one in said) or _is_installed(value):
        return name
    said.append(value)
    parts = [_class(base, context, said) for base in value.__bases__ if base is not object]
    fields = {field.name for field in dataclasses.fields(value)} if dataclasses.is_dataclass(value) else set()
    for key, one in vars(value).items():
        if key == "__call__" or not (key in fields or key in _ADDED or key.startswith("__")):
            with contextlib.suppress(ValueError):
                parts.append(f"{key}={_value(_unwrapped(one), context, said)}")
    return f"{name}({', '.join(parts)})"


def _unwrapped(attribute):
    """Return the function of a method or property, without what Flax puts around it."""
    if getattr(attribute, "method_handler_wrapped", False):
        return attribute.__wrapped__
    attribute = getattr(attribute, "wrapped", attribute)
    return getattr(attribute, "fget", None) or getattr(attribute, "__func__", attribute)


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
    """Say what a value is: of classes and functions what they are made of, of arrays what they hold, at any depth."""
    if inspect.isclass(value):
        return _class(value, context, said)
    if callable(value):
        return _function(value, context, said)
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key!r}: {_value(one, context, said)}' for key, one in value.items())}}}"
    if isinstance(value, set | frozenset):  # which come in another order every time
        return f"{{{', '.join(sorted(_value(one, context, said) for one in value))}}}"
    if isinstance(value, list | tuple):  # as they are shown
        parts = ", ".join(_value(one, context, said) for one in value)
        return f"[{parts}]" if isinstance(value, list) else f"({parts}{',' * (len(value) == 1)})"
    if isinstance(value, np.ndarray | jax.Array):  # whose middle is not shown
        keys = jax.dtypes.issubdtype(value.dtype, jax.dtypes.prng_key)
        array = np.asarray(jax.random.key_data(value) if keys else value)
        return f"{value.dtype}{array.shape} {hashlib.sha256(array.tobytes()).hexdigest()[:10]}"
    if not context and _ADDRESS.search(repr(value)):
        raise _unsaid(value)
    return _ADDRESS.sub("", repr(value))


def _looked_up(function, context, said):
    """Yield what a function finds by its names: in its module, and in modules that are no packages', what it names."""
    names, attributes = _names(function.__code__)
    for name in sorted(names):
        found = {name: function.__globals__.get(name)}
        if inspect.ismodule(found[name]):
            own = {} if _is_installed(found[name]) else vars(found[name])
            found = {f"{name}.{one}": own[one] for one in sorted(attributes) if one in own}
        for called, one in found.items():
            if one is not None and not inspect.ismodule(one):
                with contextlib.suppress(ValueError):
                    yield f"{called}={_value(one, context, said)}"


def _names(code):
    """Return the names that a function, and those within it, look up in their module, and those of attributes."""
    loaded = {one.argval for one in dis.get_instructions(code) if one.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    inner = [_names(one) for one in code.co_consts if inspect.iscode(one)]
    return loaded.union(*(names for names, _ in inner)), set(code.co_names).union(*(names for _, names in inner))


def _is_installed(value):
    """Say whether a function, class or module is of this package or an installed one: its name says what it does."""
    name = value.__name__ if inspect.ismodule(value) else value.__module__ or ""
    module = sys.modules.get(name)
    if module is None or name == "__main__":
        return False
    file = getattr(module, "__file__", None)
    return file is None or name.partition(".")[0] in _KNOWN or file.startswith(_INSTALLED)


def _is_named(value):
    """Say whether an installed module has something under its own name."""
    if not hasattr(value, "__module__") or not _is_installed(value):
        return False
    try:
        return operator.attrgetter(value.__qualname__)(sys.modules[value.__module__]) is value
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
