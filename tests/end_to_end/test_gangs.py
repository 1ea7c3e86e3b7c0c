"""Trials on several workers: found by each other, repeated whole, ended together."""

import json
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import sys
import unittest

from harness import PROVA, Case


# Each rank adds its number over a connection to rank 0, which listens at the port that its worker holds.
SUM = """\
import os, socket, sys, time
rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
place = (os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]))
if rank == 0:
    server = socket.create_server(("", place[1]))
    total = 0
    for _ in range(world - 1):
        total += int(server.accept()[0].makefile().readline())
    print(f"prova: step=1 loss={total}")
else:
    while True:
        try:
            link = socket.create_connection(place)
            break
        except ConnectionRefusedError:
            time.sleep(0.01)
    link.sendall(f"{rank}\\n".encode())
    print(f"prova: step=1 loss={rank} side={rank * 10}")
"""

GANG = """\
name: gang
train: {{command: [{python}, ./sum.py], grace_s: 2}}
metric: {{name: loss}}
parameters: {{x: {{min: 0.0, max: 1.0}}}}
limits: {{trials: 3}}
seed: 1
"""


class Gangs(Case):
    def gang(self, lines: str, program: str = SUM) -> None:
        self.write("sum.py", program)
        self.write("sweep.yaml", GANG.format(python=sys.executable) + lines)

    def rows(self, query: str) -> list:
        with sqlite3.connect(self.dir / "prova.db") as database:
            return database.execute(query).fetchall()

    def test_the_ranks_of_a_gang_find_each_other(self):
        self.gang("workers_per_trial: 4\nworkers: 8\n")
        result = json.loads(self.prova("run", "sweep.yaml", "--json").stdout)
        self.assertEqual(result["counts"]["COMPLETED"], 3)
        self.assertEqual(result["best"]["value"], 1 + 2 + 3)
        self.assertEqual(
            {name for (name,) in self.rows("SELECT name FROM metrics")},
            {"loss"} | {f"rank{k}/{name}" for k in (1, 2, 3) for name in ("loss", "side")},
        )

    def test_a_run_with_too_few_workers_says_so_before_it_starts(self):
        self.gang("workers_per_trial: 4\n")
        text = self.prova("run", "sweep.yaml", "--workers", "3", status=2).stderr
        self.assertIn("a trial needs 4 workers at once", text)

    def test_context_distributed_is_one_trial_with_these_values(self):
        self.gang("context: distributed\ndistributed: {workers: 3, parameters: {x: 0.5}}\n")
        result = json.loads(self.prova("run", "sweep.yaml", "--json").stdout)
        self.assertEqual((result["counts"]["COMPLETED"], result["best"]["params"]), (1, {"x": 0.5}))

    def test_a_gang_that_loses_a_rank_is_repeated_with_another_number(self):
        program = (
            "import os, signal, time\n"
            "attempt, rank = os.environ['PROVA_ATTEMPT'], os.environ['RANK']\n"
            "def all_were_here(): return all(os.path.exists(f'seen-{attempt}-{k}') for k in range(3))\n"
            "open(f'begun-{attempt}-{rank}', 'w').write(os.environ['PROVA_GANG'])\n"
            "os.rename(f'begun-{attempt}-{rank}', f'seen-{attempt}-{rank}')\n"
            "while not all_were_here(): time.sleep(0.01)\n"
            "if attempt == '1':\n"
            "    if rank == '2': os.kill(os.getpid(), signal.SIGKILL)\n"
            "    signal.pause()\n"
            "print('prova: step=1 loss=0.5')\n"
        )
        self.gang("context: distributed\ndistributed: {workers: 3}\nretries: 1\n", program)
        self.prova("run", "sweep.yaml")
        gangs = [{(self.dir / f"seen-{a}-{k}").read_text() for k in range(3)} for a in (1, 2)]
        self.assertEqual([len(gang) for gang in gangs], [1, 1])
        self.assertGreater(int(min(gangs[1])), int(min(gangs[0])))
        lost = [text for kind, text in self.rows("SELECT kind, text FROM events") if kind == "attempt lost"]
        self.assertEqual(len(lost), 1)
        self.assertRegex(lost[0], "^rank 2 on .*: killed by signal 9")
        self.assertIn("rank 2 on", self.prova("show", "gang").stdout)

    def test_who_does_not_end_is_ended_with_rank_0(self):
        program = (
            "import os, signal\n"
            "if os.environ['PROVA_RANK'] != '0': signal.pause()\n"
            "print('prova: step=1 loss=0.5')\n"
        )
        self.gang("workers_per_trial: 2\n", program)
        self.assertIn("3 trials", self.prova("run", "sweep.yaml").stderr)

    def test_only_rank_0_needs_a_value(self):
        # Rank 0 goes on until the other has ended and was waited for, silently or with a value that is none.
        program = (
            "import os, sys, time\n"
            "name = f\"rank-{os.environ['PROVA_TRIAL']}-1\"\n"
            "if os.environ['RANK'] == '1':\n"
            "    with open(name + '.new', 'w') as file: file.write(str(os.getpid()))\n"
            "    os.rename(name + '.new', name)\n"
            "    if os.environ['PROVA_TRIAL'] == '2': print('prova: step=1 loss=nan')\n"
            "    sys.exit(0)\n"
            "while not os.path.exists(name): time.sleep(0.01)\n"
            "with open(name) as file: other = int(file.read())\n"
            "while os.path.exists(f'/proc/{other}'): time.sleep(0.01)\n"
            "print('prova: step=1 loss=0.5')\n"
        )
        self.gang("workers_per_trial: 2\nretries: 0\n", program)
        result = self.json("run", "sweep.yaml")
        self.assertEqual(result["counts"]["COMPLETED"], 3)

    def test_tf_config_names_chief_workers_and_servers(self):
        program = (
            "import json, os\n"
            "config = json.loads(os.environ['TF_CONFIG'])\n"
            "rank = os.environ['PROVA_RANK']\n"
            "with open('begun-' + rank, 'w') as file: json.dump(config, file)\n"
            "os.rename('begun-' + rank, 'config-' + rank)\n"
            "print('prova: step=1 loss=0.5')\n"
        )
        self.gang(
            "context: distributed\ndistributed: {workers: 5, runtime: tensorflow, parameter_servers: 2}\n", program
        )
        self.prova("run", "sweep.yaml")
        paths = sorted(self.dir.glob("config-*"))
        configs = [json.loads(path.read_text()) for path in paths]
        self.assertTrue(all(config["cluster"] == configs[0]["cluster"] for config in configs))
        sizes = {name: len(addresses) for name, addresses in configs[0]["cluster"].items()}
        self.assertEqual(sizes, {"chief": 1, "worker": 2, "ps": 2})
        tasks = {path.name: (c["task"]["type"], c["task"]["index"]) for path, c in zip(paths, configs)}
        expected = [("chief", 0), ("worker", 0), ("worker", 1), ("ps", 0), ("ps", 1)]
        for rank, task in enumerate(expected):
            # Who had not written its own when rank 0 ended was ended with it.
            self.assertEqual(tasks.get(f"config-{rank}", task), task)
        self.assertIn("config-0", tasks)


DIGITS = pathlib.Path(__file__).resolve().parents[2] / "examples" / "digits"
BUILD = pathlib.Path(PROVA).resolve().parent
HAS_MPI = shutil.which("mpirun") and (BUILD / "libprova_mpi.so").exists()


@unittest.skipUnless(HAS_MPI, "prova was built without MPI, or there is no mpirun (Debian: libopenmpi-dev, openmpi-bin)")
class Mpi(Case):
    """The digits network over MPI: the same libdigits.so that every other context runs."""

    def digits(self, *settings: str) -> dict:
        library = f"train.directory={BUILD / 'examples' / 'digits'}"
        words = [word for setting in (library, *settings) for word in ("--set", setting)]
        return self.json("run", str(DIGITS / "distributed.yaml"), *words)

    def losses(self) -> list:
        with sqlite3.connect(self.dir / "prova.db") as database:
            query = "SELECT step, value FROM reports JOIN metrics USING (experiment, metric) WHERE name = 'val_loss' "
            newest = "AND experiment = (SELECT max(experiment) FROM reports) ORDER BY step"
            return [value for _, value in database.execute(query + newest)]

    def test_ranks_that_share_every_batch_learn_what_one_learns(self):
        curves = {}
        for world in (1, 2, 4):
            result = self.digits(f"distributed.workers={world}", f"workers={world}", "parameters.epochs.value=8")
            self.assertEqual(result["counts"]["COMPLETED"], 1)
            curves[world] = self.losses()
            self.assertEqual(len(curves[world]), 8)
        self.assertLess(curves[1][-1], 0.2)  # it does learn
        for world in (2, 4):
            for alone, together in zip(curves[1], curves[world]):
                self.assertAlmostEqual(alone, together, delta=1e-4)

    def test_a_search_whose_every_trial_is_a_gang_and_some_are_stopped_early(self):
        result = self.digits(
            "context=optimization",
            "distributed={runtime: mpi}",
            "workers_per_trial=2",
            "workers=4",
            "limits.trials=6",
            "stopping={name: threshold, value: 0.999}",
            "parameters.epochs.value=6",
        )
        counts = result["counts"]
        self.assertEqual(counts["COMPLETED"] + counts["STOPPED"], 6)
        self.assertGreater(counts["STOPPED"], 0)

    def test_a_fleet_runs_other_trials_too(self):
        driver = self.popen("driver", "--listen", "ipc://driver")
        environment = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
        fleet = subprocess.Popen(
            ["mpirun", "-n", "2", "--oversubscribe", "--bind-to", "none", PROVA, "worker", "--driver", "ipc://driver"],
            cwd=self.dir,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.addCleanup(fleet.wait)
        self.addCleanup(fleet.terminate)
        result = self.json("submit", "sweep.yaml", "--driver", "ipc://driver")
        self.assertEqual(result["counts"]["COMPLETED"], 6)
        driver.send_signal(signal.SIGTERM)


if __name__ == "__main__":
    unittest.main()
