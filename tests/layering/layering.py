#!/usr/bin/env python3
"""Checks that the source tree keeps to its architecture (docs/architecture.md).

Reads text alone, so it sees code that no build configuration compiles. Prints every fault as
`file:line: what is wrong` and exits 1 if there is one. What it enforces is in the tables below.
"""

import fnmatch
import pathlib
import re
import sys

# A layer -> the layers whose headers it may include and whose libraries it may link.
ARROWS = {
    "core": set(),
    "optimizers": {"core"},
    "contexts": {"optimizers", "core"},
    "driver": {"contexts", "optimizers", "core"},
    "worker": {"core"},
    "sdk": {"worker", "optimizers", "core"},
    "cli": {"core", "optimizers", "contexts", "driver", "worker", "sdk"},
    "examples": {"sdk"},
    "bench": {"core", "optimizers", "contexts", "driver", "worker", "sdk", "cli", "examples"},
    "tests": {"core", "optimizers", "contexts", "driver", "worker", "sdk", "cli", "examples", "bench", "tests"},
}
ANYTHING = {"bench", "tests"}

# A library's headers -> the files that may include them (besides tests and bench), and its names in CMake.
SOCKETS = ["driver/*", "worker/*", "sdk/*", "cli/*"]
LIBRARIES = [
    (r"sqlite3\.h", ["driver/store*"], {"PkgConfig::SQLITE"}),
    (r"msgpack\.h|msgpack/.*", ["core/wire*"], {"PkgConfig::MSGPACK"}),
    (r"libfyaml\.h", ["core/*"], {"PkgConfig::FYAML"}),
    (r"uuid/uuid\.h", ["core/id*"], {"PkgConfig::UUID"}),
    (r"gsl/.*", ["optimizers/*", "contexts/*"], {"PkgConfig::GSL"}),
    (r"cblas\.h|lapacke?\.h", ["optimizers/*", "contexts/*", "examples/*"], {"PkgConfig::OPENBLAS"}),
    (r"czmq\.h|zmq\.h", SOCKETS, {"PkgConfig::CZMQ", "PkgConfig::ZMQ"}),
    (r"mpi\.h", ["worker/mpi/*"], {"MPI::MPI_C"}),
    (r"jansson\.h", ["driver/*", "sdk/*", "cli/*"], {"PkgConfig::JANSSON"}),
    (r"uthash\.h|utlist\.h|utarray\.h", ["*"], set()),
    (r"check\.h", [], {"PkgConfig::CHECK"}),
]

C_LIBRARY = set(
    """assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal stdalign stdarg
    stdatomic stdbool stddef stdint stdio stdlib stdnoreturn string strings tgmath threads time uchar wchar wctype
    dirent dlfcn endian fcntl fnmatch ftw getopt glob grp ifaddrs langinfo libgen link malloc netdb nl_types poll
    pthread pwd regex sched search semaphore spawn syslog termios ucontext unistd utime wait wordexp
    arpa/inet netinet/in netinet/tcp net/if linux/limits sys/epoll sys/eventfd sys/file sys/ioctl sys/mman
    sys/prctl sys/random sys/resource sys/select sys/signalfd sys/socket sys/stat sys/statvfs sys/syscall
    sys/time sys/timerfd sys/types sys/uio sys/un sys/utsname sys/vfs sys/wait linux/futex linux/close_range sys/pidfd sys/inotify execinfo""".split()
)

# Pure code: functions of their arguments alone. What it may not include or call.
PURE = ["core/*", "optimizers/*", "contexts/*"] + [
    f"driver/{name}*" for name in ("engine", "heap", "attempt", "experiment", "gang", "peers", "restore")
]
IMPURE_HEADERS = re.compile(r"(time|sys/time|poll|pthread|fcntl|unistd|dirent|signal|sys/(socket|epoll|stat|mman))\.h")
IMPURE_CALLS = re.compile(
    r"(?<![\w.>])(clock_gettime|gettimeofday|time|clock|nanosleep|usleep|sleep|fopen|open|socket|getenv|rand|srand"
    r"|random|fork|pthread_create)\s*\("
)
IMPURE_EXCEPTIONS = {
    "core/spec*.c": "reads the sweep file",
    "core/log.c": "writes lines for people, whole",
    "core/number.c": "makes one locale for all threads, once",
}

# No library code ends the process or writes to stdout.
CALLS_OF_PROGRAMS = re.compile(r"(?<![\w.>])(exit|abort|printf|puts|putchar)\s*\(")
LIBRARY_LAYERS = {"core", "optimizers", "contexts", "driver", "worker", "sdk"}

MAX_FILE_LINES = 800
# The house style asks for less than 40, one level of abstraction; beyond this nobody may go, except a switch
# over a table.
MAX_FUNCTION_LINES = 60

INCLUDE = re.compile(r'\s*#\s*include\s*([<"])([^>"]+)[>"]')
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")


def matches(path, patterns):
    return any(fnmatch.fnmatch(path, pattern) for pattern in patterns)


def blank(text):
    """The same text with the insides of comments and strings made blank; lines stay where they are."""

    def erase(match):
        found = match.group(0)
        if found.startswith(("//", "/*")):
            return re.sub(r"[^\n]", " ", found)
        return found[0] + re.sub(r"[^\n]", " ", found[1:-1]) + found[-1]

    return re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', erase, text, flags=re.S)


class Checker:
    def __init__(self, top):
        self.top = pathlib.Path(top)
        self.faults = []

    def fault(self, path, line, text):
        self.faults.append(f"{path}:{line}: {text}")

    def run(self):
        for layer in ARROWS:
            for file in sorted((self.top / layer).rglob("*")):
                path = file.relative_to(self.top).as_posix()
                if file.suffix in (".c", ".h"):
                    self.check_source(path, file.read_text(encoding="utf-8"))
                elif file.name == "CMakeLists.txt":
                    self.check_links(path, file.read_text(encoding="utf-8"))
        return self.faults

    def check_source(self, path, text):
        layer = path.split("/")[0]
        lines = text.split("\n")
        code = blank(text).split("\n")
        includes = [(n, *m.groups()) for n, m in ((n, INCLUDE.match(line)) for n, line in enumerate(lines, 1)) if m]
        for line, kind, name in includes:
            if kind == "<":
                self.check_library_header(path, layer, line, name)
            else:
                self.check_project_header(path, layer, line, name)
        self.check_include_order(path, includes)
        self.check_calls(path, layer, code)
        self.check_lengths(path, code)
        for n, line in enumerate(lines, 1):
            if UNFINISHED.search(line):
                self.fault(path, n, "marks something unfinished: finish it, or open an issue")

    def check_project_header(self, path, layer, line, name):
        if name == "version.h" or (name == "prova.h" and layer in ANYTHING | {"examples"}):
            return
        target = name.split("/")[0]
        if "/" not in name or target not in ARROWS:
            if not (layer in ANYTHING | {"examples"} and (self.top / path).parent.joinpath(name).exists()):
                self.fault(path, line, f'"{name}": a project header is included as "layer/name.h"')
        elif target != layer and target not in ARROWS[layer]:
            allowed = ", ".join(sorted(ARROWS[layer])) or "nothing"
            self.fault(path, line, f'"{name}": {layer} may include {allowed}, not {target}')

    def check_library_header(self, path, layer, line, name):
        pure = matches(path, PURE) and not matches(path, IMPURE_EXCEPTIONS)
        if pure and IMPURE_HEADERS.fullmatch(name):
            self.fault(path, line, f"<{name}>: no clock, files, threads or sockets here")
        if name.removesuffix(".h") in C_LIBRARY or (name == "prova.h" and layer in ANYTHING | {"examples"}):
            return
        for pattern, allowed, _ in LIBRARIES:
            if re.fullmatch(pattern, name):
                if layer not in ANYTHING and not matches(path, allowed):
                    self.fault(path, line, f"<{name}>: only in {', '.join(allowed) or 'tests'}")
                return
        self.fault(path, line, f"<{name}>: a library that prova does not use (LIBRARIES in tests/layering)")

    def check_include_order(self, path, includes):
        includes = [i for i in includes if not i[2].endswith((".def", ".c"))]
        own = path[:-2] + ".h"
        if path.endswith(".c") and path.split("/")[0] not in ANYTHING and (self.top / own).exists():
            # An example is a folder of its own and may name its headers without it.
            names = {own, own.split("/")[-1]} if path.startswith("examples/") else {own}
            if not includes or includes[0][2] not in names:
                self.fault(path, includes[0][0] if includes else 1, f'"{own}" must be included first')
        if includes and includes[0][1] == '"':
            includes = includes[1:]  # the header that it implements or tests
        project = None
        for line, kind, name in includes:
            if kind == '"':
                project = name
            elif project:
                self.fault(path, line, f'<{name}> must stand before "{project}"')

    def check_calls(self, path, layer, code):
        pure = matches(path, PURE) and not matches(path, IMPURE_EXCEPTIONS)
        for n, line in enumerate(code, 1):
            if pure and (found := IMPURE_CALLS.search(line)):
                self.fault(path, n, f"{found.group(1)}(): no clock, files, threads or sockets here")
            if layer in LIBRARY_LAYERS and (found := CALLS_OF_PROGRAMS.search(line)):
                self.fault(path, n, f"{found.group(1)}(): only programs end the process or write to stdout")

    def check_lengths(self, path, code):
        n_lines = len(code) - (code[-1] == "")
        if n_lines > MAX_FILE_LINES:
            self.fault(path, MAX_FILE_LINES + 1, f"{n_lines} lines: split it by responsibility")
        if path.endswith(".h"):
            return
        start = None
        for n, line in enumerate(code, 1):
            if line.startswith("{"):
                start = n
            elif line.startswith("}") and start:
                body = code[start - 1 : n]
                if len(body) > MAX_FUNCTION_LINES and not any(re.search(r"\bswitch\s*\(", one) for one in body):
                    self.fault(path, start, f"a function of {len(body)} lines: at most {MAX_FUNCTION_LINES}")
                start = None

    def check_links(self, path, text):
        layer = path.split("/")[0]
        if layer in ANYTHING:
            return
        for n, line in enumerate(text.split("\n"), 1):
            line = line.split("#")[0]
            for target in re.findall(r"\bprova_([a-z]+)\b", line):
                if target in ARROWS and target != layer and target not in ARROWS[layer]:
                    self.fault(path, n, f"prova_{target}: {layer} may not link {target}")
            for target in re.findall(r"PkgConfig::[A-Z0-9]+", line):
                self.check_library_link(path, layer, n, target)

    def check_library_link(self, path, layer, line, target):
        for _, allowed, names in LIBRARIES:
            if target in names:
                if not any(pattern.split("/")[0] in (layer, "*") for pattern in allowed):
                    self.fault(path, line, f"{target}: {layer} may not link it")
                return
        self.fault(path, line, f"{target}: a library that prova does not use (LIBRARIES in tests/layering)")


def main():
    faults = Checker(sys.argv[1] if len(sys.argv) > 1 else ".").run()
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
