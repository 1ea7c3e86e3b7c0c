"""Shows that layering.py refuses what it is there to refuse, at the right line, and accepts what is right."""

import pathlib
import tempfile
import unittest

from layering import MAX_FILE_LINES, MAX_FUNCTION_LINES, Checker

LONG = "int f(void)\n{\n" + "    g();\n" * MAX_FUNCTION_LINES + "}\n"

# name: ({file: text}, [beginning of each expected fault])
CASES = {
    "an_arrow_that_exists_is_accepted": ({"driver/a.c": '#include "core/id.h"\n'}, []),
    "an_arrow_that_does_not_exist_is_refused": (
        {"worker/a.c": '\n#include "driver/engine.h"\n'},
        ["worker/a.c:2: "],
    ),
    "driver_and_worker_never_meet": (
        {"driver/a.c": '#include "worker/worker.h"\n', "worker/a.h": '#include "driver/server.h"\n'},
        ["driver/a.c:1: ", "worker/a.h:1: "],
    ),
    "a_link_against_the_arrows_is_refused": (
        {"core/CMakeLists.txt": "prova_layer(core)\ntarget_link_libraries(prova_core PUBLIC prova_driver)\n"},
        ["core/CMakeLists.txt:2: prova_driver"],
    ),
    "a_library_linked_from_the_wrong_layer_is_refused": (
        {"worker/CMakeLists.txt": "target_link_libraries(prova_worker PUBLIC PkgConfig::SQLITE)\n"},
        ["worker/CMakeLists.txt:1: PkgConfig::SQLITE"],
    ),
    "sqlite_belongs_to_the_store": (
        {"driver/store_write.c": "#include <sqlite3.h>\n", "driver/server.c": "#include <sqlite3.h>\n"},
        ["driver/server.c:1: <sqlite3.h>"],
    ),
    "tests_may_include_any_known_library": ({"tests/x/a.c": "#include <sqlite3.h>\n#include <check.h>\n"}, []),
    "an_unknown_library_is_refused": ({"cli/a.c": "#include <curl/curl.h>\n"}, ["cli/a.c:1: <curl/curl.h>"]),
    "own_header_comes_first": (
        {"core/a.h": "", "core/a.c": '#include <stdio.h>\n#include "core/a.h"\n'},
        ["core/a.c:1: "],
    ),
    "an_example_may_name_its_own_header_alone": (
        {"examples/x/a.h": "", "examples/x/a.c": '#include "a.h"\n\n#include <stdio.h>\n'},
        [],
    ),
    "a_header_that_is_implemented_comes_first": (
        {"sdk/trial.c": '#include "sdk/prova.h"\n\n#include <stdio.h>\n'},
        [],
    ),
    "libraries_come_before_the_project": (
        {"core/a.h": "", "core/a.c": '#include "core/a.h"\n\n#include "core/b.h"\n#include <stdio.h>\n'},
        ["core/a.c:4: <stdio.h>"],
    ),
    "lists_may_be_included_anywhere": (
        {"core/a.h": "#include <stddef.h>\n", "core/b.c": '#include "core/a.def"\n#include <stdio.h>\n'},
        [],
    ),
    "a_header_is_named_with_its_layer": ({"core/a.c": '#include "b.h"\n'}, ['core/a.c:1: "b.h"']),
    "the_engine_reads_no_clock": (
        {"driver/engine_x.c": "#include <time.h>\nint64_t f(void)\n{\n    return time(NULL);\n}\n"},
        ["driver/engine_x.c:1: <time.h>", "driver/engine_x.c:4: time()"],
    ),
    "comments_and_strings_are_not_code": ({"core/a.c": 'const char *a = "exit(1)"; /* abort() */\n'}, []),
    "a_library_does_not_exit": ({"worker/a.c": "void f(void)\n{\n    exit(1);\n}\n"}, ["worker/a.c:3: exit()"]),
    "a_forked_child_may_leave": ({"worker/a.c": "void f(void)\n{\n    _exit(1);\n}\n"}, []),
    "a_program_may_print": ({"cli/a.c": 'void f(void)\n{\n    printf("x");\n}\n'}, []),
    "a_long_file_is_refused": ({"cli/a.c": "\n" * (MAX_FILE_LINES + 1)}, [f"cli/a.c:{MAX_FILE_LINES + 1}: "]),
    "a_file_at_the_limit_is_accepted": ({"cli/a.c": "\n" * MAX_FILE_LINES}, []),
    "a_long_function_is_refused": ({"cli/a.c": LONG}, ["cli/a.c:2: a function of"]),
    "a_long_switch_is_accepted": ({"cli/a.c": LONG.replace("g();", "switch (x) {", 1)}, []),
    "unfinished_work_is_refused": ({"cli/a.c": "/* TO" "DO: later */\n"}, ["cli/a.c:1: marks"]),
}


class Layering(unittest.TestCase):
    pass


def make_test(files, expected):
    def test(self):
        with tempfile.TemporaryDirectory() as top:
            for name, text in files.items():
                file = pathlib.Path(top, name)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8")
            faults = Checker(top).run()
        self.assertEqual(len(faults), len(expected), faults)
        for fault, beginning in zip(sorted(faults), sorted(expected)):
            self.assertTrue(fault.startswith(beginning), f"{fault!r} should begin with {beginning!r}")

    return test


for case, (case_files, case_expected) in CASES.items():
    setattr(Layering, "test_" + case, make_test(case_files, case_expected))

if __name__ == "__main__":
    unittest.main()
