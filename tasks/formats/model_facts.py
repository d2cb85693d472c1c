"""A model in facts, from the small JSON files that lie beside its weights: its shape, and how it answers.

Names are those of transformers' configurations; what one does not say is left out.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tasks.formats.section import Fact

SHAPE = {
    "model_type": "architecture",
    "num_hidden_layers": "layers",
    "n_layers": "layers",
    "hidden_size": "hidden size",
    "dim": "hidden size",
    "intermediate_size": "intermediate size",
    "hidden_dim": "intermediate size",
    "num_attention_heads": "attention heads",
    "n_heads": "attention heads",
    "n_layer": "layers",
    "n_embd": "hidden size",
    "n_head": "attention heads",
    "n_positions": "tokens it reads",
    "vocab_size": "vocabulary",
    "pairs": "pairs of tokens",
}
Described = Mapping[str, Any]  # the content of a JSON file


def read_json(path: Path) -> Described:
    """The object in a file. Raises OSError or ValueError when there is none."""
    found = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(found, dict):
        raise ValueError(f"{path.name} holds no object")
    return found


def shape_facts(config: Described) -> tuple[Fact, ...]:
    """Layers and sizes of a transformers configuration."""
    return tuple(Fact(label=label, value=config[name]) for name, label in SHAPE.items() if name in config)


def answer_facts(described: Described) -> tuple[Fact, ...]:
    """Labels, longest text, and when a text is out of scope, of whatever says them: a classifier, a baseline, a graph."""
    labels = described.get("labels", described.get("id2label", ()))
    facts = [Fact(label="labels", value=len(labels))]
    if "max_length" in described:
        facts.append(Fact(label="longest text", value=described["max_length"], unit="tokens"))
    if "temperature" in described:
        facts.append(Fact(label="temperature", value=described["temperature"], hint="chosen on validation"))
    rule, scope = described.get("rule"), described.get("out_of_scope")
    rule = scope if isinstance(scope, dict) else rule
    if rule is not None:
        threshold = f"{rule['label']} where {rule['score']} is under {rule['threshold']:.4g}"
        expected = f"for {100 * rule['expected_share']:.1f}% of such texts in traffic"
        facts.append(Fact(label="out of scope", value=threshold.replace("_", " "), hint=expected))
    elif isinstance(scope, str):
        facts.append(Fact(label="out of scope", value=scope))
    return tuple(facts)
