"""The newest release of this home and the artifacts that it was made of."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from infra.errors import ArtifactError
from infra.files import file_digest
from infra.store.artifacts import Store
from infra.store.record import Record
from infra.store.references import ArtifactRef
from tasks.compression.export.config import CompressConfig
from tasks.evaluation.config import EvaluateConfig
from tasks.formats.model_folder import ONNX_FILES


@dataclass(frozen=True)
class Artifact:
    """A folder and the digest of its content."""

    folder: Path
    digest: str


@dataclass(frozen=True)
class Material:
    """What the rows of the benchmark are made of."""

    released: Artifact
    dataset: Artifact
    base: Artifact  # the pretrained encoder
    teacher: Artifact
    outputs: Artifact  # the teacher's answers over training and made text
    tokenizer: Artifact  # the student's
    student: Artifact  # its checkpoint
    onnx: Artifact
    onnx_int8: Artifact
    asked: JsonValue  # of the student's stage
    expected_share: float | None  # of out-of-scope texts in traffic, which every rule is chosen for
    share_source: str | None  # whose it is


def find_release(store: Store, key: str | None) -> Material:
    """The newest package that is on the Hub, or the package of a key (its first digits), and what it was made of.

    Raises ArtifactError when there is none, or when it cannot be traced.
    """
    package = _package(store, key)
    records = {f"artifact:{record.stage}/{record.key[:20]}": record for record in store.records()}
    behind: dict[str, Record] = {}
    waiting = [item.uri for item in package.inputs.values()]
    while waiting:
        record = records.get(waiting.pop(0))
        if record is not None and record.stage not in behind:
            behind[record.stage] = record
            waiting += [item.uri for item in record.inputs.values()]
    student = "distill_bag" if "distill_bag" in behind else "distill"
    stages = (
        "curate",
        "train_teacher",
        "teacher_outputs",
        "build_tokenizer",
        student,
        "export_onnx",
        "quantize",
    )
    if missing := [stage for stage in stages if stage not in behind]:
        raise ArtifactError(
            f"the package {package.key[:20]} cannot be traced to {', '.join(missing)}: expected the artifacts of a whole "
            "run in this home. Run `make demo` again."
        )
    dataset, teacher, *others = (_artifact(store, behind[stage]) for stage in stages)
    pinned = behind["train_teacher"].inputs["base"]
    base = Artifact(store.path(ArtifactRef(uri=pinned.uri, digest=pinned.digest)), pinned.digest)
    share = CompressConfig.model_validate(behind["quantize"].config).expected_share
    evaluated = same_inputs(store, "evaluate", dataset=dataset)
    asked = EvaluateConfig.model_validate(evaluated.config) if evaluated else EvaluateConfig()
    return Material(
        _artifact(store, package), dataset, base, teacher, *others, behind[student].config, share,
        asked.expected_share_source,
    )  # fmt: skip


def same_inputs(store: Store, stage: str, **inputs: Artifact) -> Record | None:
    """The newest record of a stage that was given these inputs, by content; others that it has do not matter."""
    for record in store.records(stage):
        if all(record.inputs[name].digest == given.digest for name, given in inputs.items()):
            return record
    return None


def _package(store: Store, key: str | None) -> Record:
    packages = list(store.records("package"))
    if key is not None:
        packages = [record for record in packages if record.key.startswith(key)]
        wanted = f"a package {key}"
    else:
        models = store.settings.hub_folder.glob(f"models/*/*/main/{ONNX_FILES[0]}")
        released = {file_digest(path) for path in models}
        packages = [record for record in packages if record.files[ONNX_FILES[0]].sha256 in released]
        wanted = "a release"
    if not packages:
        raise ArtifactError(f"{store.settings.home} has not {wanted}: expected one. Run `make demo` first.")
    return packages[0]


def _artifact(store: Store, record: Record) -> Artifact:
    return Artifact(store.folder(record.stage, record.key), record.digest)
