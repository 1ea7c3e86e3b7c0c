"""Maggy's `tensorboard` module: where a trial's event files go.

    from prova import tensorboard
    callback = tf.keras.callbacks.TensorBoard(tensorboard.logdir())
"""

from __future__ import annotations

import os

from ._trial import current_trial


def logdir() -> str:
    """The absolute path of a folder for event files: "tensorboard" in the directory of the running trial, or in the current
    one where no trial runs. Made when asked for.

    Raises:
        OSError: it cannot be made.

    >>> import tempfile
    >>> os.chdir(tempfile.mkdtemp())
    >>> os.path.basename(logdir())
    'tensorboard'
    """
    trial = current_trial()
    path = os.path.join(trial.directory if trial is not None else os.getcwd(), "tensorboard")
    os.makedirs(path, exist_ok=True)
    return path
