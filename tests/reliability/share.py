"""Start runs of experiments/anchors.py in one workdir, a moment apart, and compare their rows with those of a lone run.

    python tests/reliability/share.py --runs=2 --rounds=5

Runs that meet may both make a row; it must be the same then, to the last bit, and nothing else may be there.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from kill import SCRIPT, TINY, environment, leftovers, rows, run


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args(argv)
    draw, flags, sound = random.Random(chosen.seed), (*TINY, "--model=mlp"), 0
    with tempfile.TemporaryDirectory(prefix="align-share-") as folder:
        if run(flags, Path(folder, "alone")):
            return 1
        expected = {json.dumps(row) for row in rows(Path(folder, "alone"))}
        for place in range(chosen.rounds):
            workdir, started, delays = Path(folder, str(place)), [], []
            for _ in range(chosen.runs):
                command = [sys.executable, SCRIPT, *flags, f"--workdir={workdir}", "--quiet"]
                started.append(subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE, text=True))
                delays.append(draw.uniform(0, 3))
                time.sleep(delays[-1])
            said = [one.communicate()[1] for one in started]
            codes, found, left = [one.returncode for one in started], rows(workdir), leftovers(workdir)
            same = {json.dumps(row) for row in found} == expected
            sound += same and not any(codes) and not left
            print(
                f"{place + 1:<4}{delays[0]:.2f} s apart, exit codes {codes}, {len(found)} rows of {len(expected)}, "
                f"{'the same' if same else 'OTHERS'}{f', left {left}' if left else ''}{''.join(said)}",
                flush=True,
            )
    print(f"{sound} of {chosen.rounds} rounds sound")
    return int(sound < chosen.rounds)


if __name__ == "__main__":
    sys.exit(main())
