"""Images, and kernels on them."""

import numpy as np
from matplotlib.patches import Rectangle

from helpers.show.plots import canvas


@canvas.in_style
def digits(images, titles=None):
    """A row of images, up to about eight, with an optional title above each.

    Parameters
    ----------
    images : ndarray, shape (n, height, width) or (n, height, width, 1)
    titles : list, optional

    Returns
    -------
    matplotlib.figure.Figure
    """
    n = len(images)
    figure, grid = canvas.figure(canvas.WIDTH / n + (0.3 if titles is not None else 0.05), ncols=n, squeeze=False)
    for i, axes in enumerate(grid.flat):
        axes.imshow(np.asarray(images[i]).reshape(np.shape(images[i])[:2]), cmap="gray_r")
        axes.axis("off")
        if titles is not None:
            axes.set_title(str(titles[i]), fontsize=10)
    return figure


def convolved(image, kernel, times):
    """An image (height, width) after as many convolutions with a kernel (h, w), padding "same"."""
    h, w = np.shape(kernel)
    for _ in range(times):
        # As in Keras, the odd pixel of an even kernel goes behind.
        padded = np.pad(image, (((h - 1) // 2, h // 2), ((w - 1) // 2, w // 2)))
        image = np.einsum("ijhw,hw->ij", np.lib.stride_tricks.sliding_window_view(padded, (h, w)), kernel)
    return image


@canvas.in_style
def kernels_on_image(kernels, image, times=1):
    """Convolution kernels, and below each what it makes of an image.

    Parameters
    ----------
    kernels : dict
        ``{title: ndarray}`` of shape (h, w), or (h, w, in, out), of which the kernel from the first channel
        to the first is shown. Up to five.
    image : ndarray, shape (height, width) or (height, width, 1)
    times : int
        How often each is applied, one after the other.

    Returns
    -------
    matplotlib.figure.Figure
    """
    image = np.asarray(image, float).reshape(np.shape(image)[:2])
    figure, grid = canvas.figure(2 * canvas.WIDTH / len(kernels) + 0.5, nrows=2, ncols=len(kernels), squeeze=False)
    size = max(max(np.shape(kernel)[:2]) for kernel in kernels.values())
    for (above, below), (title, kernel) in zip(grid.T, kernels.items(), strict=True):
        kernel = np.asarray(kernel, float)
        kernel = kernel[:, :, 0, 0] if kernel.ndim == 4 else kernel
        h, w = kernel.shape
        result = convolved(image, kernel, times)
        above.imshow(kernel, cmap="PuOr", vmin=-1.6, vmax=1.6)
        for i, j in np.ndindex(kernel.shape):
            above.text(j, i, f"{kernel[i, j]:.2g}", ha="center", va="center", fontsize=9)
            above.add_patch(Rectangle((j - 0.5, i - 0.5), 1, 1, fill=False, ec=canvas.INK, lw=0.8))
        middle = ((w - 1) / 2, (h - 1) / 2)
        above.set(xlim=(middle[0] - size / 2 - 0.1, middle[0] + size / 2 + 0.1))
        above.set(ylim=(middle[1] + size / 2 + 0.1, middle[1] - size / 2 - 0.1))
        above.set_title(title, fontsize=10)
        above.axis("off")
        below.imshow(result, cmap="gray_r", vmin=0, vmax=image.max())
        same = np.allclose(result, image)
        below.set_title("same" if same else "changed", fontsize=10, color=canvas.INK if same else "#A34700")
        below.set(xticks=[], yticks=[])
        for spine in below.spines.values():
            spine.set(visible=True, color="#AAAAAA")
    return figure
