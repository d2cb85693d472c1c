"""A stage's section as the report has it, of an artifact folder that holds nothing but what the stage says it reads."""

import shutil
from pathlib import Path

from infra.engine.sections import declared
from infra.engine.stage import Stage
from infra.store.record import BESIDE
from tasks.formats.section import Section


def shown(stage: Stage, folder: Path, scratch: Path) -> Section:  # type: ignore[type-arg]
    """Copy what is read of `folder` into `scratch`, and let the stage show that."""
    asked = declared(stage.name)
    assert asked is not None
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    read = asked.names(files)
    assert read and not [
        name for name in read if Path(name).suffix in {".safetensors", ".onnx", ".parquet", ".npy"}
    ]
    for name in {*read, *(BESIDE & files.keys())}:
        (scratch / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(files[name], scratch / name)
    section = asked.section(scratch)
    assert isinstance(section, Section) and section.title
    return section


def facts_of(section: Section) -> dict[str, str]:
    """Facts by their label, as they are read."""
    return {fact.label: fact.text for fact in section.facts}
