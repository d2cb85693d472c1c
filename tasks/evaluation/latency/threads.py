"""How many threads a runtime is tried with, and how PyTorch is told."""

from tasks.evaluation.latency.protocol import Setting


def thread_counts(cores: int) -> tuple[int, ...]:
    """1, 2, 4, ... and the number of cores: the counts worth trying."""
    return tuple(sorted({2**n for n in range(cores.bit_length())} | {cores}))


def torch_settings(cores: int) -> tuple[Setting, ...]:
    """Each of these counts."""
    return tuple(Setting(threads=threads) for threads in thread_counts(cores))


def onnx_settings(cores: int) -> tuple[Setting, ...]:
    """One thread, or all cores with and without spinning (one thread waits for nobody)."""
    many = tuple(Setting(threads=cores, spinning=spinning) for spinning in (False, True)) if cores > 1 else ()
    return (Setting(threads=1, spinning=False), *many)


def set_torch_threads(threads: int) -> None:
    """Threads of the whole process: torch has no other."""
    import torch

    torch.set_num_threads(threads)
