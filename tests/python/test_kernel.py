"""lagom in a real Jupyter kernel: its display, an interrupt, a kernel that is killed, and what is found afterwards."""

import os
import re
import time
import unittest

from jupyter_client.manager import start_new_kernel

from support import InFolder

CALL = """
import os, time
import prova

def train(x):
    print("hello from", x)
    for step in range(10):
        prova.report(step, x + 1 / (step + 1))
        time.sleep(0.02)
    return x

def run(**options):
    return prova.lagom(train, name="n", parameters={"x": prova.double(0, 1)}, metric="loss", workers=2, seed=1, **options)
"""


class Kernel(InFolder):
    def setUp(self):
        super().setUp()
        os.environ["PROVA_TEST_MARK"] = self.folder  # its children have it
        self.manager, self.client = start_new_kernel(kernel_name="python3")
        self.execute(CALL)

    def tearDown(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
        del os.environ["PROVA_TEST_MARK"]
        super().tearDown()

    def execute(self, code, on_output=None):
        """Runs a cell; its outputs, each a type and its content."""
        cell = self.client.execute(code)
        outputs = []
        while True:
            message = self.client.get_iopub_msg(timeout=120)
            if message["parent_header"].get("msg_id") != cell:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "status" and content["execution_state"] == "idle":
                return outputs
            outputs.append((kind, content))
            if on_output:
                on_output(kind, content)

    def value(self, expression):
        """The value of an expression in the kernel, as text."""
        outputs = self.execute(expression)
        errors = [content["evalue"] for kind, content in outputs if kind == "error"]
        self.assertEqual(errors, [])
        return next(content["data"]["text/plain"] for kind, content in outputs if kind == "execute_result")

    def processes(self):
        """Those that the kernel has begun, and theirs."""
        mark, found = f"PROVA_TEST_MARK={self.folder}".encode(), []
        for name in os.listdir("/proc"):
            try:
                with open(f"/proc/{name}/environ", "rb") as file:
                    is_ours = mark in file.read().split(b"\0")
                with open(f"/proc/{name}/cmdline", "rb") as file:
                    command = file.read()
            except OSError:  # no process, or none any more
                continue
            if is_ours and b"ipykernel" not in command:
                found.append(command.replace(b"\0", b" ").decode())
        return found

    def when_some_have_ended(self, action):
        """What `execute` is to call so that `action` is taken once, as soon as some trials have ended."""
        done = []

        def look(kind, content):
            ended = re.search(r"(\d+)/\d+ trials", str(content.get("data", {}).get("text/html", "")))
            if ended and int(ended.group(1)) >= 3 and not done:
                done.append(kind)
                action()

        return look

    def test_one_display_is_updated_in_place(self):
        outputs = self.execute("result = run(trials=6)")
        self.assertEqual([content for kind, content in outputs if kind in ("error", "stream")], [])
        (first,) = [content for kind, content in outputs if kind == "display_data"]
        updates = [content for kind, content in outputs if kind == "update_display_data"]
        self.assertEqual({update["transient"]["display_id"] for update in updates}, {first["transient"]["display_id"]})
        shown = [content["data"]["text/html"] for content in (first, *updates)]
        ended = [int(n) for text in shown for n in re.findall(r"(\d+)/6 trials", text)]
        self.assertEqual(ended, sorted(ended))
        self.assertTrue(any("running" in text for text in shown))
        best = self.value("print_best = f'{result.best_value:.6g}'; print_best").strip("'")
        self.assertIn(f"<b>{best}</b>", shown[-1])
        self.assertEqual(shown[-1].count("<tr"), 1 + 5)

    def test_what_trials_print_is_shown_on_request(self):
        outputs = self.execute("result = run(trials=3, logs=True)")
        printed = "".join(content["text"] for kind, content in outputs if kind == "stream" and content["name"] == "stdout")
        values = self.value("[t.params['x'] for t in result.trials]")
        self.assertEqual(sorted(printed.splitlines()),
                         [f"[{i + 1}] hello from {x}" for i, x in enumerate(values.strip("[]").split(", "))])

    def test_an_interrupt_keeps_what_was_done_and_a_new_kernel_goes_on(self):
        outputs = self.execute("run(trials=1000)", self.when_some_have_ended(self.manager.interrupt_kernel))
        (error,) = [content for kind, content in outputs if kind == "error"]
        self.assertEqual(error["ename"], "Interrupted")
        self.assertIn("resume=True", error["evalue"])
        self.assertEqual(self.processes(), [])
        ended = "e.counts['COMPLETED']"
        self.execute("e = prova.connect().experiment('n')")
        self.assertEqual(self.value("e.state"), "'interrupted'")
        kept = int(self.value(ended))
        self.assertGreaterEqual(kept, 3)

        self.manager.restart_kernel(now=True)
        self.client.wait_for_ready(timeout=60)
        self.execute(CALL)
        self.execute("e = prova.connect().experiment('n')")
        self.assertEqual((self.value("e.state"), int(self.value(ended))), ("'interrupted'", kept))
        outputs = self.execute("run(trials=1000, resume=True, settings={'limits.trials': 1000})",
                               self.when_some_have_ended(self.manager.interrupt_kernel))
        self.assertEqual([content["ename"] for kind, content in outputs if kind == "error"], ["Interrupted"])
        self.assertGreaterEqual(int(self.value(ended)), kept)
        self.assertEqual(self.value("len(prova.connect().experiments())"), "1")

    def test_a_kernel_that_is_killed_leaves_no_process_and_loses_nothing(self):
        cell = self.client.execute("run(trials=1000)")
        seen = []
        look = self.when_some_have_ended(lambda: seen.append(True))
        while not seen:
            message = self.client.get_iopub_msg(timeout=120)
            if message["parent_header"].get("msg_id") == cell:
                look(message["msg_type"], message["content"])
        self.manager.restart_kernel(now=True)
        self.client.wait_for_ready(timeout=60)
        deadline = time.monotonic() + 60
        while self.processes() and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertEqual(self.processes(), [])
        self.execute("import prova; e = prova.connect().experiment('n')")
        self.assertGreaterEqual(int(self.value("e.counts['COMPLETED']")), 3)
        self.assertIn(self.value("e.state"), ("'unfinished'", "'interrupted'"))  # by whether its driver was in time


if __name__ == "__main__":
    unittest.main()
