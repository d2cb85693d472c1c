"""Tiny distributions on disk, as an installer leaves them: files, METADATA and RECORD."""

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path


def install(
    site: Path, name: str, files: Mapping[str, bytes | str], version: str = "1.0", license: str = "MIT"
) -> Path:
    """Install a distribution into the folder `site`; gives its .dist-info."""
    info = site / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    lines = []
    for path, content in files.items():
        data = content if isinstance(content, bytes) else content.encode()
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_bytes(data)
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
        lines.append(f"{path},sha256={digest},{len(data)}")
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\nLicense-Expression: {license}\n"
    )
    (info / "RECORD").write_text("\n".join([*lines, f"{info.name}/RECORD,,"]) + "\n")
    return info
