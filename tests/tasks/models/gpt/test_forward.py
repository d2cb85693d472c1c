"""The forward pass of our own is transformers' to the last digits: hidden states, loss, gradients, however it is computed."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import GPT2Model

from tasks.models.gpt.cost import IGNORED
from tasks.models.gpt.forward import LONGEST, hidden_states
from tests.tasks.models.gpt.tiny import CONTEXT, differences, gradients, random_ids, tiny_gpt

CLOSE = 1e-5


def body_of(**changed: object) -> GPT2Model:
    return tiny_gpt(**changed).model.transformer.eval()


@pytest.mark.parametrize("activation", ["relu2", "gelu_new"])
@pytest.mark.parametrize("again", [False, True], ids=["plain", "computed again"])
def test_loss_and_gradients_are_those_of_transformers(activation: str, again: bool) -> None:
    model, ids = tiny_gpt(activation=activation), random_ids(4, CONTEXT)
    theirs = model.model(ids, labels=ids).loss
    theirs.backward()
    expected = gradients(model)
    model.computes_again = again
    ours = model(ids[:, :-1], ids[:, 1:]) / ids[:, 1:].numel()
    assert ours.dtype == torch.float32 and ours.item() == pytest.approx(theirs.item(), rel=CLOSE)
    ours.backward()
    found = differences(gradients(model), expected)
    assert found.keys() == {name for name, _ in model.named_parameters()}
    assert max(found.values()) < CLOSE, found


@pytest.mark.parametrize("length", [1, CONTEXT, LONGEST + 1], ids=["one", "short", "the other attention"])
def test_hidden_states_are_those_of_transformers_at_any_length(length: int) -> None:
    body, ids = body_of(n_positions=LONGEST + 8), random_ids(2, length)
    with torch.no_grad():
        torch.testing.assert_close(
            hidden_states(body, ids), body(ids).last_hidden_state, rtol=1e-4, atol=CLOSE
        )


def test_a_long_block_has_the_gradients_of_transformers_too() -> None:
    model, ids = tiny_gpt(n_positions=LONGEST + 8), random_ids(1, LONGEST + 2)
    model.model(ids, labels=ids).loss.backward()
    expected = gradients(model)
    (model(ids[:, :-1], ids[:, 1:]) / (LONGEST + 1)).backward()
    assert max(differences(gradients(model), expected).values()) < CLOSE


def alone(body: GPT2Model, ids: torch.Tensor, documents: torch.Tensor) -> torch.Tensor:
    """Each document of one block by itself, at the positions that it has there: [1, length, width]."""
    places = [(documents == number).nonzero().squeeze(1) for number in documents.unique_consecutive()]
    read = [body(ids[None, some], position_ids=some[None]).last_hidden_state for some in places]
    return torch.cat(read, dim=1)


@settings(max_examples=10)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.integers(0, 3))
def test_documents_read_nothing_of_each_other(sizes: list[int], seed: int) -> None:
    numbers = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))[:CONTEXT]
    ids, body = random_ids(2, len(numbers), seed), body_of()
    with torch.no_grad():
        found = hidden_states(body, ids, numbers.expand(2, -1))
        expected = torch.cat([alone(body, row, numbers) for row in ids])
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=CLOSE)


def test_documents_of_a_long_block_read_nothing_of_each_other() -> None:
    body, ids = body_of(n_positions=LONGEST + 8), random_ids(1, LONGEST + 4)
    numbers = (torch.arange(LONGEST + 4) >= 200).long()
    with torch.no_grad():
        found = hidden_states(body, ids, numbers[None])
        torch.testing.assert_close(found, alone(body, ids[0], numbers), rtol=1e-4, atol=CLOSE)


def test_documents_have_the_gradients_that_each_has_alone() -> None:
    model, ids = tiny_gpt(), random_ids(1, CONTEXT + 1)
    numbers = (torch.arange(CONTEXT) >= 7).long()
    read, asked = ids[:, :-1], ids[:, 1:]
    states = alone(model.model.transformer, read[0], numbers)
    logits = model.model.lm_head(states).flatten(0, 1)
    torch.nn.functional.cross_entropy(logits, asked.flatten(), reduction="sum").backward()
    expected = gradients(model)
    model(read, asked, numbers[None]).backward()
    assert max(differences(gradients(model), expected).values()) < CLOSE


def test_in_bfloat16_it_is_the_same_within_its_digits() -> None:
    model, ids = tiny_gpt(), random_ids(4, CONTEXT)
    plain = model(ids[:, :-1], ids[:, 1:])
    plain.backward()
    expected = gradients(model)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = model(ids[:, :-1], ids[:, 1:])
    rounded.backward()
    found = gradients(model)
    assert rounded.dtype == torch.float32 and rounded.item() == pytest.approx(plain.item(), rel=1e-2)
    assert all(value.dtype == torch.float32 for value in found.values())
    apart = torch.cat([(found[name] - value).flatten() for name, value in expected.items()]).norm()
    assert apart < 0.1 * torch.cat([value.flatten() for value in expected.values()]).norm()


def test_each_position_s_cost_adds_up_to_the_sum() -> None:
    model, ids = tiny_gpt(), random_ids(3, CONTEXT + 1)
    labels = ids[:, 1:].clone()
    labels[:, ::3] = IGNORED
    with torch.no_grad():
        each = model(ids[:, :-1], labels, each=True)
        assert each.shape == labels.shape and (each[:, ::3] == 0).all() and (each[:, 1::3] > 0).all()
        assert each.sum().item() == pytest.approx(model(ids[:, :-1], labels).item(), rel=1e-6)
    assert each.sum().item() == pytest.approx(model(ids[:, :-1], labels).item(), rel=1e-5)
