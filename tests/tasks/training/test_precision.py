import torch

from infra.machine.cpu import precision_of_auto
from tasks.training.precision import computes_in_bf16


def test_keys_count_auto_as_the_training_takes_it() -> None:
    """The domain asks the device, the key must not pay for torch: both have to come to the same."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    assert computes_in_bf16(device) == (precision_of_auto() == "auto")
