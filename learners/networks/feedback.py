"""How an error crosses a layer: by the forward weights (backpropagation) or by weights of its own.

`delta_{l-1} = B_l^T delta_l`, where B_l has the shape of the forward weights W_l:

- backprop: B = W.
- random (RF; Lillicrap et al. 2016, "Random synaptic feedback weights support error backpropagation"): B is drawn like
  W and stays.
- updated (URF; Amit 2019, "Deep learning with asymmetric connections and Hebbian updates"): B is drawn like W and
  receives the increments of W, so that W - B stays what it was.
- sign (Liao et al. 2016, "How important is weight symmetry in backpropagation?"): B = c sign(W), c being the standard
  deviation that W was drawn with.

The gradient of W itself is the usual one, of the layer's input and the error that arrives at its output.
"""

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn.functional import cosine_similarity

from envs.errors import unknown

KINDS = ("backprop", "random", "updated", "sign")


class _Conv(Function):
    """A convolution whose error goes back through other weights."""

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, feedback_weight: Tensor, stride: int, padding: int) -> Tensor:
        ctx.save_for_backward(x, weight, feedback_weight)
        ctx.plan = ([stride] * 2, [padding] * 2, [1, 1], False, [0, 0], 1)
        return nn.functional.conv2d(x, weight, stride=stride, padding=padding)

    @staticmethod
    def backward(ctx, error: Tensor):
        x, weight, feedback_weight = ctx.saved_tensors
        below = kernel = None
        way_back = torch.ops.aten.convolution_backward
        if ctx.needs_input_grad[0]:
            below = way_back(error, x, feedback_weight, None, *ctx.plan, [True, False, False])[0]
        if ctx.needs_input_grad[1]:
            kernel = way_back(error, x, weight, None, *ctx.plan, [False, True, False])[1]
        return below, kernel, kernel if ctx.needs_input_grad[2] else None, None, None


class _Linear(Function):
    """A matrix whose error goes back through another."""

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, feedback_weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, feedback_weight)
        return x @ weight.T

    @staticmethod
    def backward(ctx, error: Tensor):
        x, feedback_weight = ctx.saved_tensors
        below = error @ feedback_weight if ctx.needs_input_grad[0] else None
        matrix = error.T @ x if ctx.needs_input_grad[1] else None
        return below, matrix, matrix if ctx.needs_input_grad[2] else None


class Layer(nn.Module):
    """Weights, and the way back across them; a bias, if any, is added behind. Concrete: Conv and Linear."""

    operation: type[Function]
    bias: nn.Parameter | None
    precision: torch.dtype | None = None  # of the factors of its products, where these have another than what comes in

    def __init__(
        self,
        shape: tuple[int, ...],
        *,
        feedback: str,
        generators: tuple[torch.Generator, ...],
        gain: float = 1.0,
        bias: bool = False,
    ):
        """`generators` draw the forward (then the biases) and the backward weights, uniform in +-gain/sqrt(fan in)."""
        super().__init__()
        if feedback not in KINDS:
            raise unknown("learner.feedback", feedback, KINDS)
        self.feedback = feedback
        self.bound = gain / math.sqrt(math.prod(shape[1:]))
        self.weight = nn.Parameter(self._draw(shape, generators[0]))
        self.bias = nn.Parameter(self._draw(shape[:1], generators[0])) if bias else None
        if feedback == "updated":
            self.feedback_weight = nn.Parameter(self._draw(shape, generators[1]))
        if feedback == "random":
            self.register_buffer("feedback_weight", self._draw(shape, generators[1]))

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args) -> None:
        if f"{prefix}back" in state_dict:  # its name before November 2026
            state_dict[f"{prefix}feedback_weight"] = state_dict.pop(f"{prefix}back")
        super()._load_from_state_dict(state_dict, prefix, *args)

    def _draw(self, shape: tuple[int, ...], draws: torch.Generator) -> Tensor:
        return (2 * torch.rand(shape, generator=draws) - 1) * self.bound

    def forward(self, x: Tensor) -> Tensor:
        """The layer's output, through which errors go back as `feedback` says."""
        if self.feedback == "backprop":
            return self.plain(x)
        z = self.operation.apply(x, self.factor(self.weight), self.factor(self.error_weight()), *self.geometry())
        return z if self.bias is None else z + self.bias.view(-1, *[1] * (z.ndim - 2))

    def factor(self, x: Tensor) -> Tensor:
        """A factor of a product, in the layer's precision."""
        return x if self.precision is None else x.to(self.precision)

    def geometry(self) -> tuple[int, ...]:
        """What the operation takes beside weights."""
        return ()

    def error_weight(self) -> Tensor:
        """The weights by which an error goes back across the layer."""
        if self.feedback == "sign":
            return self.bound / math.sqrt(3) * self.weight.detach().sign()
        return self.weight if self.feedback == "backprop" else self.feedback_weight

    def plain(self, x: Tensor) -> Tensor:
        """The layer as autograd knows it."""
        raise NotImplementedError


def layers_of(module: nn.Module) -> list[Layer]:
    """All layers with weights, from the pixels up."""
    return [layer for layer in module.modules() if isinstance(layer, Layer)]


def feedback_twins(*modules: nn.Module) -> dict[nn.Parameter, nn.Parameter]:
    """The weights of each updated feedback, and the forward weights whose increments they receive."""
    layers = [layer for module in modules for layer in layers_of(module) if layer.feedback == "updated"]
    return {layer.feedback_weight: layer.weight for layer in layers}


def use_own_weights(module: nn.Module) -> nn.Module:
    """The same module, in which errors from now on cross every layer by its own weights: backpropagation."""
    for layer in layers_of(module):
        layer.feedback = "backprop"
    return module


def feedback_cosine(module: nn.Module) -> Tensor:
    """The cosine () of all layers' weights with those that carry errors back across them."""
    layers = layers_of(module)
    weights, errors = ([layer.weight for layer in layers], [layer.error_weight() for layer in layers])
    return cosine(flat(weights), flat(errors)).detach()


def cosine(a: Tensor, b: Tensor) -> Tensor:
    """The cosine () of two tensors as vectors; 0 where one is 0."""
    return cosine_similarity(a.flatten(), b.flatten(), dim=0)


def flat(tensors: Iterable[Tensor]) -> Tensor:
    """All the elements in one vector."""
    return torch.cat([tensor.flatten() for tensor in tensors])


class Conv(Layer):
    """A convolution of weights (out, in, k, k): (B, in, H, W) to (B, out, H', W')."""

    operation = _Conv

    def __init__(
        self,
        shape: tuple[int, ...],
        *,
        stride: int = 1,
        padding: int = 1,
        padding_mode: str = "zeros",
        precision: torch.dtype | None = None,
        **keywords,
    ):
        """`padding_mode` says what lies beyond the edges: zeros, reflect, replicate or circular."""
        super().__init__(shape, **keywords)
        self.stride, self.padding, self.padding_mode, self.precision = stride, padding, padding_mode, precision

    def forward(self, x: Tensor) -> Tensor:
        """The layer's output, through which errors go back as `feedback` says."""
        return super().forward(self.factor(self.padded(x))).to(x.dtype)

    def padded(self, x: Tensor) -> Tensor:
        """x with what lies beyond its edges, where that is not zeros."""
        if self.padding_mode == "zeros" or not self.padding:
            return x
        return nn.functional.pad(x, [self.padding] * 4, self.padding_mode)

    def geometry(self) -> tuple[int, int]:
        """The stride, and the padding by zeros."""
        return self.stride, self.padding if self.padding_mode == "zeros" else 0

    def plain(self, x: Tensor) -> Tensor:
        """`W * x + b`."""
        stride, padding = self.geometry()
        bias = None if self.bias is None else self.factor(self.bias)
        return nn.functional.conv2d(x, self.factor(self.weight), bias, stride=stride, padding=padding)


class Linear(Layer):
    """(B, in) to (B, out)."""

    operation = _Linear

    def plain(self, x: Tensor) -> Tensor:
        """`x W^T + b`."""
        return x @ self.weight.T if self.bias is None else torch.addmm(self.bias, x, self.weight.T)
