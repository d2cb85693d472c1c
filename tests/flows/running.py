"""The flow's command line as a process of its own, that can be looked at, killed and waited for.

Processes are forked from a server that has imported everything once: the flow's code, its process and its death are
those of `python -m flows.end_to_end`, without ten seconds of imports for each of some thirty runs.
"""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

HEAVY = ["flows.end_to_end", "mlflow.pyfunc", "torch", "transformers.exporters", "accelerate", "sklearn.linear_model",
         "onnxruntime.quantization", "onnxscript", "matplotlib.pyplot", "datasets", "duckdb", "statsmodels.api",
         "huggingface_hub.repocard"]  # fmt: skip
LONGEST = 200.0  # seconds for any run, on a busy machine
_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(HEAVY)
