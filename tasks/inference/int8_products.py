"""Products of bytes: exact and fast on a processor that has dot products of int8 (VNNI), one of both on another.

An x86 processor without them adds two products of an unsigned and a signed byte in 16 bits, where they saturate: 20 of
CLINC150's 4,950 test texts got another label. ONNX Runtime's option `session.x64quantprecision` has them added in 32 bits
there: every answer is then bit for bit that of the integers, and takes 15% longer. On other processors the option changes
nothing.
"""

import logging
import platform
from functools import lru_cache
from pathlib import Path

logger = logging.getLogger(__name__)
EXACT = ("session.x64quantprecision", "1")
DOT_PRODUCTS = frozenset({"avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm"})
CPUINFO = Path("/proc/cpuinfo")


def lacks_dot_products(cpuinfo: str) -> bool:
    """Whether the text of an x86 /proc/cpuinfo lists vector extensions and none with dot products of int8."""
    found = next((line for line in cpuinfo.splitlines() if line.startswith("flags")), "").split()
    return bool(found) and not DOT_PRODUCTS.intersection(found)


@lru_cache(maxsize=1)
def say_if_slower() -> None:
    """Say by logging, once a process, that int8 answers take longer here, and why they do."""
    if platform.machine() == "x86_64" and CPUINFO.is_file() and lacks_dot_products(CPUINFO.read_text()):
        logger.info(
            "this processor has no dot products of int8 (VNNI): %s is set, so that answers are those of processors that have "
            "them, and take about 15%% longer.",
            EXACT[0],
        )
