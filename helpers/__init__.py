"""Net2Net for Keras: turn a trained network into a wider or deeper one that computes the same function."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # what editors and type checkers see
    from helpers.checks import Net2NetError
    from helpers.data import load_mnist
    from helpers.deeper import net2deeper_net
    from helpers.extending import extend
    from helpers.growing import grow_and_fit
    from helpers.identities import ParametricActivation, ResidualBlock
    from helpers.models import channel_groups, copy_weights, grow_into, net2wider_net
    from helpers.proof import function_gap
    from helpers.report import growth
    from helpers.training import use_rates
    from helpers.weights import (
        balanced_mapping,
        copy_shares,
        deeper2net_conv2d,
        deeper2net_fc,
        random_mapping,
        replication_counts,
        wider2net_conv2d,
        wider2net_fc,
    )

__version__ = "0.1.0"
__all__ = [
    "Net2NetError",
    "ParametricActivation",
    "ResidualBlock",
    "balanced_mapping",
    "channel_groups",
    "copy_shares",
    "copy_weights",
    "deeper2net_conv2d",
    "deeper2net_fc",
    "extend",
    "function_gap",
    "grow_and_fit",
    "grow_into",
    "growth",
    "load_mnist",
    "net2deeper_net",
    "net2wider_net",
    "random_mapping",
    "replication_counts",
    "use_rates",
    "wider2net_conv2d",
    "wider2net_fc",
]
_ROOMS = {
    "Net2NetError": "checks",
    "load_mnist": "data",
    **dict.fromkeys(("ParametricActivation", "ResidualBlock"), "identities"),
    "net2deeper_net": "deeper",
    **dict.fromkeys(("channel_groups", "copy_weights", "grow_into", "net2wider_net"), "models"),
    "extend": "extending",
    "function_gap": "proof",
    "grow_and_fit": "growing",
    "growth": "report",
    "use_rates": "training",
}


def __getattr__(name: str) -> object:
    # Rooms are opened on demand: `helpers.weights` needs NumPy alone, and must not wait for TensorFlow.
    if name in __all__:
        return getattr(import_module(f"helpers.{_ROOMS.get(name, 'weights')}"), name)
    raise AttributeError(f"module 'helpers' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
