"""What a network costs: multiply-adds, counted from its layers."""

# Keras is imported inside functions: naming the studies does without it, and a run sets its threads first.

__all__ = ["multiply_adds"]


def multiply_adds(model):
    """How many multiplications, each with an addition, a model needs for one example.

    Products with kernels and between queries, keys and values are counted, causal or not, since masked ones are
    computed too. An update needs three times as many: its gradients cost as much as the model for what goes through
    it, and again for its weights. Biases, normalizations and activations are a few additions for each number and not
    counted, nor is the looking up of embeddings.

    Parameters
    ----------
    model : keras.Model
        Of dense layers, attention and layers without products.

    Returns
    -------
    int

    Examples
    --------
    >>> import keras
    >>> multiply_adds(keras.Sequential([keras.Input((5, 8)), keras.layers.Dense(3)]))  # 5 places, 8 x 3 weights
    120
    """
    from keras import layers

    total = 0
    for layer in model.layers:
        if isinstance(layer, layers.MultiHeadAttention):
            length = layer.output.shape[1]
            kernels = sum(weight.shape.num_elements() for weight in layer.weights if len(weight.shape) == 3)
            inner = layer.num_heads * (layer.key_dim + layer.value_dim)
            total += length * kernels + length**2 * inner
        elif isinstance(layer, layers.Dense):
            places = 1
            for size in layer.output.shape[1:-1]:
                places *= size
            total += places * layer.kernel.shape.num_elements()
    return total
