"""Jobs on a Dask scheduler: somebody's, or one of two workers on this machine.

A worker that goes takes its job with it, and another worker gets that job. Dask gives a job up after some such losses,
and counts one that had not begun as well (``distributed.scheduler.allowed-failures``); it is handed in again ``LOSSES``
times before it counts as lost. A job's resources are those that a worker must offer
(``dask worker --resources board-a=1``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from distributed import Client, Future, as_completed
from distributed.scheduler import KilledWorker

from halfsilver.sim.jobs.job import LOST, Answer, Job, run_job

__all__ = ["LOSSES", "answers"]

LOSSES = 2
"""Times that a job which the scheduler gave up is handed in again."""


def answers(client: Client, jobs: Mapping[str, Job], version: str, folder: str) -> Iterator[Answer]:
    """Of all jobs, by key, as they come."""

    def submit(key: str) -> Future[Answer]:
        job = jobs[key]
        named = f"{job.name}-{key}-{lost[key]}"
        return client.submit(run_job, job, version, folder, key=named, pure=False, resources=dict(job.resources))

    lost = Counter[str]()
    keys = {submit(key): key for key in jobs}
    running = as_completed(list(keys))
    for future in running:
        key = keys.pop(future)
        try:
            yield future.result()
        except KilledWorker as error:
            lost[key] += 1
            if lost[key] > LOSSES:
                yield Answer(key, jobs[key].name, LOST, None, 0.0, str(error.last_worker), str(error))
                continue
            again = submit(key)
            keys[again] = key
            running.add(again)
