"""Kinds of models: those that prepare their data themselves."""

import keras
import numpy as np
from keras import Input
from keras import layers as kl
from kinds import kind, out

WORDS = ["a", "b", "c"]


def _strings(rng, batch):
    return np.array([["a"], ["b"], ["zzz"], ["c"]])[:batch]


def _from_words(x, words):
    x = kl.Flatten()(kl.Embedding(6, 4, name="embedding")(words))
    return kl.Dense(4, activation="relu", name="h")(x)


@kind(data=_strings)
def string_lookup():
    """Words become numbers by a table."""
    text = Input((1,), dtype="string")
    return out(text, _from_words(text, kl.StringLookup(vocabulary=WORDS)(text)))


@kind(data=_strings)
def string_lookup_adapted():
    """Words become numbers by a table that was made of data."""
    text, lookup = Input((1,), dtype="string"), kl.StringLookup()
    lookup.adapt(np.array(WORDS))
    return out(text, _from_words(text, lookup(text)))


@kind(data=lambda rng, batch: np.array([["a b"], ["b"], ["c a a"]]))
def text_vectorization():
    """Whole texts become numbers."""
    text = Input((1,), dtype="string")
    layer = kl.TextVectorization(vocabulary=WORDS, output_sequence_length=3)
    return out(text, _from_words(text, layer(text)))


@kind(data=lambda rng, batch: np.array([["a b"], ["b"], ["c a a"]]))
def text_vectorization_adapted():
    """Whole texts become counts, weighed by how rare words are."""
    text, layer = Input((1,), dtype="string"), kl.TextVectorization(output_mode="tf_idf")
    layer.adapt(["a b c", "a b", "a"])
    return out(text, kl.Dense(4, activation="relu", name="h")(layer(text)))


@kind(data=lambda rng, batch: np.array([[3], [4], [9]]))
def integer_lookup():
    """Numbers become other numbers by a table."""
    x = Input((1,), dtype="int64")
    return out(x, _from_words(x, kl.IntegerLookup(vocabulary=[3, 4, 5])(x)))


@kind(data=_strings)
def hashing():
    """Words become numbers by a rule."""
    text = Input((1,), dtype="string")
    return out(text, _from_words(text, kl.Hashing(5)(text)))


@kind(
    fixed=("normalization",),
    data=lambda rng, batch: {"kind": np.array([[0], [2], [1]]), "age": np.array([[-1.0], [0.5], [2.0]])},
)
def columns_of_a_table():
    """Numbers are normalized, put into bins, encoded and crossed."""
    sort, age = Input((1,), dtype="int32", name="kind"), Input((1,), name="age")
    scaled = kl.Normalization(name="normalization")
    scaled.adapt(np.array([[0.0], [1.0], [5.0]]))
    bins = kl.Discretization(bin_boundaries=[0.0, 1.0])(age)
    crossed = kl.HashedCrossing(5, output_mode="one_hot")((sort, sort))
    x = kl.Concatenate()([kl.CategoryEncoding(3, output_mode="one_hot")(sort), scaled(age), crossed])
    x = kl.Concatenate()([x, kl.Flatten()(kl.Embedding(3, 4, name="embedding")(bins))])
    return out({"kind": sort, "age": age}, kl.Dense(4, activation="relu", name="h")(x))


@kind(fixed=("normalization",))
def images_prepared():
    """Sizes, values and chance, then a network."""
    norm = kl.Normalization(name="normalization")
    norm.adapt(np.random.default_rng(0).normal(size=(9, 5, 5, 3)))
    before = [norm, kl.Resizing(7, 7), kl.CenterCrop(6, 6), kl.Rescaling(2.0)]
    chance = [
        kl.RandomFlip(),
        kl.RandomRotation(0.1),
        kl.RandomZoom(0.1),
        kl.RandomContrast(0.1),
        kl.RandomTranslation(0.1, 0.1),
    ]
    image = Input((5, 5, 3))
    x = keras.Sequential([*before, *chance], name="prepare")(image)
    return out(image, kl.GlobalAveragePooling2D()(kl.Conv2D(4, 3, activation="relu", name="a")(x)))


@kind()
def spectrogram():
    """Sound becomes an image of its tones, inside the model."""
    x = sound = Input((64,))
    x = kl.MelSpectrogram(
        num_mel_bins=4, fft_length=16, sequence_stride=16, sampling_rate=64, min_freq=1, dtype="float32"
    )(x)
    return out(sound, kl.GlobalAveragePooling1D()(kl.Conv1D(4, 2, activation="relu", name="a")(kl.Permute((2, 1))(x))))
