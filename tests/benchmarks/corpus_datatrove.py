"""datatrove's side of `tests.benchmarks.corpus`, run by the interpreter of an environment that has datatrove.

    VENV/bin/python tests/benchmarks/corpus_datatrove.py EXTRACT OUTPUT RULES.json PROCESSES

Prints the seconds that its pipeline took and the files that it kept.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any


def main(extract: str, output: str, rules: str, processes: int) -> None:
    """Read, filter, write, by datatrove's own reader, filter class, writer and executor."""
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.filters.base_filter import BaseFilter
    from datatrove.pipeline.readers import ParquetReader
    from datatrove.pipeline.writers import ParquetWriter
    from plain_filters import PlainFilters  # beside this file, which is where Python looks first

    class Rules(BaseFilter):  # type: ignore[misc]
        name = "rules"

        def __init__(self) -> None:
            super().__init__()
            self.plain = PlainFilters(json.loads(Path(rules).read_text(encoding="utf-8")))

        def filter(self, doc: Any) -> bool:
            clean = self.plain(doc.text)
            doc.text = clean or ""
            return clean is not None

    pipeline = [ParquetReader(extract, text_key="text", id_key="row"), Rules(), ParquetWriter(output)]
    started = time.perf_counter()
    LocalPipelineExecutor(pipeline, tasks=processes, workers=processes, logging_dir=f"{output}-logs").run()
    seconds = time.perf_counter() - started
    import pyarrow.parquet as pq

    kept = sum(pq.ParquetFile(path).metadata.num_rows for path in Path(output).rglob("*.parquet"))
    print(json.dumps({"seconds": seconds, "kept": kept}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
