"""Several processes of one training on the CPU, without a launcher: each says itself which one it is."""

import os
import socket

import torch


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def join(process: int, processes: int, port: int) -> None:
    """Be one of them from here on."""
    place = {"RANK": process, "LOCAL_RANK": process, "WORLD_SIZE": processes, "MASTER_PORT": port}
    os.environ.update({name: str(value) for name, value in place.items()})
    os.environ.update({"MASTER_ADDR": "127.0.0.1", "ACCELERATE_USE_CPU": "true"})
    torch.set_num_threads(1)
