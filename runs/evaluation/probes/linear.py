"""Readouts of features: ridge and logistic regression, and how well each does. Equations only.

Legend: M images, D features, K classes or numbers read out.
"""

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor
from torch.nn.functional import one_hot

STRIP = 256  # columns of a product at once
PART = 4_096  # rows that are in float64 at once


def ridge(x: Tensor, y: Tensor, *, strengths: Iterable[float], deviation: Tensor | float = 1.0) -> Iterator[Tensor]:
    """Weights (D + 1, K) of ridge regression from x (M, D) to y (M, K), for each strength when it is asked for.

    Minimises `||y - x w - b||^2 + strength ||deviation w||^2`, which is to standardise x by its deviation (D,); the
    last row is the intercept b, which is not penalised. One product, the smaller of x^T x and x x^T, serves all
    strengths and all that is read out. In float64, where a small strength on features that repeat one another still has
    digits left; all rows at once are so only where they are fewer than the features.
    """
    x_mean, y_mean = x.mean(0, dtype=torch.float64), y.mean(0, dtype=torch.float64)
    y, units, width = y - y_mean, deviation * torch.ones_like(x_mean), x.shape[1]
    tall = len(x) >= width
    if tall:
        rows = zip(x.split(PART), y.split(PART), strict=True)
        both = gram(torch.cat([(part - x_mean) / units, of], 1) for part, of in rows)
        products, right = both[:width, :width], both[:width, width:]
    else:
        x = (x - x_mean).div_(units)
        products, right = gram([x.T]), y
    diagonal = products.diagonal()
    plain = diagonal.clone()
    for strength in strengths:
        torch.add(plain, strength, out=diagonal)
        w = torch.cholesky_solve(right, torch.linalg.cholesky(products))
        w = (w if tall else x.T @ w) / units[:, None]  # (D, K)
        yield torch.cat([w, (y_mean - x_mean @ w)[None]])


def gram(parts: Iterable[Tensor]) -> Tensor:
    """x^T x (D, D) of x (M, D) in parts of its rows: strips of columns times those from there on, and mirrored."""
    products: Tensor | None = None
    for part in parts:
        products = part.new_zeros(part.shape[1], part.shape[1]) if products is None else products
        for first in range(0, part.shape[1], STRIP):
            strip = part[:, first : first + STRIP]
            products[first:, first : first + STRIP].addmm_(part[:, first:].T, strip)
    assert products is not None
    lower = products.tril_()
    return lower.add_(lower.tril(-1).T)


def logistic(
    x: Tensor, labels: Tensor, *, classes: int, strength: float, start: Tensor | None = None, tolerance: float = 0.01
) -> Tensor:
    """Weights (D + 1, K) of multinomial logistic regression from x (M, D), by L-BFGS.

    Minimises `sum_i -log softmax(x_i w + b)[label_i] + strength/2 ||w||^2`, scikit-learn's with C = 1 / strength; the
    last row is b, which is not penalised. L-BFGS sees coordinates in which the loss curves about equally in all
    directions (by the Hessian's form at equal odds, Boehning 1992), and stops where no slope exceeds `tolerance` there.
    """
    y = one_hot(labels, classes).to(x.dtype)
    x = torch.cat([x, torch.ones_like(x[:, :1])], 1)
    penalty = torch.full_like(x[0], strength)
    penalty[-1] = 0
    root = torch.linalg.cholesky(x.T @ x / classes + penalty.clamp_min(1e-6).diag())  # (D + 1, D + 1)
    weight = x.new_zeros(x.shape[1], classes) if start is None else start
    turned = (root.T @ weight).contiguous()  # what L-BFGS moves
    search = torch.optim.LBFGS(
        [turned], max_iter=100, tolerance_grad=tolerance, tolerance_change=0, line_search_fn="strong_wolfe"
    )

    @torch.no_grad()
    def loss() -> Tensor:
        weight = torch.linalg.solve_triangular(root.T, turned, upper=True)
        logs = (x @ weight).log_softmax(1)
        slope = x.T @ (logs.exp() - y) + penalty[:, None] * weight
        turned.grad = torch.linalg.solve_triangular(root, slope, upper=False).contiguous()
        return (penalty[:, None] * weight.square()).sum() / 2 - (logs * y).sum()

    search.step(loss)
    return torch.linalg.solve_triangular(root.T, turned, upper=True)


def read_out(x: Tensor, weight: Tensor) -> Tensor:
    """(M, K): x (M, D) times weights (D + 1, K), the last row of which is the intercept."""
    return torch.addmm(weight[-1], x, weight[:-1])


def top1(predictions: Tensor, labels: Tensor) -> float:
    """Share of rows of predictions (M, K) that are largest at their label (M,)."""
    return float((predictions.argmax(1) == labels).float().mean())


def r2(predictions: Tensor, y: Tensor) -> float:
    """`1 - sum (y - predictions)^2 / sum (y - mean)^2` over (M, K): 1 is perfect, 0 no better than a mean.

    Columns are of one unit and weigh as much as they vary (scikit-learn's `variance_weighted`).
    """
    y = y.double()
    return 1 - float((y - predictions).square().sum() / (y - y.mean(0)).square().sum())
