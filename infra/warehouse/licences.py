"""One key for a distribution's licence, as GitHub's tables write them: `mit`, `apache-2.0`, `bsd-3-clause`, or `unknown`.

A licence is never guessed: "BSD" without its number of clauses is two different texts, so it is unknown.
"""

import re
from email.message import Message

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

UNKNOWN = "unknown"
_CLASSIFIER = "License :: OSI Approved :: "
_CLASSIFIERS = {
    "MIT License": "mit",
    "MIT No Attribution License (MIT-0)": "mit-0",
    "Apache Software License": "apache-2.0",
    "ISC License (ISCL)": "isc",
    "Mozilla Public License 2.0 (MPL 2.0)": "mpl-2.0",
    "Python Software Foundation License": "psf-2.0",
    "The Unlicense (Unlicense)": "unlicense",
    "zlib/libpng License": "zlib",
    "GNU General Public License v2 (GPLv2)": "gpl-2.0",
    "GNU General Public License v3 (GPLv3)": "gpl-3.0",
    "GNU Lesser General Public License v2 (LGPLv2)": "lgpl-2.0",
    "GNU Lesser General Public License v3 (LGPLv3)": "lgpl-3.0",
    "GNU Affero General Public License v3": "agpl-3.0",
}
# The first line of a free text, as people write it where an identifier was meant, or as the licence's own heading.
_HEADINGS = (
    (re.compile(r"(the )?mit( licen[sc]e)?( \(mit\))?"), "mit"),
    (
        re.compile(r"apache([ -]?(software )?licen[sc]e)?,?[ -]?(version )?v?2(\.0)?( licen[sc]e)?"),
        "apache-2.0",
    ),
    (re.compile(r"(new|modified) bsd( licen[sc]e)?"), "bsd-3-clause"),
    (re.compile(r"(the )?bsd[ -]3[ -]clause( licen[sc]e)?|3[ -]clause bsd( licen[sc]e)?"), "bsd-3-clause"),
    (re.compile(r"(the )?bsd[ -]2[ -]clause( licen[sc]e)?|2[ -]clause bsd( licen[sc]e)?"), "bsd-2-clause"),
    (re.compile(r"isc( licen[sc]e)?"), "isc"),
    (re.compile(r"(mozilla public licen[sc]e|mpl)[ -]v?2(\.0)?"), "mpl-2.0"),
)


def license_key(metadata: Message) -> str:
    """Key of a distribution's licence: from License-Expression, else License, else the classifiers, else unknown.

    Of alternatives (`MIT OR Apache-2.0`) the first is taken; what applies together (`A AND B`) stays one key of several
    words, which is in nobody's list of allowed licences by accident.
    """
    return (
        _expression(str(metadata.get("License-Expression") or ""))
        or _expression(str(metadata.get("License") or ""))
        or _heading(str(metadata.get("License") or ""))
        or _classified([str(line) for line in metadata.get_all("Classifier") or ()])
        or UNKNOWN
    )


def _expression(text: str) -> str | None:
    try:
        key = canonicalize_license_expression(text).lower()
    except InvalidLicenseExpression:
        return None
    alternatives = key.split(" or ")
    return alternatives[0] if " and " not in key and "(" not in key else key


def _heading(text: str) -> str | None:
    lines = text.strip().splitlines()
    first = " ".join(lines[0].lower().split()).rstrip(".:") if lines else ""
    return next((key for pattern, key in _HEADINGS if pattern.fullmatch(first)), None)


def _classified(classifiers: list[str]) -> str | None:
    """The licence of the classifiers where they name exactly one."""
    named = {line.removeprefix(_CLASSIFIER) for line in classifiers if line.startswith(_CLASSIFIER)}
    return _CLASSIFIERS.get(named.pop()) if len(named) == 1 else None
