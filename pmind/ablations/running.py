"""Jobs run side by side as the pipeline's own stages, each in a folder that outlives a kill.

::

    data/ablations/pretrain-3f6c…/params.yaml     what the stages read
    data/ablations/pretrain-3f6c…/log.txt         what they printed
    data/ablations/pretrain-3f6c…/model/          what they wrote
    data/ablations/pretrain-3f6c…/done.json       written last: the numbers
"""

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml
from tqdm import tqdm

from pmind.ablations.jobs import Job
from pmind.ablations.stages import Numbers, commands, gather
from pmind.errors import PmindError, TrainingError

DONE, LOG, PARAMS, LOCK = "done.json", "log.txt", "params.yaml", "lock"
TAIL = 5  # lines of a failed job's log that its error shows
STARTED_FROM = ("pretrain", "first")  # kinds of job whose model others start from; of the rest the numbers are enough


@dataclass(frozen=True)
class Workshop:
    """Where and how jobs run.

    Attributes:
        folder: holds a folder a job.
        side_by_side: most jobs at a time.
        threads: CPU threads of each.
    """

    folder: Path
    side_by_side: int
    threads: int

    def run(self, waves: Sequence[Sequence[Job]], title: str) -> tuple[dict[Job, Numbers], dict[Job, str]]:
        """Run what is not done yet, wave after wave; a job that fails does not stop the others.

        Returns:
            The numbers of each job that is done, and what went wrong with the others.
        """
        results: dict[Job, Numbers] = {}
        failures: dict[Job, str] = {}
        with _bar(sum(map(len, waves)), title) as bar, ThreadPoolExecutor(self.side_by_side) as pool:
            for wave in waves:
                self._run_wave(wave, pool, bar, results, failures)
        return results, failures

    def _run_wave(
        self, wave: Sequence[Job], pool: Executor, bar: tqdm, results: dict[Job, Numbers], failures: dict[Job, str]
    ) -> None:
        running: dict[Future[Numbers], Job] = {}
        for job in wave:
            if any(need in failures for need in job.needs.values()):
                failures[job] = f"{_named(job)}: not run, as what it needs failed"
                bar.update()
            elif (numbers := self._done(job)) is not None:
                results[job] = numbers
                bar.total -= 1  # so that the time left is told from what runs
            else:
                running[pool.submit(self._finish, job)] = job
        try:
            for future in as_completed(running):
                bar.update()
                self._record(future, running[future], results, failures)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise

    @staticmethod
    def _record(future: "Future[Numbers]", job: Job, results: dict[Job, Numbers], failures: dict[Job, str]) -> None:
        try:
            results[job] = future.result()
        except PmindError as error:
            tqdm.write(f"failed: {error}", file=sys.stderr)
            failures[job] = str(error)

    def _done(self, job: Job) -> Numbers | None:
        path = self.folder / job.folder / DONE
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None

    def _finish(self, job: Job) -> Numbers:
        folder = self.folder / job.folder
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(folder) as lock:
            numbers = self._done(job)  # by another run, while this one waited
            return self._run_stages(job, folder, lock) if numbers is None else numbers

    def _run_stages(self, job: Job, folder: Path, lock: int) -> Numbers:
        (folder / PARAMS).write_text(yaml.safe_dump(dict(job.document), sort_keys=False), encoding="utf-8")
        (folder / LOG).unlink(missing_ok=True)
        for stage, arguments in commands(job, self.folder):
            self._call(job, stage, arguments, lock)
        numbers = gather(job, self.folder)
        if job.kind not in STARTED_FROM:
            shutil.rmtree(folder / "model", ignore_errors=True)
        made = folder / f"{DONE}.part"
        made.write_text(json.dumps(numbers, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        made.replace(folder / DONE)
        return numbers

    def _call(self, job: Job, stage: str, arguments: Sequence[str], lock: int) -> None:
        folder = self.folder / job.folder
        command = [sys.executable, "-m", f"stages.{stage}", *arguments, "--params", str(folder / PARAMS)]
        environment = os.environ | {"OMP_NUM_THREADS": str(self.threads)}
        with (folder / LOG).open("a", encoding="utf-8") as log:
            code = subprocess.run(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment, pass_fds=[lock], check=False
            ).returncode
        if code:
            raise TrainingError(
                f"{_named(job)}: stages.{stage} ended with {code}: {_last_lines(folder / LOG)} ({folder / LOG})"
            )


@contextmanager
def _alone(folder: Path) -> Iterator[int]:
    """Hold a folder's lock. Its stages inherit it, so that a stage which outlives a killed run is waited for."""
    with (folder / LOCK).open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock.fileno()


def _bar(jobs: int, title: str) -> tqdm:
    return tqdm(total=jobs, desc=title, unit="job", smoothing=0, disable=None)


def _named(job: Job) -> str:
    return f"{job.kind} of {job.label}"


def _last_lines(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").replace("\r", "\n").splitlines()
    return " | ".join([line.strip() for line in lines if line.strip()][-TAIL:])
