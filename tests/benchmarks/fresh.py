"""Whether a release answers in a fresh interpreter, with onnxruntime, tokenizers and numpy alone, as its run has recorded.

    python -m tests.benchmarks.fresh [--rows 500]

Takes the newest release of STILLHOUSE_HOME, each text by itself. Exit code 1 when one label differs.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from infra.errors import ArtifactError, StillhouseError
from infra.settings import get_settings
from infra.store.artifacts import Store
from tasks.formats.dataset import load_info, load_split
from tasks.formats.predictions import read_predictions
from tests.benchmarks.release import find_release, same_inputs

# Run with -I: no user site, no environment, no working directory on the path. Reads texts as JSON from stdin.
ALONE = """
import json, sys
import numpy as np
import onnxruntime
from tokenizers import Tokenizer

folder, texts = sys.argv[1], json.load(sys.stdin)
labels = json.load(open(f"{folder}/config.json", encoding="utf-8"))["id2label"]
tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(f"{folder}/onnx/model_quantized.onnx", options)
answers = []
for text in texts:
    row = tokenizer.encode(text)
    feed = {"input_ids": np.array([row.ids]), "attention_mask": np.array([row.attention_mask])}
    answers.append(labels[str(session.run(["logits"], feed)[0].argmax())])
heavy = {"torch", "transformers", "tasks", "infra", "scipy", "onnx"} & set(sys.modules)
json.dump({"answers": answers, "heavy": sorted(heavy)}, sys.stdout)
"""


def answers_alone(release: Path, texts: Sequence[str]) -> list[str]:
    """Labels of a release's own files in a fresh interpreter; raises ArtifactError when it fails or imports more."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", ALONE, str(release)],
        input=json.dumps(list(texts)),
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise ArtifactError(f"{release} does not answer in a fresh interpreter:\n{done.stderr[-2000:]}")
    told = json.loads(done.stdout)
    if told["heavy"]:
        raise ArtifactError(
            f"answering with {release} imported {', '.join(told['heavy'])}: expected none of them"
        )
    return list(told["answers"])


def main(arguments: Sequence[str]) -> int:
    """Print how many answers are those of the record."""
    parser = argparse.ArgumentParser("python -m tests.benchmarks.fresh", description=__doc__)
    parser.add_argument("--rows", type=int, default=500)
    parser.add_argument("--package", help="first digits of the key of a package")
    asked = parser.parse_args(arguments)
    try:
        store = Store(get_settings())
        material = find_release(store, asked.package)
        record = same_inputs(store, "predict", model=material.released, dataset=material.dataset)
        if record is None:
            raise ArtifactError(
                "the release's answers are not in this home: expected its run. Run `make demo` again."
            )
        labels, test = load_info(material.dataset.folder).labels, load_split(material.dataset.folder, "test")
        folder = store.folder("predict", record.key)
        logits = read_predictions(folder, "test", len(test), len(labels)).logits
        rows = np.unique(np.linspace(0, len(test) - 1, asked.rows).astype(int))
        recorded = [labels[i] for i in logits[rows].argmax(axis=1)]
        found = answers_alone(material.released.folder, [test.texts[i] for i in rows])
    except StillhouseError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2
    same = sum(one == other for one, other in zip(found, recorded, strict=True))
    print(f"{material.released.folder}: {same} of {len(rows)} labels are those of the record")
    return int(same < len(rows))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
