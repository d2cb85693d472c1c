"""The one fork server of a test process: it imports everything once, so that a child that may be killed starts at once.

`multiprocessing` has one such server for each process, started with the first child. So there is one list of what it
imports, whichever test comes first; a test that uses it is slow for its imports alone, and belongs to `make drill`.
"""

import multiprocessing

# The flow first: it sets the environment that Prefect reads at import. Then what stages import when they run.
IMPORTED = [
    "flows.end_to_end", "mlflow.pyfunc", "torch", "accelerate", "transformers.exporters", "onnxruntime", "sklearn.svm",
    "datasets", "duckdb", "statsmodels.api", "matplotlib.pyplot", "onnxscript", "skops.io",
    "tasks.training.fine_tuning.teacher", "tasks.compression.distillation.student", "tests.tasks.training.lesson",
    "tests.tasks.training.masked_lm.tiny_text", "tests.tasks.training.causal_lm.tiny_code",
]  # fmt: skip

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(IMPORTED)
