"""What can go wrong, as exceptions: one class for each code of `prova.h`.

    try:
        prova.lagom(train, config)
    except prova.errors.ConfigError as error:
        print(error)          # says what is wrong, where, and what to do
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, Optional, Type


class ProvaError(Exception):
    """The base of all exceptions of prova. `code` is that of `prova.h` (negative), or None.

    >>> issubclass(ProvaError, Exception)
    True
    """

    code: Optional[int] = None


class ConfigError(ProvaError, ValueError):
    """A configuration, search space, name or argument is wrong. Nothing was started or written.

    >>> issubclass(ConfigError, ValueError)
    True
    """

    code = -1


class NotFoundError(ProvaError, LookupError):
    """An experiment, trial, file or program does not exist.

    >>> issubclass(NotFoundError, LookupError)
    True
    """

    code = -3


class ExistsError(ProvaError):
    """It was made, told or ended before.

    >>> issubclass(ExistsError, ProvaError)
    True
    """

    code = -4


class BusyError(ProvaError):
    """Another process has it, e.g. a driver its database.

    >>> issubclass(BusyError, ProvaError)
    True
    """

    code = -5


class DatabaseError(ProvaError, OSError):
    """A file or the database cannot be read or written.

    >>> issubclass(DatabaseError, OSError)
    True
    """

    code = -6


class VersionError(ProvaError):
    """Two sides are of versions that do not understand each other.

    >>> issubclass(VersionError, ProvaError)
    True
    """

    code = -8


class ExhaustedError(ProvaError):
    """Every point of the search space has been asked for.

    >>> issubclass(ExhaustedError, ProvaError)
    True
    """

    code = -9


class DriverError(ProvaError, ConnectionError):
    """The driver or the workers have ended, and cannot be started again.

    >>> issubclass(DriverError, ConnectionError)
    True
    """

    code = -10


class DriverTimeout(DriverError, TimeoutError):
    """No driver answers at the endpoint.

    >>> issubclass(DriverTimeout, TimeoutError)
    True
    """

    code = -11


class Interrupted(ProvaError, KeyboardInterrupt):
    """Ctrl-C, or the interruption of a notebook's kernel. All results so far are kept: `resume=True` goes on.

    Is a `KeyboardInterrupt`, so that a script ends with it as one expects.

    >>> issubclass(Interrupted, KeyboardInterrupt)
    True
    """

    code = -12


class UnsupportedError(ProvaError, NotImplementedError):
    """This build or this machine cannot do it.

    >>> issubclass(UnsupportedError, NotImplementedError)
    True
    """

    code = -13


class RefusedError(ProvaError, PermissionError):
    """The driver refuses it.

    >>> issubclass(RefusedError, PermissionError)
    True
    """

    code = -15


class ExperimentFailed(ProvaError):
    """The experiment ended without a result, e.g. because trial after trial failed. `result` has what there is.

    >>> issubclass(ExperimentFailed, ProvaError)
    True
    """

    code = -16
    result: Optional[object] = None


class WorkerError(ProvaError):
    """A worker process could not begin: a module that it cannot import, a function that cannot be unpickled.

    >>> issubclass(WorkerError, ProvaError)
    True
    """


class PicklingError(ProvaError, TypeError):
    """The training function cannot be sent to fresh processes.

    >>> issubclass(PicklingError, TypeError)
    True
    """


class EarlyStop(BaseException):
    """Raised by `prova.report` in a trial that is asked to stop. Let it pass.

    The trial ends as STOPPED with the value that it reached. Derived from BaseException, so that the
    `except Exception` of a training loop does not catch it.

    >>> issubclass(EarlyStop, BaseException)
    True
    """


_BY_CODE: Dict[int, Type[ProvaError]] = {
    cls.code: cls
    for cls in (ConfigError, NotFoundError, ExistsError, BusyError, DatabaseError, VersionError, ExhaustedError,
                DriverError, DriverTimeout, Interrupted, UnsupportedError, RefusedError, ExperimentFailed)
    if cls.code is not None
}


def from_code(code: int, text: str) -> ProvaError:
    """The exception of a negative code of `prova.h`, with this message.

    Args:
        code: The code, below 0.
        text: The message.

    Raises:
        MemoryError: the code of that.

    >>> from_code(-1, "max is below min")
    ConfigError('max is below min')
    """
    if code == -2:
        raise MemoryError(text)
    cls = _BY_CODE.get(code, ProvaError)
    error = cls(text)
    error.code = code
    return error
