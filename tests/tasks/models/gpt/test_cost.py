"""What next tokens cost is cross-entropy, with its gradients, in a tenth of the memory."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy

from tasks.models.gpt.cost import IGNORED, LEAST, ROWS, costs, summed_cost

WIDTH, VOCABULARY = 8, 33


def drawn(positions: int, seed: int, dtype: torch.dtype = torch.float32) -> list[torch.Tensor]:
    """Hidden states, matrix and labels, of which some ask for nothing."""
    torch.manual_seed(seed)
    hidden, weight = torch.randn(positions, WIDTH).to(dtype), torch.randn(VOCABULARY, WIDTH).to(dtype)
    labels = torch.randint(VOCABULARY, (positions,))
    labels[torch.rand(positions) < 0.2] = IGNORED
    return [hidden.requires_grad_(), weight.requires_grad_(), labels]


def plain(hidden: torch.Tensor, weight: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    logits = hidden.float() @ weight.float().T
    return cross_entropy(logits, labels, ignore_index=IGNORED, reduction="sum")


def with_gradients(found: torch.Tensor, *of: torch.Tensor, above: float = 1.0) -> list[torch.Tensor]:
    return [found.detach(), *torch.autograd.grad(found * above, of)]


@settings(max_examples=20)
@given(
    st.integers(1, 2 * ROWS + 5),
    st.integers(0, 9),
    st.sampled_from([torch.float32, torch.bfloat16]),
    st.sampled_from([1.0, 0.125, -2.0]),
)
def test_values_and_gradients_are_those_of_cross_entropy(
    positions: int, seed: int, dtype: torch.dtype, above: float
) -> None:
    hidden, weight, labels = drawn(positions, seed, dtype)
    ours = with_gradients(summed_cost(hidden, weight, labels), hidden, weight, above=above)
    theirs = with_gradients(plain(hidden, weight, labels), hidden, weight, above=above)
    assert ours[0].dtype == torch.float32 and [one.dtype for one in ours[1:]] == [dtype, dtype]
    within = 1e-5 if dtype == torch.float32 else 2e-2
    for found, expected in zip(ours, theirs, strict=True):
        assert (found.double() - expected.double()).norm() <= within * expected.double().norm() + 1e-6
    assert (ours[1][labels == IGNORED] == 0).all()


def test_where_nothing_is_asked_nothing_is_lost_or_moved() -> None:
    hidden, weight, labels = drawn(ROWS + 3, 0)
    nothing = torch.full_like(labels, IGNORED)
    assert all(
        (one == 0).all() for one in with_gradients(summed_cost(hidden, weight, nothing), hidden, weight)
    )
    assert (costs(hidden, weight, nothing) == 0).all() and costs(
        hidden, weight, nothing
    ).shape == labels.shape


def test_without_a_gradient_it_is_the_same_sum_and_each_cost_stands_by_itself() -> None:
    hidden, weight, labels = drawn(2 * ROWS + 1, 1)
    each = costs(hidden, weight, labels)
    expected = cross_entropy(hidden @ weight.T, labels, ignore_index=IGNORED, reduction="none").detach()
    torch.testing.assert_close(each, expected)
    assert not each.requires_grad and each.dtype == torch.float32
    with torch.no_grad():
        assert summed_cost(hidden, weight, labels).item() == pytest.approx(expected.sum().item(), rel=1e-6)


def test_a_matrix_that_does_not_learn_has_no_part_in_it() -> None:
    hidden, weight, labels = drawn(20, 2)
    weight = weight.detach()
    (found,) = torch.autograd.grad(summed_cost(hidden, weight, labels), [hidden])
    (expected,) = torch.autograd.grad(plain(hidden, weight, labels), [hidden])
    torch.testing.assert_close(found, expected)


def test_a_token_without_a_chance_costs_a_number_and_pulls_as_hard_as_it_should() -> None:
    hidden, weight = torch.tensor([[1.0]], requires_grad=True), torch.tensor([[200.0], [0.0]])
    cost = summed_cost(hidden, weight, torch.tensor([1]))
    assert cost.item() == pytest.approx(-torch.tensor(LEAST).log().item())
    assert torch.autograd.grad(cost, [hidden])[0].item() == 200.0
