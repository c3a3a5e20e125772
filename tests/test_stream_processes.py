"""Processes that stream their own rows: one record, whoever has none; and a word where records do not fit."""

import os
import socket
import subprocess
import sys
import textwrap

import numpy as np

from align import streaming

WORKER = """
    import re, sys
    import jax, numpy as np
    port, process, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    jax.config.update("jax_num_cpu_devices", 1)
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize(f"localhost:{port}", num_processes=2, process_id=process)
    from align import streaming
    x, y = np.load(folder + "/x.npy", mmap_mode="r"), np.load(folder + "/y.npy", mmap_mode="r")
    # Each process reads its own rows only; first with shards of unequal length, merged, then as one sharded array.
    mine = slice(0, 1000) if process == 0 else slice(1000, None)
    merged = streaming.across_processes(streaming.from_arrays(x[mine], y[mine]))
    alone = streaming.across_processes(streaming.from_arrays(x, y) if process == 0 else None)
    record = streaming.from_arrays(x[:, : 2 + process], y)
    for other, words in ((record, "2 and .*; 3 and "), (None, "no rows at all")):
        try:
            streaming.across_processes(other)
        except ValueError as error:
            assert re.search(words, str(error)), error
        else:
            raise AssertionError(words)
    mesh = jax.make_mesh((2,), ("rows",))
    sharding = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("rows"))
    half = np.split(np.arange(len(x)), 2)[process]
    whole = [jax.make_array_from_process_local_data(sharding, np.asarray(a[half])) for a in (x, y)]
    sharded = streaming.from_sharded(*whole, mesh)
    np.savez(f"{folder}/{process}.npz", *merged, *sharded, *alone)
"""


def test_two_processes_equal_one(tmp_path):
    random = np.random.default_rng(0)
    x = (random.normal(size=(3000, 5)) * np.geomspace(1, 1e-4, 5) + 1).astype(np.float32)
    y = (x @ random.normal(size=(5, 6)) - 2).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", y)
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = str(free.getsockname()[1])
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(WORKER), port, str(process), str(tmp_path)],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        for process in (0, 1)
    ]
    errors = [worker.communicate()[1] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], "\n".join(errors)
    one = streaming.from_arrays(x, y)
    for process in (0, 1):
        with np.load(tmp_path / f"{process}.npz") as saved:
            arrays = [saved[f"arr_{k}"] for k in range(18)]
        for record in (streaming.Statistics(*arrays[start : start + 6]) for start in (0, 6, 12)):
            for name, there, here in zip(one._fields, record, one, strict=True):
                np.testing.assert_allclose(there, here, rtol=0, atol=1e-11 * np.abs(here).max(), err_msg=name)
            there, here = streaming.fit(record, "affine"), streaming.fit(one, "affine")
            np.testing.assert_allclose(there.weight, here.weight, rtol=0, atol=1e-6 * np.abs(here.weight).max())
