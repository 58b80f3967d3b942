"""Kinds of models: architectures of KerasHub, and tasks on top of them.

A backbone gives its hidden channels out, so that its residual width must stay; with a task on top it grows too. What
grows in a backbone alone does so by 1.5, and all of it, below a task, by 2.
"""

import keras
import keras_hub
import numpy as np
from kinds import kind

hub, kh = keras_hub.models, keras_hub.layers


def text(rng, batch):
    words = rng.integers(0, 7, (batch, 3)).astype("int32")
    return {"token_ids": words, "padding_mask": np.array([[1, 1, 1], [1, 1, 0], [1, 1, 1]][:batch], bool)}


def pairs(rng, batch):
    return text(rng, batch) | {"segment_ids": rng.integers(0, 2, (batch, 3)).astype("int32")}


def both(rng, batch):
    one = text(rng, batch)
    return {f"{side}_{name}": value for side in ("encoder", "decoder") for name, value in one.items()}


def image(rng, batch):
    return rng.normal(size=(batch, 4, 4, 3))


SMALL = {"vocabulary_size": 7, "num_layers": 1, "hidden_dim": 4, "intermediate_dim": 6}
KEYS = {"statues": ("key/bias",)}
INNER = {"whole": (), "partly": (1.5,)}
ALL = {"whole": (2,), "partly": ()}


def _bert():
    return hub.BertBackbone(num_heads=2, max_sequence_length=4, **SMALL)


@kind(**INNER, **KEYS, data=pairs, grown=("intermediate",))
def bert_backbone():
    """Embeddings of words, places and segments; normalization behind."""
    return _bert()


@kind(**ALL, **KEYS, data=pairs, fixed=("logits/bias",))
def bert_classifier():
    """Everything twice as wide, but for what comes out."""
    return hub.BertTextClassifier(_bert(), num_classes=2, preprocessor=None)


def _gpt2():
    return hub.GPT2Backbone(num_heads=2, max_sequence_length=4, **SMALL)


@kind(**INNER, **KEYS, data=text, grown=("intermediate",))
def gpt2_backbone():
    """Causal; normalization in front."""
    return _gpt2()


@kind(**ALL, **KEYS, data=text)
def gpt2_causal_lm():
    """Words and scores are tied."""
    return hub.GPT2CausalLM(_gpt2(), preprocessor=None)


def _llama(**how):
    return hub.LlamaBackbone(num_query_heads=4, num_key_value_heads=2, **(SMALL | {"hidden_dim": 8}), **how)


@kind(
    **INNER,
    data=text,
    grown=("feedforward_intermediate", "feedforward_gate", "feedforward_output"),
    exact=1e-5,
    statues=("reverse_embeddings",),
)
def llama_backbone():
    """Groups of queries, gates, rotations of keys."""
    return _llama()


@kind(**ALL, data=text, exact=1e-5)
def llama_causal_lm():
    """With an output of its own; twice as wide by twice as many heads."""
    return hub.LlamaCausalLM(_llama(), preprocessor=None)


@kind(**INNER, data=both, grown=("wi", "intermediate"), exact=1e-5)
def t5_backbone():
    """An encoder and a decoder; places by a table of distances for each head."""
    return hub.T5Backbone(num_heads=2, key_value_dim=2, **SMALL)


def _vit():
    return hub.ViTBackbone((4, 4, 3), (2, 2), 1, 2, 4, 6)


@kind(**INNER, **KEYS, data=image, grown=("mlp/dense_1",))
def vit_backbone():
    """Patches, a token for the class, blocks."""
    return _vit()


@kind(**ALL, **KEYS, data=image, fixed=("predictions/bias",))
def vit_classifier():
    """A head on the token of the class."""
    return hub.ViTImageClassifier(_vit(), num_classes=2, preprocessor=None)


def maps(rng, batch):
    return rng.normal(size=(batch, 6, 6, 3))


@kind(**INNER, data=maps, grown=("stack1",))
def resnet_backbone():
    """Residual sums. The first widths must be 64, says KerasHub, and the last are given out."""
    return hub.ResNetBackbone([64], [3], [64, 6, 4], [1, 1, 1], [1, 1, 1], "basic_block", image_shape=(6, 6, 3))


@kind(**INNER | {"partly": (2,)}, data=maps, grown=("conv1_conv", "stack1"))
def resnet_classifier():
    """Bottlenecks; all but the first stack grows by any factor."""
    backbone = hub.ResNetBackbone([4], [3], [64, 4], [1, 1], [1, 2], "bottleneck_block", image_shape=(6, 6, 3))
    return hub.ResNetImageClassifier(backbone, num_classes=2, preprocessor=None)


@kind(2, **KEYS, data=lambda rng, batch: rng.integers(0, 7, (batch, 3)).astype("int32"))
def hub_layers():
    """Layers of KerasHub in a model of one's own."""
    x = words = keras.Input((3,), dtype="int32")
    x = kh.TokenAndPositionEmbedding(7, 3, 4, name="embed")(x)
    x = kh.TransformerEncoder(6, 2, name="encoder")(x)
    x = kh.TransformerDecoder(6, 2, name="decoder")(x)
    return keras.Model(words, keras.layers.Dense(2, name="out")(x))
