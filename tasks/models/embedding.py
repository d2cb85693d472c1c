"""Word embeddings as a product of two small matrices: [tokens, rank] rows and a [rank, hidden] basis.

Lan et al. 2020, ALBERT: A Lite BERT, section 3.1. Most weights of a small student are word embeddings, and their rows
lie close to a subspace: half the width holds most of what they say.
"""

from typing import cast

import torch
from torch import nn
from transformers import PreTrainedModel

from infra.errors import ConfigError


class FactorisedEmbedding(nn.Module):
    """Stands for an `nn.Embedding` of `rows @ basis`: ids int64 [...] to float [..., hidden]."""

    def __init__(self, rows: torch.Tensor, basis: torch.Tensor) -> None:
        super().__init__()
        self.rows = nn.Embedding.from_pretrained(rows, freeze=False)
        self.basis = nn.Linear(basis.shape[0], basis.shape[1], bias=False)
        self.basis.weight = nn.Parameter(basis.T.contiguous())

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        """Rows of the product, of which only those asked for are computed."""
        return self.basis(self.rows(input_ids))

    @property
    def weight(self) -> torch.Tensor:
        """The product, float [tokens, hidden]: what an ordinary embedding would hold."""
        return self.rows.weight @ self.basis.weight.T


def factors(
    weight: torch.Tensor, rank: int, frequencies: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows [tokens, rank] and basis [rank, hidden], orthonormal, whose product is nearest to `weight`.

    Nearest in the sum of the squared distances of the rows (Eckart & Young 1936: the truncated SVD), each row counted as
    often as `frequencies` float [tokens] says where it is given. The basis is made of the eigenvectors of the small
    hidden x hidden Gram matrix, in float64, which is the same and far quicker than an SVD of all rows.
    """
    wide = weight.double()
    counted = wide if frequencies is None else wide * frequencies.double().unsqueeze(1)
    basis = torch.linalg.eigh(wide.T @ counted).eigenvectors.flip(1)[:, :rank].T
    return (wide @ basis.T).to(weight.dtype), basis.to(weight.dtype).contiguous()


def word_table(body: PreTrainedModel) -> torch.Tensor:
    """The word embeddings of `body`, factorised or not, float [tokens, hidden], without a gradient."""
    return cast(nn.Embedding, body.get_input_embeddings()).weight.detach()


def factorise(body: PreTrainedModel, rank: int, frequencies: torch.Tensor | None = None) -> None:
    """Replace the word embeddings of `body` by their nearest product of `rank`, in place; both factors can train.

    Raises ConfigError when `rank` saves nothing: a product is smaller only below the width of the model.
    """
    hidden = body.config.hidden_size
    if not 0 < rank < hidden:
        raise ConfigError(
            f"embedding_rank is {rank}: expected 1 to {hidden - 1}, less than the model's width. Give a smaller rank, "
            "or none to keep the embeddings whole."
        )
    product = FactorisedEmbedding(*factors(word_table(body), rank, frequencies))
    product.train(body.training)
    body.set_input_embeddings(product)
    body.config.embedding_rank = rank
