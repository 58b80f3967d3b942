"""Updates of a network, many in one call, so that an update costs what its size says and not what Python costs."""

import functools
import time

import numpy as np

# Keras is imported inside functions: naming the studies does without it, and a run sets its threads first.

__all__ = ["Trainer", "trainer", "windows"]

CHUNK = 200  # updates of one call
PART = 128  # examples measured in one call


def windows(codes, starts, length):
    """Pieces of a text, with the character that follows each: (..., length + 1) for starts (...)."""
    return codes[np.asarray(starts)[..., np.newaxis] + np.arange(length + 1)].astype("int32")


class Trainer:
    """A compiled model with its optimizer, whose state can be read and replaced.

    Parameters
    ----------
    model : keras.Model
        From codes (n, length) to logits (n, length, characters), compiled.
    batch : int
        Examples of an update.
    """

    def __init__(self, model, batch):
        import tensorflow as tf

        self.model, self.batch, self.length = model, batch, model.input_shape[1]
        if not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)
        self.variables = [*model.trainable_variables, *model.optimizer.variables]
        codes = tf.TensorSpec((CHUNK, batch, self.length + 1), "int32")
        numbers = codes, tf.TensorSpec((CHUNK,), "float32"), tf.TensorSpec((), "int32")
        self._update = tf.function(self._updates, numbers, jit_compile=True)
        self._measure = tf.function(self._loss, [tf.TensorSpec((PART, self.length + 1), "int32")], jit_compile=True)
        # Compiled now, by no updates, so that no run's seconds have it.
        self._update(np.zeros(codes.shape, "int32"), np.zeros(CHUNK, "float32"), 0)

    def _loss(self, codes):
        from keras import ops

        losses = ops.sparse_categorical_crossentropy(codes[:, 1:], self.model(codes[:, :-1]), from_logits=True)
        return ops.mean(losses)

    def _updates(self, codes, rates, count):
        import tensorflow as tf

        model = self.model

        def update(number):
            with tf.GradientTape() as tape:
                loss = self._loss(codes[number])
            model.optimizer.learning_rate.assign(rates[number])
            model.optimizer.apply(tape.gradient(loss, model.trainable_variables))
            return (number + 1,)

        tf.while_loop(lambda number: number < count, update, (0,))

    def state(self):
        """All that training changes, as a list of arrays."""
        return [variable.numpy() for variable in self.variables]

    def load(self, state):
        """Take what another trainer of a model of this size had."""
        for variable, array in zip(self.variables, state, strict=True):
            variable.assign(array)

    def advance(self, codes, starts, rates):
        """Do an update for each row of `starts` (n, batch), places in a text, at `rates` (n,).

        Returns
        -------
        float
            The processor's seconds.
        """
        begin = time.process_time()
        for first in range(0, len(starts), CHUNK):
            count = len(starts[first : first + CHUNK])
            given = np.zeros((CHUNK, self.batch, self.length + 1), "int32"), np.zeros(CHUNK, "float32")
            given[0][:count] = windows(codes, starts[first : first + CHUNK], self.length)
            given[1][:count] = rates[first : first + CHUNK]
            self._update(*given, count)
        return time.process_time() - begin

    def loss(self, codes, examples):
        """Mean cross-entropy of a text's characters, in nats, over examples that are spread over it evenly."""
        starts = np.linspace(0, len(codes) - self.length - 1, examples).astype(int)
        given = windows(codes, starts, self.length).reshape(-1, PART, self.length + 1)
        return float(np.mean([self._measure(part) for part in given]))


@functools.cache
def trainer(width, blocks, batch):
    """A trainer for small GPTs of one size, compiled once in a process."""
    from helpers.networks import small_gpt

    return Trainer(small_gpt(width, blocks), batch)
