"""Difference target propagation: every block learns to come nearer to a target, and no error crosses a block.

Lee, Zhang, Fischer and Bengio (2015), "Difference target propagation", with the convolutional inverses, the noise and
the top target of Tang, Yang and Amit (2022). F_l is block l, h_l its output (h_0 the image), G_l its inverse, which
learns to give back what went in (`reconstruction`), or to send differences back as the transpose of F_l's Jacobian
would (`ldrl`: Ernoult et al. 2022, "Towards scaling difference target propagation by learning backprop targets").
"""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, cast

import torch
from torch import Tensor, nn

from envs.errors import SettingError, check_choices
from learners.distributed import Part
from learners.losses import Report
from learners.networks.feedback import cosine
from learners.networks.layers import Convolution, Pool, convolution, stride_of
from learners.networks.network import Network, Spec
from learners.rules.base import Learner, LearnerSettings
from learners.rules.optimizer import OptimizerConfig
from streams.process.modes import eval_mode
from streams.seeding import generator
from streams.types import Pairs

NUDGE = 1e-2  # of an activity, when the way an inverse carries it back is measured


def top_target(h: Tensor, gradient: Tensor, *, alpha: float) -> Tensor:
    """`t_L = h_L - alpha dL/dh_L`, where L is a sum over anchors: a mean's gradient times their number."""
    return h - alpha * gradient


def draw_nearer(h: Tensor, target: Tensor) -> Tensor:
    """`||h - target||^2` of each row, the mean over rows (), whose gradient is sent back from h; spoils the target.

    By hand, since autograd would take four passes for the loss and its gradient, and forget channels_last on its way.
    """
    gap, rows = target.sub_(h.detach()), max(len(h), 1)
    error = torch.linalg.vector_norm(gap).square() / rows
    h.backward(gap.mul_(-2 / rows))
    return error


def ldrl(dx: Tensor, dy: Tensor, back: Tensor, back_of_dx: Tensor, back_of_dy: Tensor) -> Tensor:
    """The local difference reconstruction loss (Ernoult et al. 2022, equation 12), the mean over rows.

    `J = -2 <dx, G(F(x + dx)) - G(F(x))> + ||G(F(x) + dy) - G(F(x))||^2`, from `back` = G(F(x)), `back_of_dx` =
    G(F(x + dx)) and `back_of_dy` = G(F(x) + dy). Its least is where the Jacobian of G is the transpose of that of F.
    """
    rows = (-2 * dx * (back_of_dx - back) + (back_of_dy - back).square()).flatten(1).sum(1)
    return rows.mean() if len(rows) else rows.sum()


def noise_like(h: Tensor, draws: torch.Generator, *, rows: int | None = None) -> Tensor:
    """Normal noise like h (B, C, H, W), or for more rows, in the order of channels_last memory.

    Which on a CPU is 4 to 6 times faster.
    """
    batch, channels, height, width = h.shape
    rows = batch if rows is None else rows
    noise = torch.randn(rows, height, width, channels, generator=draws, dtype=h.dtype, device=h.device)
    return noise.permute(0, 3, 1, 2)


class Inverse(nn.Module):
    """`G_l = s(conv_transpose(.))`: (B, above, H, W) to (B, below, sH, sW), s being the stride."""

    def __init__(self, above: int, below: int, *, stride: int, kernel: int, ends: str, draws: torch.Generator):
        """`ends` says what s is, by the last nonlinearity of the block below: its range is where activities lie."""
        super().__init__()
        self.stride, self.ends, self.bounded = stride, ends, ends in ("tanh", "hardtanh")
        self.kernel = max(kernel, stride) if kernel else max(2 * stride, 3)
        self.padding = max(self.kernel - stride + 1, 0) // 2
        taps = self.kernel**2 / stride**2  # that reach a pixel
        bound = (taps * above) ** -0.5
        self.weight = nn.Parameter((2 * torch.rand(above, below, *2 * [self.kernel], generator=draws) - 1) * bound)

    def forward(self, h: Tensor, *, halved: bool = False) -> Tensor:
        """Activities of a block to those of the block below; `halved`, as (G + 1) / 2 where they are bounded.

        `tanh(x / 2) = 2 sigmoid(x) - 1`: on a CPU in a seventh of tanh's time, and as good to 1e-6.
        """
        beyond = self.stride + 2 * self.padding - self.kernel  # pixels that the size lacks on one side
        weight = 2 * self.weight if self.bounded else self.weight
        x = nn.functional.conv_transpose2d(h, weight, None, self.stride, self.padding, beyond)
        if not self.bounded:
            return x.relu_() if self.ends == "relu" else x
        return x.sigmoid_() if halved else torch.add(torch.tensor(-1.0), x.sigmoid_(), alpha=2)

    @torch.no_grad()
    def target_below(self, below: Tensor, h: Tensor, target: Tensor) -> Tensor:
        """`t_{l-1} = h_{l-1} - G_l(h_l) + G_l(t_l)` (Lee et al. 2015, equation 13)."""
        way = self(target, halved=True).sub_(self(h, halved=True))
        return torch.add(below, way, alpha=2 if self.bounded else 1, out=way)


def inverses_of(spec: Spec, *, seed: int, kernel: int = 0) -> nn.ModuleList:
    """The inverses of blocks 2 to L, for nobody needs a target for the image."""
    convs = [[conv for conv in map(convolution, block) if conv] for block in spec.blocks]
    inverses = nn.ModuleList()
    for number, (below, above) in enumerate(pairwise(each[-1].channels for each in convs), 2):
        ends = ["linear", *(layer for layer in spec.blocks[number - 2] if layer in ("tanh", "hardtanh", "relu"))][-1]
        stride, draws = stride_below(spec, number - 1), generator(seed, f"weights/inverse{number}")
        inverses.append(Inverse(above, below, stride=stride, kernel=kernel, ends=str(ends), draws=draws))
    return inverses


def stride_below(spec: Spec, first: int) -> int:
    """By how much block number `first`, counted from 0, makes its input smaller."""
    return math.prod(stride_of(layer) for layer in spec.blocks[first])


def keeps_size(layer: Any) -> bool:
    """Whether a layer makes maps smaller by its stride and no pixel else, so that an inverse can give them back."""
    if isinstance(layer, Convolution):
        return layer.stride == 1 and layer.kernel == 2 * layer.pad + 1
    return not isinstance(layer, Pool) or (layer.stride in (None, layer.kernel) and not layer.padding)


@dataclass
class TargetPropSettings(LearnerSettings):
    """learner=dtp."""

    lr: float = 3e-4  # learning rate; with 1e-3 blocks that end without a nonlinearity, as in conv5, may run away
    alpha: float = 0.5  # step from the top activity to its target, in units of one row's loss gradient
    noise: float = 0.3  # std of what is added to an activity when its inverse learns
    inverse_lr: float = 5e-3  # of the inverses' own Adam
    inverse_steps: int = 1  # updates of the inverses before each forward update
    inverse_loss: str = "reconstruction"  # or ldrl: its Jacobian becomes the transpose of the block's
    inverse_rows: int = 32  # rows of a batch that teach the inverses, spread evenly; 0 for all, as in the paper
    inverse_kernel: int = 3  # edge of the inverses' kernels, the stride at least; 0: twice the stride, 3 at least
    top_target: str = "row"  # alpha times the gradient of each row's loss; or mean, of the batch's, as the paper's code

    def __post_init__(self):
        super().__post_init__()
        check_choices(self, group="learner", inverse_loss=("reconstruction", "ldrl"), top_target=("row", "mean"))
        for name, most in (("noise", 1e12), ("inverse_steps", 1000), ("inverse_rows", 1e12), ("inverse_kernel", 99)):
            if not 0 <= getattr(self, name) <= most:
                raise SettingError(f"learner.{name}={getattr(self, name)} must be from 0 to {most:,}")
        for name, usual in (("alpha", 0.5), ("inverse_lr", 1e-3)):
            if getattr(self, name) <= 0:
                raise SettingError(f"learner.{name}={getattr(self, name)} would learn nothing; try {usual}")


class TargetProp(Learner):
    """DTP. At each update: targets by the present inverses; then the inverses learn; then the blocks."""

    settings: TargetPropSettings
    settings_type = TargetPropSettings
    without_feedback = "target propagation, which sends back targets, not errors"

    def __init__(self, network: Network, losses: nn.ModuleList, settings: TargetPropSettings, **keywords):
        super().__init__(network, losses, settings, **keywords)
        device = next(network.parameters()).device
        self.inverses = inverses_of(network.spec, seed=self.seed, kernel=settings.inverse_kernel)
        self.inverses = self.inverses.to(device).to(memory_format=torch.channels_last)
        self.inverse_optimiser = OptimizerConfig(lr=settings.inverse_lr).build(self.inverses.parameters())

    @classmethod
    def check(cls, settings: LearnerSettings, *, spec: Spec, size: int) -> None:
        """Raises SettingError where an inverse would not give back the size of the block below it."""
        assert isinstance(settings, cls.settings_type)
        if len(spec.blocks) < 2:
            raise SettingError("a network of one block has no block to send a target down to; set learner=bp")
        if any(layer == "head" or not keeps_size(layer) for block in spec.blocks for layer in block):
            raise SettingError(
                "the inverses of target propagation give back what convolutions that keep the size and pooling without "
                "an overlap took in, and nothing else; choose network=conv4, conv6 or vgg6"
            )
        strides, kernel = [stride_below(spec, number) for number in range(len(spec.blocks))], settings.inverse_kernel
        if kernel and kernel % 2 == 0 and 1 in strides[1:]:
            raise SettingError(
                f"learner.inverse_kernel={kernel} can't give back the size of a block that keeps it; choose an odd one"
            )
        first, whole = strides[0], spec.stride()
        if size >= whole and (size // first) % (whole // first):
            raise SettingError(
                f"env.size={size} can't be divided evenly by {whole}, as the inverses of target propagation need; try "
                f"{size // whole * whole} or {(size // whole + 1) * whole}"
            )

    def learn(self, pairs: Pairs) -> Report:
        """Leaves in each block the gradient of its distance from its target, and teaches the inverses."""
        stop_gradient, head = self.loss.stop_gradient, self.network.heads[-1]
        with torch.no_grad():  # a remembered view gives embeddings and learns nothing
            u = head(self.activities(pairs.first)[-1]) if stop_gradient and pairs.first is not None else None
        h = self.activities(*([pairs.second] if stop_gradient else [x for x in pairs[:2] if x is not None]))
        top = h[-1].detach().requires_grad_()
        z = head(top)
        views = (u, z) if stop_gradient else z.chunk(2)
        loss, report = self.compare(self.loss, *views, pairs=pairs, others=self.others(pairs)[-1])
        if not report:
            return report
        loss.backward()  # teaches the head, and tells the top activity which way to go
        assert top.grad is not None
        below = [activity.detach() for activity in h]
        terms = 1 if self.settings.top_target == "mean" else self.loss.terms(self.batch.pairs(len(pairs.episode)))
        targets = self.targets(below, top.grad * (terms / self.batch.scale))
        inverse_errors = self.teach_inverses(below, views=1 if stop_gradient or pairs.first is None else 2)
        errors = {f"block{number}/target_error": error for number, error in enumerate(map(draw_nearer, h, targets), 1)}
        return report | errors | inverse_errors

    def activities(self, *views: Tensor) -> list[Tensor]:
        """h_1 to h_L of the views below each other, each of which leads back to its own block's weights only.

        A block sees one view after another: what lies between its layers then stays in a CPU's cache.
        """
        h = [self.network.normalize(torch.cat(views))]
        for block in self.network.blocks:
            h.append(torch.cat([block(view) for view in h[-1].detach().chunk(len(views))]))
        return h[1:]

    @torch.no_grad()
    def targets(self, h: list[Tensor], gradient: Tensor) -> list[Tensor]:
        """t_1 to t_L, from the activities and the top one's loss gradient."""
        targets = [top_target(h[-1], gradient, alpha=self.settings.alpha)]
        inverses = cast("list[Inverse]", list(self.inverses))
        for below, above, inverse in zip(h[-2::-1], h[:0:-1], inverses[::-1], strict=True):
            targets.append(inverse.target_below(below, above, targets[-1]))
        return targets[::-1]

    def teach_inverses(self, h: list[Tensor], *, views: int = 1) -> Report:
        """Every inverse learns from its own loss at the present activities; what was lost in the last step.

        Activities (B, ...) are those of `views` views, below each other.
        """
        part = self.batch.part(len(h[0]), views, self.settings.inverse_rows)
        h, report = [part.of(activity) for activity in h], {}
        teach = {"reconstruction": self._reconstruction, "ldrl": self._ldrl}[self.settings.inverse_loss]
        for step in range(self.settings.inverse_steps):
            self.inverse_optimiser.zero_grad()
            for number, (below, above) in enumerate(pairwise(h), 2):
                report[f"block{number}/inverse_error"] = teach(number, below, above, step, part)
            self.step(self.inverse_optimiser, share=part.share)
        return report

    def _reconstruction(self, number: int, below: Tensor, above: Tensor, step: int, part: Part) -> Tensor:
        """`||G_l(F_l(h_{l-1} + sigma e)) - (h_{l-1} + sigma e)||^2` (Lee et al. 2015, equation 15)."""
        noisy = self._noise(below, f"{number}/{step}", part).add_(below)
        return draw_nearer(self.inverses[number - 2](self._forward(number, noisy)), noisy)

    def _ldrl(self, number: int, below: Tensor, above: Tensor, step: int, part: Part) -> Tensor:
        dx, dy = self._noise(below, f"{number}/{step}", part), self._noise(above, f"above/{number}/{step}", part)
        inverse = self.inverses[number - 2]
        error = ldrl(dx, dy, inverse(above), inverse(self._forward(number, below + dx)), inverse(above + dy))
        error.backward()
        return error.detach()

    @torch.no_grad()
    def _forward(self, number: int, h: Tensor) -> Tensor:
        return self.network.blocks[number - 1](h)

    def _noise(self, h: Tensor, name: str, part: Part) -> Tensor:
        """Noise for h (B, C, H, W), of what is drawn for all rows of the part."""
        draws = generator(self.seed, f"noise/{name}", self.updates, device=h.device)
        return part.here(noise_like(h, draws, rows=part.total)).mul_(self.settings.noise)

    def inverses_of_blocks(self) -> list[nn.Module]:
        """G_2 to G_L."""
        return list(self.inverses)

    def feedback_alignment(self, pairs: Pairs) -> list[dict[str, Tensor]]:
        """For each block but the first, the cosine of `G(h + d) - G(h)` with `J_F^T d`, d a small random nudge."""
        with torch.no_grad(), eval_mode(self.network):
            h = self.network.outputs(pairs.second)
        rows: list[dict[str, Tensor]] = [{}]
        for number, (block, inverse) in enumerate(zip(self.network.blocks[1:], self.inverses, strict=True), 1):
            nudge = NUDGE * noise_like(h[number], generator(0, "watch", number, device=h[number].device))
            with torch.no_grad():
                by_inverse = inverse(h[number] + nudge) - inverse(h[number])
            below = h[number - 1].clone().requires_grad_()
            with eval_mode(block):
                (by_backprop,) = torch.autograd.grad(block(below), below, nudge)
            rows.append({"feedback": cosine(by_inverse, by_backprop)})
        return rows

    def state_dict(self) -> dict[str, Any]:
        """Everything the next update depends on, the inverses too."""
        inverses = {"inverses": self.inverses.state_dict(), "inverse_optimiser": self.inverse_optimiser.state_dict()}
        return super().state_dict() | inverses

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The next update is the one that followed the saved ones."""
        super().load_state_dict(state)
        self.inverses.load_state_dict(state["inverses"])
        self.inverse_optimiser.load_state_dict(state["inverse_optimiser"])
