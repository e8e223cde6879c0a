"""Starting, stopping, resuming and deleting runs."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import models, transaction

from datasets.choices import VersionState
from datasets.models import DatasetVersion
from datasets.services.following import stop_jobs
from training.engine import launch
from training.engine.dataset import LeftOut
from training.engine.sizes import checkpoint_bytes, features_bytes, state_bytes, trained_parameters
from training.engine.spec import AUTO, FULL, TrainSpec
from training.models import Sweep, TrainingRun
from training.services.naming import name_require, name_save
from training.services.outlook import Outlook, device_seen, run_outlook
from training.services.spec import RunValues, bundle_open, spec_build, spec_values, validation_require
from training.services.usable import Ground, clips_frozen, clips_usable, grounds_of
from xttsproject import storage
from xttsproject.bundles.manifest import Bundle
from xttsproject.jobs.models import Job
from xttsproject.jobs.registry import Ending
from xttsproject.jobs.services import job_cancel, job_start
from xttsproject.lib.disk import free_bytes, require_free
from xttsproject.lib.errors import DomainError
from xttsproject.xtts.config import read_config

JOB_KIND = "training.run"
LOG_TAIL_BYTES = 6000
FULL_RATE = 5e-5


@dataclass(frozen=True)
class Preflight:
    """What a run of these values on this version amounts to: clips and ``seconds_*`` of speech that it will really
    use, and ``left_out``."""

    version: DatasetVersion
    bundle: Bundle
    clips_train: int
    clips_validation: int
    seconds_train: float
    seconds_validation: float
    steps_per_epoch: int
    steps_total: int
    trained_parameters: int
    checkpoint_bytes: int
    features_bytes: int
    disk_bytes: int
    disk_free: int
    outlook: Outlook
    devices: int = 1
    remarks: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()

    @property
    def minutes(self) -> float:
        return (self.seconds_train + self.seconds_validation) / 60

    @property
    def left_out_grounds(self) -> tuple[Ground, ...]:
        """Why clips are left out, the most frequent reason first."""
        return grounds_of(self.left_out)


def run_preflight(
    *, owner: Any, version: DatasetVersion, values: RunValues, bundle: str = "", counted: bool = True
) -> Preflight:
    """Check everything that :func:`run_create` would, and say what the run would do, without starting it."""
    return _check(owner, version, values, bundle, counted)[0]


def run_create(
    *,
    owner: Any,
    version: DatasetVersion,
    name: str,
    values: RunValues | None = None,
    bundle: str = "",
    visibility: str = "private",
    sweep: Sweep | None = None,
    trial: int | None = None,
    counted: bool = True,
) -> TrainingRun:
    """Make a run and queue it. ``bundle`` empty: the portal's XTTS_BUNDLE. ``trial``: its place in its ``sweep``.

    ``counted``: look which clips the model can learn from, which takes seconds where nobody has looked before; else all
    that were frozen count here, and the run itself refuses what it cannot use (see :func:`texts_known`).

    DomainErrors, with the field at fault: ``forbidden`` (not a trainer), ``version_unknown``, ``version_not_ready``,
    ``version_damaged``, ``dataset_empty``, ``name_missing``, ``duplicate``, ``spec_invalid``, ``language_unsupported``,
    ``model_missing``, ``model_damaged``, ``bundle_unsuitable``, ``device_missing``, ``memory_short``, ``disk_full``.
    """
    values = values or RunValues()
    name = name_require(name=name, what="run", longest=120)
    preflight, spec, bundle = _check(owner, version, values, bundle, counted)
    run = TrainingRun(
        owner=owner,
        visibility=visibility,
        name=name,
        version=version,
        bundle=bundle,
        spec=spec,
        epochs_total=values.epochs,
        steps_total=preflight.steps_total,
        sweep=sweep,
        trial=trial,
    )
    with transaction.atomic():
        name_save(row=run, what="run")
        _start_job(run)
    return run


def run_cancel(*, run: TrainingRun) -> None:
    """Stop a run: at once if it waits, within five seconds if it trains. DomainError ``run_ended``.

    One whose job is gone has nothing that could stop: it only stops saying that it runs.
    """
    job = _active_job(run)
    if not run.is_active or (job is None and not run.mark_cancelled()):
        raise DomainError("run_ended", f"“{run.name}” does not run any more: it is {run.get_state_display().lower()}.")
    if job is not None:
        job_cancel(job=job)
    if (job is None or job.is_active) and run.folder.is_dir():
        # The worker passes the request on too; where it shares this disk, the process learns of it at once.
        launch.request_cancel(run.folder)
    run.refresh_from_db()


def run_resume(*, run: TrainingRun, user: Any) -> Job:
    """Go on from the last checkpoint of a stopped run. DomainErrors ``forbidden``, ``run_not_resumable``.

    A run whose job is gone has stopped, whatever its state says.
    """
    trainer_require(user=user)
    with transaction.atomic():
        TrainingRun.objects.select_for_update().get(pk=run.pk)
        if _active_job(run) is None:
            run.mark_cancelled()
        if not run.requeue():
            raise DomainError(
                "run_not_resumable",
                f"“{run.name}” is {run.get_state_display().lower()}; only a failed or cancelled run can be resumed.",
            )
        return _start_job(run)


def run_delete(*, run: TrainingRun, user: Any) -> None:
    """Remove a run with its checkpoints, samples and files. DomainErrors ``run_active``, ``in_use``."""
    folder = run.folder
    with transaction.atomic():
        current = TrainingRun.objects.select_for_update().get(pk=run.pk)
        # The job and not the state: a run whose job is gone would say for ever that it runs.
        if _active_job(run) is not None:
            raise DomainError("run_active", f"“{run.name}” is still at work; cancel it before deleting it.")
        # Its scoring, or an average that is being made, has nothing left to work on.
        stop_jobs(subject=run)
        try:
            current.delete()
        except models.ProtectedError as error:
            raise DomainError("in_use", _in_use(run, error, user)) from error
        if current.sweep_id:
            spent = models.F("forgotten_seconds") + current.trained_seconds
            Sweep.objects.filter(pk=current.sweep_id).update(forgotten_seconds=spent)
        transaction.on_commit(lambda: storage.remove_tree(folder))


def run_ended(subject: models.Model, ending: Ending) -> None:
    """The job ended without success: so did the run, unless it has already said how it ended itself."""
    if not isinstance(subject, TrainingRun):
        return
    if ending.cancelled:
        subject.mark_cancelled()
    else:
        subject.fail(ending.code, ending.message)


def run_log_tail(*, run: TrainingRun) -> str:
    """The last lines of what the training process wrote, this machine's folders by their names; empty before it has."""
    try:
        with open(run.folder / launch.LOG, "rb") as handle:
            size = handle.seek(0, 2)
            handle.seek(max(0, size - LOG_TAIL_BYTES))
            data = handle.read()
    except FileNotFoundError:
        return ""
    if size > LOG_TAIL_BYTES:
        # The first line is cut somewhere.
        data = data.partition(b"\n")[2]
    return _without_folders(data.decode("utf-8", errors="replace"))


def _without_folders(text: str) -> str:
    """Where the portal and its data lie on this machine is its administrator's business."""
    folders = {
        settings.RUNS_DIR: "RUNS",
        settings.MODELS_DIR: "MODELS_DIR",
        settings.DATA_ROOT: "DATA_ROOT",
        Path(sys.prefix): "PYTHON",
        settings.BASE_DIR: "PORTAL",
    }
    # The longest first: one lies in another.
    for folder in sorted(folders, key=lambda each: len(str(each)), reverse=True):
        text = text.replace(str(folder), folders[folder])
    return text


def _check(
    owner: Any, version: DatasetVersion, values: RunValues, bundle_name: str, counted: bool
) -> tuple[Preflight, dict[str, Any], str]:
    """The preflight, the values that the row keeps, and the bundle's name."""
    trainer_require(user=owner)
    if not DatasetVersion.objects.visible_to(owner).filter(pk=version.pk).exists():
        raise DomainError(
            "version_unknown", "There is no such dataset version, or you may not see it.", field="version"
        )
    if version.state != VersionState.READY:
        raise DomainError(
            "version_not_ready",
            f"{version} is {version.get_state_display().lower()}; only a ready dataset version can be trained on.",
            field="version",
        )
    bundle_name = bundle_name or settings.XTTS_BUNDLE
    bundle = bundle_open(name=bundle_name)
    spec = spec_build(version=version, bundle=bundle, values=values)
    usable = clips_usable(version=version, bundle=bundle) if counted else clips_frozen(version=version)
    validation_require(spec=spec, version=version, clips=usable.clips_validation)
    # As the engine counts: a last batch may be smaller, and a last step may gather fewer batches.
    per_epoch = math.ceil(math.ceil(usable.clips_train / spec.batch_size) / spec.accumulation)
    shape = read_config(bundle.path).gpt
    checkpoint = checkpoint_bytes(shape, spec)
    # Before one is removed the next is written, and the resume file stands there twice while it is replaced.
    kept = spec.epochs if spec.keep_best is None else min(spec.epochs, spec.keep_best + 2)
    features = features_bytes(usable.seconds_train, usable.seconds_validation, altered=spec.augment_conditioning)
    disk = kept * checkpoint + 2 * state_bytes(shape, spec) + features
    require_free(storage.run_dir(version.pk), disk, "The run")
    preflight = Preflight(
        version=version,
        bundle=bundle,
        clips_train=usable.clips_train,
        clips_validation=usable.clips_validation,
        seconds_train=usable.seconds_train,
        seconds_validation=usable.seconds_validation,
        steps_per_epoch=per_epoch,
        steps_total=per_epoch * spec.epochs,
        trained_parameters=trained_parameters(shape, spec),
        checkpoint_bytes=checkpoint,
        features_bytes=features,
        disk_bytes=disk,
        disk_free=free_bytes(storage.run_dir(version.pk)),
        outlook=run_outlook(spec=spec, shape=shape, bundle=bundle_name, clips=usable.clips_train),
        devices=spec.devices,
        remarks=tuple(_remarks(spec)),
        left_out=usable.left_out,
    )
    return preflight, spec_values(spec), bundle_name


def _remarks(spec: TrainSpec) -> Iterator[str]:
    """What may be meant, but more often is not."""
    if spec.devices > spec.batch_size:
        yield (
            f"A batch of {spec.batch_size} clips keeps {spec.batch_size} of the {spec.devices} GPUs busy; take a "
            "larger batch, or fewer GPUs."
        )
    if spec.method == FULL and spec.learning_rate > FULL_RATE:
        yield (
            f"A learning rate of {spec.learning_rate:g} suits adapters. In full fine-tuning a model that moves faster "
            "than 5e-5 soon forgets how to speak; try 1e-5."
        )
    if spec.precision == "fp16" and spec.device == AUTO:
        # Told, but no ground to refuse: the worker may have a GPU by now, or another machine.
        seen = device_seen()
        if not seen.startswith("cuda"):
            known = "the last run trained on a processor" if seen else "no run has shown yet whether there is one"
            yield (
                f"fp16 needs a CUDA device, and {known}: without one the run is refused when it starts. Take auto, "
                "which is the fastest that the device has."
            )


def trainer_require(*, user: Any) -> None:
    """DomainError ``forbidden`` unless the person may start and resume runs."""
    if not user.is_trainer:
        raise DomainError(
            "forbidden", "Only trainers may start a run; ask an administrator to add you to the group “trainer”."
        )


def run_may_retry(subject: models.Model, user: Any) -> None:
    """Trying a run's job again is starting it: who is no trainer any more may not. DomainError ``forbidden``."""
    trainer_require(user=user)


def _active_job(run: TrainingRun) -> Job | None:
    return Job.objects.about(run).active().filter(kind=JOB_KIND).first()


def _start_job(run: TrainingRun) -> Job:
    job = job_start(kind=JOB_KIND, title=f"Train “{run.name}”", owner=run.owner, subject=run)
    TrainingRun.objects.filter(pk=run.pk).update(job=job)
    run.refresh_from_db()
    return job


def _in_use(run: TrainingRun, error: models.ProtectedError, user: Any) -> str:
    """Names what hangs on the run's checkpoints, as far as the person may see it."""
    names, hidden = [], 0
    for thing in sorted(error.protected_objects, key=str):
        if type(thing)._default_manager.all().visible_to(user).filter(pk=thing.pk).exists():  # type: ignore[attr-defined]
            names.append(f"the {thing._meta.verbose_name} “{thing}”")
        else:
            hidden += 1
    if hidden:
        names.append(f"{hidden} of other people")
    return f"“{run.name}” cannot be deleted: its checkpoints are used by {', '.join(names)}. Delete that first."
