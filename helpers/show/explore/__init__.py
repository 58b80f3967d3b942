"""What a reader moves: small networks that are widened and deepened by hand.

An explorable has two faces in one bundle, made from the same files in ``book/web``. Where Python runs it is an
`anywidget`: Python reads and sets its traits, and they can be linked to those of any other widget. On a page without
Python it is the same element, which computes everything in the page; without scripts, and in print, its picture.

The page draws as NumPy draws, so a seed shows the same network on both sides. All numbers are float64.
"""

from helpers.show.explore.deepening import Deepen, deepen
from helpers.show.explore.element import Explorable
from helpers.show.explore.functions import ACTIVATIONS, curve_teacher, curves_teacher, digit
from helpers.show.explore.widening import Widen, widen

__all__ = [
    "ACTIVATIONS",
    "Deepen",
    "Explorable",
    "Widen",
    "curve_teacher",
    "curves_teacher",
    "deepen",
    "digit",
    "widen",
]
