"""Every figure of the book: one style, one palette that color-blind readers can tell apart.

Each function takes arrays or frames and returns a matplotlib Figure; none of them shows it. In a notebook the
Figure is the last value of the cell.
"""

from helpers.show.plots.canvas import use_style
from helpers.show.plots.curves import growth_curves, lab_curves, learning_curves, race_curves, training_panels
from helpers.show.plots.ends import costs, difference_map, growth_map, intervals
from helpers.show.plots.functions import (
    activation_gallery,
    function_curves,
    gap_chart,
    lines,
    output_scatter,
    widened_function,
)
from helpers.show.plots.images import digits, kernels_on_image
from helpers.show.plots.models import channel_rows, operations
from helpers.show.plots.networks import flowchart, networks, transformer_block
from helpers.show.plots.weights import copy_distances, flatten_rows, mapping_arrows, weight_change, weight_matrices

__all__ = [
    "activation_gallery",
    "channel_rows",
    "copy_distances",
    "costs",
    "difference_map",
    "digits",
    "flatten_rows",
    "flowchart",
    "function_curves",
    "gap_chart",
    "growth_curves",
    "growth_map",
    "intervals",
    "kernels_on_image",
    "lab_curves",
    "learning_curves",
    "lines",
    "mapping_arrows",
    "networks",
    "operations",
    "output_scatter",
    "race_curves",
    "training_panels",
    "transformer_block",
    "use_style",
    "weight_change",
    "weight_matrices",
    "widened_function",
]
