"""Net2Net for Keras: turn a trained network into a wider or deeper one that computes the same function."""

from importlib import import_module

_HOMES = {
    "weights": (
        "Net2NetError random_mapping balanced_mapping replication_counts copy_shares "
        "wider2net_fc wider2net_conv2d deeper2net_fc deeper2net_conv2d"
    ),
    "layers": "ParametricActivation",
    "graph": "channel_groups",
    "models": "net2wider_net net2deeper_net copy_weights function_gap",
    "data": "load_mnist",
}
_HOME = {name: room for room, names in _HOMES.items() for name in names.split()}
__all__ = sorted(_HOME)
__version__ = "0.1.0"


def __getattr__(name):
    # Rooms are opened on demand: `helpers.weights` needs NumPy alone, and must not wait for TensorFlow.
    if name in _HOME:
        return getattr(import_module(f"helpers.{_HOME[name]}"), name)
    raise AttributeError(f"module 'helpers' has no attribute {name!r}")


def __dir__():
    return __all__
