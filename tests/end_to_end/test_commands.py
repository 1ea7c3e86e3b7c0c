"""Every command: help, usage errors, JSON, the documentation, bash completion."""

import json
import os
import pty
import shutil
import struct
import subprocess
import termios
import fcntl
import unittest

import commands_page
from harness import DEADLINE, PROVA, SWEEP, Case


class Usage(Case):
    def test_help_is_on_stdout_and_succeeds(self):
        for command in commands_page.commands():
            with self.subTest(command):
                result = self.prova(command, "--help")
                self.assertTrue(result.stdout.startswith(f"Usage: prova {command}"))
                self.assertIn("Examples\n  prova " + command, result.stdout)
                self.assertEqual(result.stderr, "")
                self.assertEqual(self.prova("help", command).stdout, result.stdout)

    def test_no_line_of_help_is_wider_than_a_terminal(self):
        for text in (self.prova("help").stdout, *map(commands_page.help_of, commands_page.commands())):
            for line in text.splitlines():
                self.assertLess(len(line), 80, line)

    def test_the_page_of_commands_says_what_help_says(self):
        self.assertEqual(list(commands_page.blocks()), commands_page.commands())
        for command, block in commands_page.blocks().items():
            with self.subTest(command):
                self.assertEqual(block, commands_page.help_of(command))

    def test_without_arguments_the_commands_are_listed_as_an_error(self):
        result = self.prova(status=2)
        self.assertEqual(result.stdout, "")
        self.assertIn("Usage: prova COMMAND", result.stderr)

    def test_bad_usage_is_2_and_suggests(self):
        for line, text in (
            ("rnu sweep.yaml", "did you mean 'run'"),
            ("help rnu", "did you mean 'run'"),
            ("run sweep.yaml --wrkers 2", "did you mean '--workers'"),
            ("run sweep.yaml --workers 0", "between 1 and 1024"),
            ("run sweep.yaml --set nonsense", "key=value"),
            ("run", "SWEEP is missing"),
            ("search medan", "did you mean 'median'"),
            ("trials --state DONE", "COMPLETED"),
            ("report loss=1", "not inside a trial"),
            ("report loss", "no name=value"),
            ("report loss=high", "no number"),
            ("driver --lease 1 --heartbeat 2", "longer than"),
            ("driver --listen nonsense", "nonsense"),
            ("worker --driver nonsense --wait 1", "nonsense"),
        ):
            with self.subTest(line):
                result = self.prova(*line.split(), status=2)
                self.assertIn(text, result.stderr)
                self.assertEqual(result.stdout, "")

    def test_keygen_is_not_promised(self):
        self.assertNotIn("keygen", self.prova("help").stdout)

    def test_version(self):
        self.assertRegex(self.prova("version").stdout, r"^prova \d+\.\d+\.\d+ ")
        self.assertEqual(self.prova("--version").stdout, self.prova("version").stdout)

    def test_a_result_that_cannot_be_written_is_an_error(self):
        with open("/dev/full", "w") as full:
            process = subprocess.run([PROVA, "help"], stdout=full, stderr=subprocess.PIPE, timeout=DEADLINE)
        self.assertEqual(process.returncode, 1)
        self.assertIn(b"cannot write", process.stderr)


class Documents(Case):
    def setUp(self):
        super().setUp()
        self.prova("run", "sweep.yaml", "--quiet")

    def test_every_json_is_one_document(self):
        for line in ("ls", "show", "show line", "trials", "best", "search", "search random", "version", "check sweep.yaml"):
            with self.subTest(line):
                result = self.prova(*line.split(), "--json")
                self.assertEqual(result.stdout.count("\n"), 1)
                self.assertIsInstance(json.loads(result.stdout), dict)
                self.assertEqual(result.stderr, "")

    def test_without_experiments_ls_says_so(self):
        self.prova("rm", "line", "--force")
        result = self.prova("ls")
        self.assertEqual(result.stdout, "")
        self.assertIn("no experiments yet", result.stderr)

    def test_a_folder_is_no_database(self):
        self.assertIn("it is a folder", self.prova("ls", "--db", ".", status=1).stderr)

    def test_numbers_are_not_longer_than_they_need(self):
        for line in ("trials", "trials --sort best", "best", "show"):
            json.loads(self.prova(*line.split(), "--json").stdout, parse_float=self.assert_shortest)

    def assert_shortest(self, text):
        self.assertEqual(len(text), len(repr(float(text))), text)

    def test_trials_are_chosen_and_sorted(self):
        shown = self.json("trials", "line", "--sort", "best", "--limit", "2")["trials"]
        values = sorted(trial["value"] for trial in self.json("trials", "line")["trials"])
        self.assertEqual([trial["value"] for trial in shown], values[:2])
        self.assertEqual(self.json("trials", "line", "--state", "failed")["trials"], [])

    def test_an_experiment_is_found_by_the_beginning_of_its_id(self):
        (experiment,) = self.json("ls")["experiments"]
        self.assertEqual(self.json("show", experiment["id"][:6])["experiment"]["id"], experiment["id"])

    def test_of_several_of_one_name_the_newest_is_meant(self):
        self.prova("run", "sweep.yaml", "--quiet", "--set", "limits.trials=2")
        self.assertEqual(len(self.json("trials", "line")["trials"]), 2)
        self.assertEqual(len(self.json("trials")["trials"]), 2)

    def test_an_unknown_experiment_is_answered_with_a_suggestion(self):
        self.assertIn("line", self.prova("show", "lime", status=2).stderr)

    def test_export(self):
        rows = self.prova("export", "line").stdout.splitlines()
        self.assertEqual(len(rows), 1 + 6)
        self.assertIn("params.x", rows[0])
        document = json.loads(self.prova("export", "line", "--format", "json", "--reports").stdout)
        self.assertEqual(len(document["trials"]), 6)
        self.prova("export", "line", "--output", "line.csv")
        self.assertEqual((self.dir / "line.csv").read_text().splitlines(), rows)

    def test_logs(self):
        self.assertEqual(self.prova("logs", "line", "1").stdout.count("prova: step="), 3)
        self.assertEqual(self.prova("logs", "1").stdout, self.prova("logs", "line", "1").stdout)
        self.assertEqual(self.prova("logs", "line", "1", "-f").stdout, self.prova("logs", "line", "1").stdout)
        self.assertIn("trial 99", self.prova("logs", "line", "99", status=2).stderr)
        self.assertIn("attempt 2", self.prova("logs", "line", "1", "--attempt", "2", status=2).stderr)

    def test_rm_asks_and_removes(self):
        self.assertIn("--force", self.prova("rm", "line", status=2).stderr)
        self.assertEqual(len(self.json("ls")["experiments"]), 1)
        self.prova("rm", "line", "--force")
        self.assertEqual(self.json("ls")["experiments"], [])

    def test_stop_of_what_does_not_run_is_no_error(self):
        self.assertIn("not running", self.prova("stop", "line").stderr)

    def test_faults_as_json(self):
        self.write("bad.yaml", "parameters:\n  x: {min: 3, max: 1}\n")
        document = self.json("check", "bad.yaml", status=2)
        self.assertFalse(document["valid"])
        self.assertEqual(document["faults"][0]["line"], 2)


def has_terminals() -> bool:
    """False where /dev/pts is not mounted, as in a folder that one has only changed root to."""
    try:
        for fd in pty.openpty():
            os.close(fd)
    except OSError:
        return False
    return True


@unittest.skipUnless(has_terminals(), "this system gives no pseudo-terminals")
class Terminal(Case):
    """What a terminal gets to see."""

    def on_terminal(self, *args: str, columns: int = 80, **env: str) -> str:
        pid, fd = pty.fork()
        if pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
            os.chdir(self.dir)
            os.execve(PROVA, [PROVA, *args], {**os.environ, "TERM": "xterm", "LC_ALL": "C.UTF-8", **env})
        shown = b""
        while True:
            try:
                piece = os.read(fd, 65536)
            except OSError:  # the other end is closed
                break
            shown += piece
        os.close(fd)
        os.waitpid(pid, 0)
        return shown.decode()

    def test_progress_is_drawn_in_place_and_cleared(self):
        shown = self.on_terminal("run", "sweep.yaml")
        self.assertIn("\r", shown)
        self.assertIn("6/6", shown)
        self.assertNotIn("\033[?25l", shown)  # the cursor is never hidden, so it need not be restored
        self.assertIn("\r\033[Kline: completed", shown)

    def test_no_colour_if_it_is_not_wanted(self):
        self.prova("run", "sweep.yaml")
        self.assertIn("\033[32m", self.on_terminal("trials"))
        self.assertNotIn("\033", self.on_terminal("trials", NO_COLOR="1"))
        self.assertNotIn("\033", self.on_terminal("trials", TERM="dumb"))

    def test_tables_are_cut_to_the_width(self):
        long = "".join(f"  p{i}: {{values: [{'v' * 30}]}}\n" for i in range(3))
        self.write("sweep.yaml", SWEEP.replace("parameters:\n", "parameters:\n" + long))
        self.prova("run", "sweep.yaml")
        for line in self.on_terminal("trials", columns=90, NO_COLOR="1").splitlines():
            self.assertLessEqual(len(line), 90)


@unittest.skipUnless(shutil.which("bash"), "bash is not there")
class Completion(Case):
    def complete(self, *words: str) -> list[str]:
        """What is offered for the last of the words."""
        script = (
            'PATH="$BIN_DIR:$PATH"; eval "$(prova completion bash)"; compopt() { :; }\n'
            'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _prova; printf "%s\\n" "${COMPREPLY[@]}"'
        )
        result = subprocess.run(
            ["bash", "-uc", script, "bash", "prova", *words],
            cwd=self.dir,
            env={**os.environ, "BIN_DIR": os.path.dirname(PROVA)},
            capture_output=True,
            text=True,
            timeout=DEADLINE,
        )
        self.assertEqual(result.stderr, "")
        return result.stdout.split()

    def test_the_script_is_bash(self):
        script = self.prova("completion", "bash").stdout
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)

    def test_commands(self):
        self.assertEqual(self.complete(""), commands_page.commands())
        self.assertEqual(self.complete("su"), ["submit"])

    def test_options(self):
        self.assertEqual(self.complete("run", "--w"), ["--workers"])
        self.assertNotIn("--only", self.complete("driver", "--"))

    def test_values(self):
        self.assertEqual(self.complete("driver", "--log-level", "w"), ["warn"])
        self.assertEqual(self.complete("driver", "--log-level", "=", "w"), ["warn"])
        self.assertEqual(self.complete("trials", "--state", "COM"), ["COMPLETED"])
        self.assertIn("median", self.complete("search", "m"))

    def test_sweep_files(self):
        self.write("notes.txt", "")
        self.assertEqual(self.complete("run", ""), ["sweep.yaml"])

    def test_experiments(self):
        self.prova("run", "sweep.yaml", "--quiet", "--db", "other.db")
        self.assertEqual(self.complete("show", ""), [])
        self.assertEqual(self.complete("show", "--db", "other.db", "l"), ["line"])
        self.assertEqual(self.complete("logs", "--db", "other.db", "line", ""), [])


if __name__ == "__main__":
    unittest.main()
