"""Population based training of a command whose state lives in its directory."""

import pathlib
import unittest

from harness import Case

# The state is one number, written whole by a rename: how far training has come, at a rate that is best at x = 0.5.
TRAIN = """#!/bin/sh
cd "$PROVA_TRIAL_DIR"
read -r epoch state < checkpoint 2> /dev/null || { epoch=0; state=0; }
echo "$PROVA_TRIAL $PROVA_ATTEMPT begins at $epoch, told $PROVA_DONE of $PROVA_BUDGET" >> history
while [ "$epoch" -lt "$PROVA_BUDGET" ]; do
    state=$(awk -v s="$state" -v x="$1" 'BEGIN { d = x - 0.5; print s + 1 - (d < 0 ? -d : d) }')
    epoch=$((epoch + 1))
    echo "$epoch $state" > checkpoint.new && mv checkpoint.new checkpoint
    echo "prova: step=$((epoch - 1)) score=$state"
done
"""

SWEEP = """
name: population
train: {command: [./train.sh, "${x}"]}
metric: {name: score, goal: maximize}
parameters: {x: {type: double, min: 0.0, max: 1.0}}
search: random
schedule: {name: pbt, population: 6, quantile: 0.34, interval: 2, max_budget: 8}
limits: {trials: 40}
seed: 3
"""


class Pbt(Case):
    def setUp(self) -> None:
        super().setUp()
        self.write("train.sh", TRAIN).chmod(0o755)
        self.write("sweep.yaml", SWEEP)

    def directory(self, trial: int) -> pathlib.Path:
        (found,) = self.dir.glob(f"prova_trials/population-*/{trial}")
        return found

    def check(self, completed: range = range(6, 7)) -> list[dict]:
        trials = self.json("trials", "population")["trials"]
        forked = [trial for trial in trials if trial["origin"]]
        self.assertTrue(forked)
        self.assertIn(len([trial for trial in trials if trial["state"] == "COMPLETED"]), completed)
        for trial in trials:
            self.assertIn(trial["state"], ("COMPLETED", "STOPPED"))
            if trial["state"] == "COMPLETED":
                self.assertEqual(trial["step"], 7)
        for trial in forked:
            begin = (self.directory(trial["trial"]) / "history").read_text().splitlines()
            own = [line for line in begin if line.startswith(f"{trial['trial']} ")]
            # It went on from a checkpoint that is not older than what its origin was chosen for.
            self.assertGreaterEqual(int(own[0].split()[4].rstrip(",")), trial["origin_units"])
            self.assertIn(f"told {trial['origin_units']} of {trial['origin_units'] + 2}", own[0])
            self.assertTrue(any(line.startswith(f"{trial['origin']} ") for line in begin))
            self.assertNotEqual(trial["params"], trials[trial["origin"] - 1]["params"])
        return trials

    def test_the_worst_go_on_from_copies_of_the_best(self):
        self.prova("run", "sweep.yaml", "--workers", "1")
        trials = self.check()
        # No single member could do so well: a lineage has the best of several rates.
        roots = sorted(1 - abs(trial["params"]["x"] - 0.5) for trial in trials[:6])
        self.assertGreater(self.json("best", "population")["best"]["value"], 8 * roots[2])
        shown = self.prova("trials", "population").stdout
        self.assertRegex(shown, r"FROM")
        self.assertRegex(shown, r"\d+@2")

    def test_several_workers_share_a_population(self):
        self.prova("run", "sweep.yaml", "--workers", "3")
        # Who is replaced when all others have completed has nobody left to copy.
        self.check(range(4, 7))

    def test_every_rank_of_a_gang_begins_with_the_copy(self):
        # Rank 0 trains only when rank 1 has looked at what there is.
        begun = '"begun-$PROVA_TRIAL-$PROVA_ATTEMPT"'
        self.write("train.sh", TRAIN.replace('echo "$PROVA_TRIAL', f"""\
if [ "$PROVA_RANK" = 1 ]; then echo "$epoch $PROVA_DONE" > new && mv new {begun}; exit; fi
while [ ! -e {begun} ]; do sleep 0.01; done
echo "$PROVA_TRIAL"""))
        self.prova("run", "sweep.yaml", "--set", "workers_per_trial=2", "--workers", "2")
        for trial in self.check():
            epoch, done = (self.directory(trial["trial"]) / f"begun-{trial['trial']}-1").read_text().split()
            self.assertEqual(int(done), trial["origin_units"] or 0)
            self.assertGreaterEqual(int(epoch), int(done))

    def test_it_goes_on_after_kills(self):
        gate = TRAIN.replace("cd ", 'if [ -p started ]; then echo "$PPID $PROVA_TRIAL $PROVA_ATTEMPT" > started; fi\n'
                             "if [ -p gate ]; then cat gate > /dev/null; fi\ncd ")
        self.write("train.sh", gate)
        self.make_gate()
        command = ("run", "sweep.yaml", "--workers", "2")
        for _ in range(4):
            process = self.popen(*command)
            for _ in range(5):
                self.await_started()
                self.let_one_through()
            self.await_started()
            self.kill(process)
            command = ("resume", "population")
        self.open_gate()
        self.prova("resume", "population")
        trials = self.json("trials", "population")["trials"]
        self.assertIn(len([trial for trial in trials if trial["state"] == "COMPLETED"]), range(4, 7))
        for trial in trials:
            if trial["origin"]:
                self.assertLess(trial["origin"], trial["trial"])

    def test_without_a_checkpoint_a_copy_starts_anew_and_says_so(self):
        self.write("train.sh", TRAIN.replace("done\n", 'done\nrm -r "$PROVA_TRIAL_DIR"\n'))
        self.prova("run", "sweep.yaml")
        trials = self.json("trials", "population")["trials"]
        forked = [trial for trial in trials if trial["origin"]]
        self.assertTrue(forked)
        for trial in trials:
            self.assertIn(trial["state"], ("COMPLETED", "STOPPED"), trial["text"])

    def test_the_log_says_that_a_copy_starts_anew(self):
        self.write("train.sh", '#!/bin/sh\n[ "$PROVA_TRIAL" -gt 6 ] || rm -r "$PROVA_TRIAL_DIR"\n'
                   'echo "done $PROVA_DONE"\nfor step in $(seq 0 $((PROVA_BUDGET - 1))); do\n'
                   '    echo "prova: step=$step score=$1"\ndone\n')
        self.prova("run", "sweep.yaml", "--set", "limits.trials=7")
        (forked,) = [trial for trial in self.json("trials", "population")["trials"] if trial["origin"]]
        log = next(self.directory(forked["trial"]).glob("output-1.log")).read_text()
        self.assertIn(f"this trial should go on from trial {forked['origin']}, but starts anew: cannot read", log)
        self.assertIn("done 0\n", log)


if __name__ == "__main__":
    unittest.main()
