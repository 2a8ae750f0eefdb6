"""Readouts of features: ridge and logistic regression, and how well each does. Equations only.

Legend: M images, D features, K classes or numbers read out.
"""

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor
from torch.nn.functional import one_hot

STRIP = 256  # columns


def ridge(x: Tensor, y: Tensor, *, strengths: Iterable[float]) -> Iterator[Tensor]:
    """Weights (D + 1, K) of ridge regression from x (M, D) to y (M, K), for each strength when it is asked for.

    Minimises `||y - x w - b||^2 + strength ||w||^2`; the last row is the intercept b, which is not penalised. One
    product, the smaller of x^T x and x x^T, serves all strengths and all that is read out. In float64, where a small
    strength on features that repeat one another still has digits left.
    """
    x_mean, y_mean = x.mean(0, dtype=torch.float64), y.mean(0, dtype=torch.float64)
    x, y = x - x_mean, y - y_mean
    tall = x.shape[0] >= x.shape[1]
    products, right = (gram(x), x.T @ y) if tall else (gram(x.T), y)
    diagonal = products.diagonal()
    plain = diagonal.clone()
    for strength in strengths:
        torch.add(plain, strength, out=diagonal)
        w = torch.cholesky_solve(right, torch.linalg.cholesky(products))
        w = w if tall else x.T @ w  # (D, K)
        yield torch.cat([w, (y_mean - x_mean @ w)[None]])


def gram(x: Tensor) -> Tensor:
    """x^T x (D, D) of x (M, D): strips of columns times the columns from there on; the other half mirrors them."""
    products = x.new_empty(x.shape[1], x.shape[1])
    for first in range(0, x.shape[1], STRIP):
        strip = slice(first, first + STRIP)
        product = x[:, strip].T @ x[:, first:]
        products[strip, first:], products[first:, strip] = product, product.T
    return products


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
