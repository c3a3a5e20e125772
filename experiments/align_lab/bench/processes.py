"""How long several processes of `jax.distributed` on this machine take to sum rows and to merge what they have.

Every process has its share of the rows, one block again and again, and sends one record to the others. Measured in each
from the moment that all are there, after a round to compile; the slowest counts.
"""

import os
import socket
import subprocess
import sys
import time

BLOCK, _LONGEST = 100_000, 600.0


def seconds(count: int, rows: int, dimensions: int) -> float:
    """Measure `count` processes that sum so many rows together, and fit an affine map."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", __name__, str(port), str(count), str(rows), str(dimensions)]
    environment = os.environ | {"JAX_PLATFORMS": "cpu", "PYTHONPATH": os.pathsep.join(sys.path)}
    environment |= dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1")  # a process stands for a core
    running = [
        subprocess.Popen([*command, str(i)], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for i in range(count)
    ]
    try:
        told = [one.communicate(timeout=_LONGEST) for one in running]
    finally:
        for one in running:
            one.kill()
    failed = [(one.returncode, errors) for one, (_, errors) in zip(running, told, strict=True) if one.returncode]
    if failed:
        said = "; ".join((errors.strip().splitlines() or [f"it ended with {code}"])[-1] for code, errors in failed)
        raise RuntimeError(f"a process of {count} failed: {said}")
    return max(float(output.split()[-1]) for output, _ in told)


def main(port: int, count: int, rows: int, dimensions: int, process: int) -> None:
    """Be one of the processes, and print the seconds."""
    import jax
    from jax.experimental import multihost_utils

    jax.config.update("jax_num_cpu_devices", 1)
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize(f"localhost:{port}", num_processes=count, process_id=process)
    from align import streaming
    from align_lab.bench import point_sets

    mine = rows // count
    source, target = point_sets.pairs(min(mine, BLOCK), dimensions, rigid=True)

    def fit():
        blocks = ((source, target) for _ in range(mine // len(source)))
        record = streaming.across_processes(streaming.from_blocks(blocks))
        return jax.block_until_ready(streaming.fit(record, "affine").weight)

    fit()
    multihost_utils.sync_global_devices("all are there")
    began = time.perf_counter()
    fit()
    print(time.perf_counter() - began)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
