"""Our autoencoders in PyTorch, with our parameters, and its usual training loop.

lax pads a strided convolution "SAME" on the far side where the padding is odd, and PyTorch's symmetric padding on the
near side: each is the other on images that are turned by half a circle. So the PyTorch network here has our kernels
turned, sees turned images, and computes our network to the last roundings, in the form that PyTorch is fastest at.
"""

import numpy as np
import torch
from torch import nn

from align.models import ConvEncoder


def network(model, params) -> nn.Sequential:
    """Build the PyTorch network that computes `model` with `params` on turned images `[n, 1, 28, 28]`."""
    params = params["params"]
    encoder, decoder = model.encoder, model.decoder
    convolutional = isinstance(encoder, ConvEncoder)
    depths = [len(half.channels) if convolutional else 0 for half in (encoder, decoder)]
    sides = [decoder.side // 2**depth for depth in depths]
    layers = []
    for i in range(depths[0]):
        layers += [_conv(params["encoder"][f"Conv_{i}"]), nn.ReLU()]
    layers.append(nn.Flatten())
    dense = params["encoder"]
    for i in range(len(encoder.hidden) + 1):
        kernel, bias = (np.asarray(dense[f"Dense_{i}"][name]) for name in ("kernel", "bias"))
        layers += [_linear(_turned(kernel.T, sides[0]).T if i == 0 else kernel, bias), nn.ReLU()]
    layers.pop()  # codes are linear
    dense = params["decoder"]
    for i in range(len(decoder.hidden) + 1):
        kernel, bias = (np.asarray(dense[f"Dense_{i}"][name]) for name in ("kernel", "bias"))
        last = i == len(decoder.hidden)
        layers.append(_linear(_turned(kernel, sides[1]), _turned(bias, sides[1])) if last else _linear(kernel, bias))
        layers.append(nn.ReLU())
    if convolutional:
        layers.append(nn.Unflatten(1, (decoder.channels[-1], sides[1], sides[1])))
        for i in range(depths[1]):
            layers += [_conv_transpose(params["decoder"][f"ConvTranspose_{i}"]), nn.ReLU()]
        layers.pop()
    else:
        layers[-1] = nn.Unflatten(1, (1, decoder.side, decoder.side))
    if decoder.sigmoid:
        layers.append(nn.Sigmoid())
    return nn.Sequential(*layers)


def turned(images) -> torch.Tensor:
    """Give images `[n, h, w, 1]` turned by half a circle, `[n, 1, h, w]`."""
    return torch.from_numpy(np.ascontiguousarray(np.asarray(images)[:, ::-1, ::-1].transpose(0, 3, 1, 2)))


def training(module: nn.Module, images: torch.Tensor, *, batch: int, epochs: int, fused: bool | None = None):
    """Give a function that trains the module on its images for some epochs with Adam at 1e-3 and returns the loss."""
    optimizer = torch.optim.Adam(module.parameters(), 1e-3, fused=fused)

    def train():
        losses = []
        for _ in range(epochs):
            losses.clear()
            for rows in torch.randperm(len(images), device=images.device)[: len(images) // batch * batch].split(batch):
                targets = images[rows]
                optimizer.zero_grad()
                loss = nn.functional.mse_loss(module(targets), targets)
                loss.backward()
                optimizer.step()
                losses.append(loss.detach())
        return float(torch.stack(losses).mean())

    return train


def _turned(rows, side):
    """Turn the last axis, pixels and channels `[..., side * side * channels]`, and put the channels first."""
    image = rows.reshape(*rows.shape[:-1], side, side, -1)
    return np.moveaxis(image[..., ::-1, ::-1, :], -1, -3).reshape(rows.shape)


def _linear(kernel, bias):
    layer = nn.Linear(*kernel.shape)
    return _with(layer, kernel.T, bias)


def _conv(params):
    kernel = np.asarray(params["kernel"])
    size, _, channels, features = kernel.shape
    layer = nn.Conv2d(channels, features, size, 2, size // 2)
    return _with(layer, kernel[::-1, ::-1].transpose(3, 2, 0, 1), params["bias"])


def _conv_transpose(params):
    kernel = np.asarray(params["kernel"])
    size, _, channels, features = kernel.shape
    layer = nn.ConvTranspose2d(channels, features, size, 2, size // 2, output_padding=1)
    # lax slides its kernel and PyTorch spreads it, the flipped order: with the turn of the images, the order as it is.
    return _with(layer, kernel.transpose(2, 3, 0, 1), params["bias"])


def _with(layer, weight, bias):
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(np.array(weight)))
        layer.bias.copy_(torch.from_numpy(np.array(bias)))
    return layer
