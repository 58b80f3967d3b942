"""Kinds of models: layers with a memory."""

import keras
from keras import Input, ops
from keras import layers as kl
from kinds import kind, out


@kind()
def conv_lstm():
    """Convolutions with a memory, in one and two dimensions; the kernel of four gates is one weight."""
    x = film = Input((2, 3, 3, 1))
    x = kl.ConvLSTM2D(4, 2, padding="same", return_sequences=True, name="a")(x)
    x = kl.BatchNormalization(name="n")(x)
    x = kl.TimeDistributed(kl.Reshape((9, 4)))(x)
    return out(film, kl.Flatten()(kl.ConvLSTM1D(3, 2, name="b")(x)))


def _recurrent(layer):
    """A text read by recurrent layers that know where it ends, forwards and backwards."""
    x = text = Input((4,), dtype="int32")
    x = kl.Embedding(5, 4, mask_zero=True, name="embedding")(x)
    x = layer(4, return_sequences=True, name="a")(x)
    x = layer(3, go_backwards=True, return_sequences=True, use_bias=False, name="b")(x)
    return out(text, layer(4, unroll=True, name="c")(x))


@kind()
def lstm():
    """LSTMs behind an embedding with a mask; one runs backwards, one is unrolled."""
    return _recurrent(kl.LSTM)


@kind()
def gru():
    """GRUs behind an embedding with a mask; one runs backwards, one is unrolled."""
    return _recurrent(kl.GRU)


@kind()
def simple_rnn():
    """SimpleRNNs behind an embedding with a mask; one runs backwards, one is unrolled."""
    return _recurrent(kl.SimpleRNN)


@kind()
def encoder_and_decoder():
    """One LSTM begins with the states that another ends with; GRU without reset_after, from a drawn state."""
    a, b = Input((3, 2), name="first"), Input((2, 3), name="second")
    x, *states = kl.LSTM(4, return_state=True, return_sequences=True, name="encoder")(a)
    y = kl.LSTM(4, return_sequences=True, name="decoder")(b, initial_state=states)
    start = kl.Dense(4, activation="tanh", name="start")(kl.GlobalMaxPooling1D()(x))
    return out([a, b], kl.GRU(4, reset_after=False, name="gru")(y, initial_state=start))


@kind(data=lambda rng, batch: rng.integers(0, 5, (3, 4)).astype("int32"))
def stateful():
    """In the middle of a text: the states are not zero."""
    x = text = Input(batch_shape=(3, 4), dtype="int32")
    x = kl.Embedding(5, 4, name="embedding")(x)
    x = kl.GRU(4, stateful=True, return_sequences=True, name="gru")(x)
    return out(text, kl.LSTM(3, stateful=True, return_sequences=True, name="lstm")(x))


@kind()
def recurrent_cells():
    """RNN around a cell, and around a pile of cells."""
    x = text = Input((4, 2))
    x = kl.RNN(kl.LSTMCell(4), return_sequences=True, name="a")(x)
    return out(text, kl.RNN([kl.GRUCell(4), kl.StackedRNNCells([kl.SimpleRNNCell(3), kl.LSTMCell(4)])], name="b")(x))


@keras.saving.register_keras_serializable("kinds")
class Leaky(kl.Layer):
    """A cell of one's own."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units

    def build(self, shape):
        self.enter = self.add_weight((shape[-1], self.units), name="enter")
        self.again = self.add_weight((self.units, self.units), name="again")
        self.leak = self.add_weight((self.units,), name="leak")

    def call(self, x, states):
        keep = ops.sigmoid(self.leak)
        state = keep * states[0] + (1 - keep) * ops.tanh(x @ self.enter + states[0] @ self.again)
        return state, [state]


@kind()
def a_cell_of_ones_own():
    """RNN around a cell that the user wrote."""
    x = text = Input((4, 2))
    return out(text, kl.RNN(Leaky(4), name="a")(kl.Dense(3, activation="relu", name="b")(x)))


@kind()
def bidirectional():
    """All ways to put the two directions together."""
    x = text = Input((3, 2))
    for mode in ("concat", "sum", "mul", "ave"):
        rnn = (kl.GRU if mode == "mul" else kl.LSTM)(3, return_sequences=True)
        x = kl.Bidirectional(rnn, merge_mode=mode, name=mode)(x)
    forth, back = kl.Bidirectional(kl.SimpleRNN(3), merge_mode=None, name="none")(x)
    return out(text, forth * back)


@kind()
def bidirectional_with_states():
    """The states of both directions, side by side, start another layer."""
    x = text = Input((3, 2))
    x, a, b, c, d = kl.Bidirectional(kl.LSTM(3, return_sequences=True, return_state=True), name="encoder")(x)
    states = [kl.Concatenate()([a, c]), kl.Concatenate()([b, d])]
    y = kl.LSTM(6, return_sequences=True, name="decoder")(x, initial_state=states)
    return out(text, kl.Bidirectional(kl.LSTM(3), name="last")(y, initial_state=[a, b, c, d]))
