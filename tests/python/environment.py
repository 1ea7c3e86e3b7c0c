"""Virtual environments for tests that need packages of PyPI.

    environment.py make FOLDER REQUIREMENTS     makes FOLDER, unless it is there and made of the same
    environment.py run FOLDER ARGUMENT...       runs the python of FOLDER with these arguments

Both end with status 77 (ctest: skipped) and a line that says why, if PyPI cannot be reached or there is no room for
what it gives. Whatever else pip fails of is a failure, with the end of its output.

An environment is made in place, because it cannot be moved; the file `made-of` in it is written last and says of what
it was made. A lock beside it keeps a second maker waiting; the lock of one that dies is given up by the kernel.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time

SKIPPED = 77
LIMIT_S = 600  # PyTorch took 84 on two busy cores and 173 on two overrun ones, from a near mirror
CONSTRAINTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "constraints.txt")

# What pip, and the libraries below it, say when it is the network or the disk.
REASONS = {
    "PyPI cannot be reached": (
        "NewConnectionError", "ConnectTimeout", "ReadTimeout", "Read timed out", "Failed to establish a new connection",
        "Connection refused", "Connection reset", "Connection aborted", "Connection broken", "Cannot connect to proxy",
        "Tunnel connection failed", "Max retries exceeded", "Temporary failure in name resolution",
        "Name or service not known", "Network is unreachable", "IncompleteRead", "CERTIFICATE_VERIFY_FAILED",
        "HTTP error 403", "HTTP error 407", "HTTP error 429", "HTTP error 5", "50 Server Error"),
    "there is no room on the disk": ("No space left on device", "Disk quota exceeded"),
    "PyPI has PyTorch only with CUDA, which is gigabytes; PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu has "
    "it without": ("triton<0",),
}


class Skipped(Exception):
    """The environment cannot be had here, and why."""


def reason_of(output):
    """Why pip could not, if that is nobody's fault; else None."""
    for reason, signs in REASONS.items():
        if any(sign in output for sign in signs):
            return reason
    return None


def identity(requirements):
    """What an environment is made of: the requirements, the constraints, and the python."""
    digest = hashlib.sha256(f"{os.path.realpath(sys.executable)} {sys.version}".encode())
    for path in (requirements, CONSTRAINTS):
        with open(path, "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()


def read(path):
    """What stands in a file; nothing if there is none."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError:
        return ""


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


@contextlib.contextmanager
def locked(folder):
    """As the only one who makes this environment."""
    os.makedirs(os.path.dirname(folder), exist_ok=True)
    with open(folder + ".lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def python_of(folder):
    return os.path.join(folder, "bin", "python")


def execute(command, limit_s):
    """Runs a command to its end or the limit, in a group of its own so that nothing of it remains.

    Returns:
        Its status, None if it was ended, and all that it wrote.
    """
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             text=True, errors="replace", start_new_session=True)
    try:
        output, _ = child.communicate(timeout=limit_s)
        return child.returncode, output
    except BaseException as error:
        os.killpg(child.pid, signal.SIGKILL)
        output, _ = child.communicate()
        if isinstance(error, subprocess.TimeoutExpired):
            return None, output
        raise


def install(folder, requirements, limit_s):
    """Makes the environment.

    Raises:
        Skipped: for want of a network, a disk, time or the venv module.
        RuntimeError: pip failed of something else.
    """
    deadline = time.monotonic() + limit_s
    status, output = execute([sys.executable, "-m", "venv", folder], limit_s)
    if status and "ensurepip is not available" in output:
        raise Skipped(f"{sys.executable} cannot make virtual environments (Debian: python3-venv)")
    if status == 0:
        pip = [python_of(folder), "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--retries", "1",
               "--timeout", "30", "--no-compile", "--only-binary", ":all:", "-c", CONSTRAINTS, "-r", requirements]
        status, output = execute(pip, deadline - time.monotonic())
    if status is None:
        raise Skipped(f"what {os.path.basename(requirements)} names could not be had in {limit_s} s")
    if status:
        reason = reason_of(output)
        if reason:
            raise Skipped(reason)
        raise RuntimeError("".join(output.splitlines(keepends=True)[-30:]))


def make(folder, requirements, limit_s=LIMIT_S):
    """Makes the environment, unless it is there; leaves word beside it if it cannot be had. Raises as `install`."""
    folder, wanted = os.path.abspath(folder), identity(requirements)
    with locked(folder):
        if read(os.path.join(folder, "made-of")) == wanted:
            return
        shutil.rmtree(folder, ignore_errors=True)
        write(folder + ".skipped", "")
        try:
            install(folder, requirements, limit_s)
            write(os.path.join(folder, "made-of"), wanted)
        except BaseException as error:
            shutil.rmtree(folder, ignore_errors=True)
            if isinstance(error, Skipped):
                write(folder + ".skipped", str(error))
            raise


def run(folder, arguments):
    """Becomes the environment's python.

    Raises:
        Skipped: its maker was, for the reason that it had.
        RuntimeError: it was not made.
    """
    folder = os.path.abspath(folder)
    if not read(os.path.join(folder, "made-of")):
        reason = read(folder + ".skipped")
        if reason:
            raise Skipped(reason)
        raise RuntimeError(f"{folder} has not been made")
    # Compiled modules go into the environment: what is imported once, and nothing into the source tree.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = os.path.join(folder, "pycache")
    os.execv(python_of(folder), [python_of(folder), *arguments])


def main(verb, folder, *arguments):
    try:
        if verb == "make":
            make(folder, *arguments)
        else:
            run(folder, arguments)
    except Skipped as reason:
        print(f"skipped: {reason}")
        return SKIPPED
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
