"""A program like a flow's, with a worker: `python -m tests.tasks.processes.with_prefect FILE`.

Its own process is killed in the middle of a call; what it knew by then is in FILE.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

import prefect  # noqa: F401  (the worker must not)
import psutil

from tasks.processes.worker import Worker
from tests.tasks.processes.asked import modules, wait

if __name__ == "__main__":
    import sklearn  # noqa: F401  (it brings joblib, whose own loky comes to stand for ours)

    file = Path(sys.argv[1])
    with Worker("a worker") as worker:
        found = worker.ask(modules)
        worker.send(wait, file.with_suffix(".pid"))
        while not file.with_suffix(".pid").exists():
            time.sleep(0.01)
        children = [child.pid for child in psutil.Process().children(recursive=True)]
        file.write_text(json.dumps({"modules": sorted(found), "pid": os.getpid(), "children": children}))
        os.kill(os.getpid(), signal.SIGKILL)
