"""Compositions of affine maps s -> A s + b: all states along a sequence of maps, in O(log C) batched products.

A tree is built upwards: a node is the composition of the two below it. Then the states before the maps are found
downwards: the left child of a node begins with the state of the node, the right child with what the left one makes of
it. So C maps take about C products of matrices and 2 C of a matrix and a state, on a device all of a level at once.

Source: G. E. Blelloch, Prefix Sums and Their Applications, 1990.
"""

import torch
from torch import Tensor


def states_along(A_cqq: Tensor, b_cqk: Tensor, start_qk: Tensor) -> Tensor:
    """The states before each of C maps, and after the last one.

    The state before map i has the same bits whatever the maps from i on are.

    Args:
        A_cqq: the matrices, shape (C, q, q); C is a power of two.
        b_cqk: the offsets, shape (C, q, k).
        start_qk: the state before the first map, shape (q, k).

    Returns:
        Shape (C + 1, q, k).

    >>> halve, add = torch.full((4, 1, 1), 0.5), torch.ones(4, 1, 1)
    >>> states_along(halve, add, torch.zeros(1, 1)).flatten().tolist()
    [0.0, 1.0, 1.5, 1.75, 1.875]
    """
    count = len(A_cqq)
    assert count & (count - 1) == 0, count
    levels = [(A_cqq, b_cqk)]
    while len(levels[-1][0]) > 1:
        A, b = levels[-1]
        levels.append((A[1::2] @ A[::2], A[1::2] @ b[::2] + b[1::2]))
    (A, b), before = levels.pop(), start_qk[None]
    end = A @ before + b
    while levels:
        A, b = levels.pop()
        before = torch.stack([before, A[::2] @ before + b[::2]], dim=1).flatten(0, 1)
    return torch.cat([before, end])
