"""Pictures of a page that lie in files already: the page of a run that computed nothing names them instead of holding them.

Some hundred kilobytes in a page that a schedule makes each night: embedded, they are what a home grows by.
"""

import base64
import hashlib
import os
import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

_INSIDE, _BESIDE = "img-src data:;", "img-src data: 'self';"  # what the page's own policy lets it show
_EMBEDDED = re.compile(r"data:image/[a-z+]+;base64,([A-Za-z0-9+/]+={0,2})")


def with_references(page: str, folder: Path, pictures: Iterable[Path]) -> str:
    """A page in `folder`, each embedded picture that has the bytes of one of `pictures` replaced by that one's address.

    The addresses are relative: the page opens from where it lies, as long as the files are there. Its policy lets it show
    files beside it, then.
    """
    files = {hashlib.sha256(path.read_bytes()).digest(): path for path in pictures}

    def address(found: re.Match[str]) -> str:
        path = files.get(hashlib.sha256(base64.b64decode(found[1])).digest())
        return found[0] if path is None else quote(Path(os.path.relpath(path, folder)).as_posix())

    referring = _EMBEDDED.sub(address, page)
    return page if referring == page else referring.replace(_INSIDE, _BESIDE, 1)
