"""What training needs of a student: the teacher's optimizer, loss and metrics."""

import inspect
import warnings

import keras


def compiled_alike(teacher, student):
    """Compile a student as its teacher is, with a fresh optimizer; return it."""
    if not teacher.compiled:
        return student
    # get_compile_config() turns functions into names that a loss of the user's own cannot be found by.
    given = dict(teacher._compile_config.config)
    try:
        for key in ("metrics", "weighted_metrics"):
            given[key] = keras.tree.map_structure(_fresh, given[key])
        for key in inspect.signature(teacher.compile).parameters:  # of a class of its own, such as a sampler
            if key not in given and hasattr(teacher, key):
                given[key] = _fresh(getattr(teacher, key))
        optimizer = _fresh(teacher.optimizer)
        _exclude_alike(teacher, optimizer, student)
        student.compile(**given | {"optimizer": optimizer})
    except Exception as error:  # an optimizer or metric may be the user's, and fail in any way
        warnings.warn(
            f"the student is not compiled, because the teacher's settings cannot be copied: {error}", stacklevel=3
        )
    return student


def _exclude_alike(teacher, optimizer, student):
    """Take the same weights out of weight decay, of which an optimizer's settings do not tell."""
    old, new = (getattr(each, "inner_optimizer", each) for each in (teacher.optimizer, optimizer))
    keys, pattern = (getattr(old, f"_exclude_from_weight_decay{kind}", None) for kind in ("", "_pattern"))
    if keys is not None:
        paths = {weight.path for weight in teacher.weights if old._var_key(weight) in keys}
        weights = [weight for weight in student.weights if weight.path in paths]
        new.exclude_from_weight_decay(weights, [pattern.pattern] if pattern else None)


def _fresh(value):
    """A copy without state of an optimizer or metric; a name or function as it is."""
    if not hasattr(value, "get_config"):
        return value
    function = getattr(value, "_fn", None)  # of a metric that wraps one
    with keras.saving.custom_object_scope({function.__name__: function} if function else {}):
        return type(value).from_config(value.get_config())
