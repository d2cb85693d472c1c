"""What the card of an adapted language model says, as the stages measured and recorded it."""

from collections.abc import Mapping
from dataclasses import dataclass

from tasks.baselines.ngrams.perplexity import NgramPerplexities
from tasks.formats.extraction import Source
from tasks.formats.lm_report import EvaluatedLm, LmEvaluation
from tasks.formats.packing_report import PackedSplit, PackingReport
from tasks.formats.report_file import named
from tasks.formats.roles import ADAPTED, PLAIN
from tasks.serving.language_model.config import PublishAdaptedConfig
from tasks.training.masked_lm.config import AdaptConfig

NAMED = 4  # tables in a sentence


@dataclass(frozen=True)
class ReadText:
    """A text that a model learned from: digests of the texts and of their tokens, sha256, and whose they are."""

    packing: PackingReport
    sources: tuple[Source, ...]
    texts: str
    tokens: str

    @property
    def train(self) -> PackedSplit:
        """What was learned from."""
        return self.packing.splits["train"]

    @property
    def named(self) -> str:
        """What its tables are called: the data set where they say one, else the file; some of many."""
        names = [*dict.fromkeys(source.title or source.name for source in self.sources)]
        more = len(names) - NAMED
        return ", ".join(names[:NAMED]) + (f" and {more:,} more" if more > 0 else "")


@dataclass(frozen=True)
class NewHead:
    """The head that a base model without one was given: the steps of its training, and the text that it was trained on."""

    steps: int
    text: ReadText


@dataclass(frozen=True)
class BaseModel:
    """What was adapted: its name on the Hub where it has one, the licence its card states, the sha256 of its files."""

    hub_id: str | None
    licence: str | None
    digest: str


@dataclass(frozen=True)
class AdaptedFacts:
    """Everything that the card says; `checkpoint` is the artifact, `trained` what its training came to."""

    config: PublishAdaptedConfig
    base: BaseModel
    head: NewHead | None
    text: ReadText
    training: AdaptConfig
    trained: Mapping[str, float]
    evaluation: LmEvaluation
    ngrams: NgramPerplexities
    checkpoint: str
    digest: str
    masks: str

    @property
    def before(self) -> EvaluatedLm:
        """The base model, with a head. Raises ArtifactError when it was not evaluated."""
        return named(self.evaluation.models, PLAIN)

    @property
    def after(self) -> EvaluatedLm:
        """The adapted model. Raises ArtifactError when it was not evaluated."""
        return named(self.evaluation.models, ADAPTED)

    @property
    def before_has_read_it(self) -> bool:
        """Whether the head of the model before was trained on the very text that it was adapted to."""
        return self.head is not None and self.head.text.tokens == self.text.tokens

    @property
    def passes(self) -> float:
        """How often a block was read, up to the last step."""
        return self.trained["steps"] * self.training.batch_size / self.text.train.blocks

    @property
    def attributions(self) -> tuple[str, ...]:
        """What the licences of the texts want said, and the config's own sentence, each once."""
        sources = [*self.text.sources, *(self.head.text.sources if self.head else ())]
        said = (self.config.attribution, *(source.attribution or "" for source in sources))
        return tuple(dict.fromkeys(sentence for sentence in said if sentence))
