"""The arms of the studies as readers meet them: one name, color, dash and marker for each, in all figures of the book.

The colors are Okabe and Ito's, darkened where they would be faint on paper. ``book/web/net2net.css`` has them as
--n2n-u0 to --n2n-u7, each with a lighter twin for dark pages. Nothing is said by color alone.
"""

import re
import textwrap
from typing import NamedTuple

__all__ = ["ARMS", "CYCLE", "DASHES", "MARKERS", "PALETTE", "Look", "looks"]

BLUE, VERMILION, GREEN, PURPLE = "#0072b2", "#d55e00", "#009e73", "#b0578b"
ORANGE, BLACK, SKY, GRAY = "#b07a00", "#333a44", "#2e8bc0", "#6c737c"
CYCLE = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, BLACK, SKY)
PALETTE = (*CYCLE, GRAY)
DASHES = (
    "-",
    (0, (5, 2)),
    (0, (1, 1.4)),
    (0, (6, 2, 1, 2)),
    (0, (3, 1, 1, 1, 1, 1)),
    (0, (8, 2)),
    (0, (2, 2)),
)
MARKERS = "os^Dv*P"


class Look(NamedTuple):
    """A reader's name, a color of `PALETTE`, the dashes that Matplotlib takes, and a marker."""

    name: str
    color: str
    dash: str | tuple
    marker: str

    @property
    def label(self):
        """The name in short lines, as it is written at the end of a curve.

        >>> Look("continued teacher", ORANGE, "-", "D").label
        'continued\\nteacher'
        """
        return textwrap.fill(self.name, 15)

    @property
    def svg_dash(self):
        """The dashes for a line two pixels wide, as SVG writes them; nothing for a whole line.

        >>> Look("", BLUE, DASHES[1], "o").svg_dash
        '10 4'
        """
        return "" if self.dash == "-" else " ".join(f"{2 * length:g}" for length in self.dash[1])


# In most figures the color says how the weights began: blue and green are copies, purple an identity layer, vermilion
# random new weights in a trained network, black random weights everywhere; orange did not grow. Two arms of one study
# that have one color differ in dash and marker.
ARMS = {
    "teacher": Look("teacher", GRAY, DASHES[2], "P"),
    "teacher_continued": Look("continued teacher", ORANGE, DASHES[4], "D"),
    "student": Look("student", BLUE, DASHES[0], "o"),
    "net2wider": Look("equal shares", BLUE, DASHES[0], "o"),
    "net2wider_random": Look("unequal shares", GREEN, DASHES[1], "^"),
    "net2wider_noise": Look("equal shares, 1\N{NO-BREAK SPACE}%\N{NO-BREAK SPACE}noise", PURPLE, DASHES[5], "*"),
    "zeropad": Look("zeropad", SKY, DASHES[6], "D"),
    "net2deeper": Look("deeper student", PURPLE, DASHES[0], "*"),
    "net2net": Look("wider and deeper student", PURPLE, DASHES[5], "*"),
    "randompad": Look("random padding", VERMILION, DASHES[3], "s"),
    "randominit": Look("random new layers", VERMILION, DASHES[1], "X"),
    "scratch": Look("from scratch", BLACK, DASHES[2], "v"),
    "scratch_wider": Look("from scratch, wider", BLACK, DASHES[2], "v"),
    "scratch_deeper": Look("from scratch, deeper", BLACK, DASHES[6], "d"),
    "scratch long": Look("from scratch, longer", VERMILION, DASHES[3], "s"),
    "once": Look("grown once", BLUE, DASHES[0], "o"),
    "twice": Look("grown twice", GREEN, DASHES[1], "^"),
    "thrice": Look("grown three times", SKY, DASHES[6], "D"),
    "late": Look("grown late", PURPLE, DASHES[5], "*"),
}
NAMED = {look.name: look for look in ARMS.values()}
SIZE = re.compile(r" (x[\d.]+|\+\d+|both)$")


def looks(arms):
    """How the arms of one figure look.

    Parameters
    ----------
    arms : iterable of str
        Arms of a study, with or without a size behind them, readers' names, or any other labels.

    Returns
    -------
    dict
        A `Look` for each. What is none of the book's arms keeps its own label, and takes the first color that none of
        the others has.

    Examples
    --------
    >>> [look.name for look in looks(["net2deeper +2", "from\\nscratch", "mine"]).values()]
    ['deeper student', 'from scratch', 'mine']
    >>> looks(["mine", "student"])["mine"].color == VERMILION
    True
    """
    arms = list(dict.fromkeys(arms))
    known = {}
    for arm in arms:
        look = ARMS.get(SIZE.sub("", arm)) or NAMED.get(" ".join(arm.split()))
        if look:
            known[arm] = look
    taken = {look.color for look in known.values()}
    free = [place for place, color in enumerate(CYCLE) if color not in taken] or range(len(CYCLE))
    others = {}
    for number, arm in enumerate(arm for arm in arms if arm not in known):
        lap, place = divmod(number, len(free))
        color = free[place]
        others[arm] = Look(arm, CYCLE[color], DASHES[(color + lap) % 7], MARKERS[(color + lap) % 7])
    return {arm: known.get(arm) or others[arm] for arm in arms}
