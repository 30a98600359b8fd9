"""`/organize`: modes, previews and jobs."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from api.organize.repository import Organizing
from api.organize.schemas import (
    CancelAnswer,
    JobAnswer,
    JobCreated,
    JobCreatedAnswer,
    JobDocument,
    JobRequest,
    JobsAnswer,
    ModeDocument,
    ModesAnswer,
    OperationDocument,
    OperationsAnswer,
    PreviewAnswer,
    PreviewDocument,
    PreviewRequest,
    ShownStatus,
)
from api.organize.service import Asking
from api.organize.setup_endpoints import router as setup_router
from api.shell.database import Transaction
from api.shell.pagination import CursorQuery, PageQuery
from api.shell.principal import CurrentAccount
from api.shell.problems import PROBLEMS
from api.shell.storage import AppSettings
from models.domain.errors import ConflictError, InvalidError
from models.domain.jobs import TERMINAL
from models.domain.modes import modes
from models.domain.operations import OperationState
from models.entitlements import price_list

router = APIRouter(prefix="/organize", tags=["organize"])


async def _asking(
    principal: CurrentAccount, transaction: Transaction, settings: AppSettings
) -> Asking:
    organizing = Organizing(transaction, principal.account_id)
    return Asking(principal=principal, settings=settings, organizing=organizing)


AccountAsking = Annotated[Asking, Depends(_asking)]


@router.get("/modes", summary="List modes", responses=PROBLEMS(401, 429))
async def list_modes(_principal: CurrentAccount) -> ModesAnswer:
    """Return every mode with an example, and the smallest plan that has it."""
    plans = price_list().plans.values()
    found = [
        ModeDocument(
            id=mode.id,
            description=mode.description,
            example_path=mode.example_path,
            plan=next(
                plan.name
                for plan in plans
                if mode.feature is None or plan.features.get(mode.feature.value)
            ),
        )
        for mode in modes()
    ]
    return ModesAnswer(modes=found)


@router.post(
    "/preview",
    status_code=202,
    summary="Preview a job",
    responses={200: {"model": PreviewAnswer}, **PROBLEMS(401, 402, 403, 404, 409, 422, 429, 503)},
)
async def preview(
    asked: PreviewRequest, asking: AccountAsking, response: Response
) -> PreviewAnswer:
    """Plan a job and show what it would do; nothing is moved. `Location` tells where to look."""
    job = await asking.preview(asked)
    response.headers["Location"] = f"/v1/organize/preview/{job.id}"
    return PreviewAnswer(preview=PreviewDocument.of(job, None))


@router.get(
    "/preview/{preview_id}",
    summary="Get a preview",
    responses={202: {"model": PreviewAnswer}, **PROBLEMS(401, 404, 409, 422, 429)},
)
async def get_preview(preview_id: UUID, asking: AccountAsking, response: Response) -> PreviewAnswer:
    """Return a preview: 200 once it is made, 202 until then, 409 when it could not be made."""
    job = await asking.organizing.jobs.find(str(preview_id))
    plan = await asking.organizing.plan_of(job.id)
    if plan is None and job.status in TERMINAL:
        raise ConflictError(f"the preview could not be made: {job.error or job.status}")
    if plan is None:
        response.status_code = 202
    return PreviewAnswer(preview=PreviewDocument.of(job, plan))


@router.post(
    "/jobs",
    status_code=202,
    summary="Create a job",
    responses=PROBLEMS(401, 402, 403, 404, 409, 422, 429, 503),
)
async def create_job(
    asked: JobRequest, asking: AccountAsking, response: Response
) -> JobCreatedAnswer:
    """Ask for a job. With `preview_id` it does exactly what the preview showed, or answers 409."""
    job = await asking.create(asked)
    response.headers["Location"] = f"/v1/organize/jobs/{job.id}"
    return JobCreatedAnswer(job=JobCreated.of(job))


@router.get("/jobs", summary="List jobs", responses=PROBLEMS(401, 422, 429))
async def list_jobs(
    asking: AccountAsking,
    page: PageQuery,
    status: Annotated[ShownStatus | None, Query(description="Only these.")] = None,
) -> JobsAnswer:
    """Return your jobs, the newest first."""
    found, total = await asking.organizing.page(
        status=None if status is None else status.value, limit=page.per_page, offset=page.offset
    )
    return JobsAnswer(
        jobs=[JobDocument.of(job) for job in found], pagination=page.pagination(total)
    )


@router.get("/jobs/{job_id}", summary="Get a job", responses=PROBLEMS(401, 404, 422, 429))
async def get_job(job_id: UUID, asking: AccountAsking) -> JobAnswer:
    """Return how far a job is."""
    return JobAnswer(job=JobDocument.of(await asking.organizing.jobs.find(str(job_id))))


@router.delete(
    "/jobs/{job_id}", summary="Cancel a job", responses=PROBLEMS(401, 404, 409, 422, 429)
)
async def cancel_job(job_id: UUID, asking: AccountAsking) -> CancelAnswer:
    """Stop a job: at once while it waits, within seconds while it runs, with no half file."""
    await asking.organizing.jobs.cancel(str(job_id))
    return CancelAnswer(message="Job canceled successfully")


@router.get(
    "/jobs/{job_id}/operations",
    summary="List a job's operations",
    responses=PROBLEMS(401, 404, 422, 429),
)
async def list_operations(
    job_id: UUID,
    asking: AccountAsking,
    cursor: CursorQuery,
    state: Annotated[OperationState | None, Query(description="Only these.")] = None,
) -> OperationsAnswer:
    """Return what a job does to each file, in order: its journal, and the manifest of an undo."""
    job = await asking.organizing.jobs.find(str(job_id))
    found = await asking.organizing.operations(
        job.id, state=state, after=_after(cursor.after), limit=cursor.limit + 1
    )
    shown = found[: cursor.limit]
    last = (shown[-1].seq,) if len(found) > cursor.limit else None
    return OperationsAnswer(
        operations=[OperationDocument.of(each) for each in shown],
        pagination=cursor.pagination(last),
    )


def _after(key: tuple[object, ...] | None) -> int:
    """Sequence number after which a part begins."""
    if key is None:
        return -1
    match key:
        case (int(seq),) if -1 <= seq < 2**31:
            return seq
        case _:
            raise InvalidError("this cursor was not given by us")


@router.post(
    "/jobs/{job_id}/undo",
    status_code=202,
    summary="Undo a job",
    responses=PROBLEMS(401, 403, 404, 409, 422, 429),
)
async def undo_job(job_id: UUID, asking: AccountAsking, response: Response) -> JobAnswer:
    """Ask for the job that takes another one back; what you changed since stays as it is."""
    return _accepted(JobDocument.of(await asking.undo(str(job_id))), response)


@router.post(
    "/jobs/{job_id}/retry",
    status_code=202,
    summary="Retry a job",
    responses=PROBLEMS(401, 402, 403, 404, 409, 422, 429),
)
async def retry_job(job_id: UUID, asking: AccountAsking, response: Response) -> JobAnswer:
    """Try a job again that failed or was canceled; it goes on where it was."""
    return _accepted(JobDocument.of(await asking.retry(str(job_id))), response)


@router.post(
    "/jobs/{job_id}/pause",
    status_code=202,
    summary="Pause a job",
    responses=PROBLEMS(401, 404, 409, 422, 429),
)
async def pause_job(job_id: UUID, asking: AccountAsking, response: Response) -> JobAnswer:
    """Let a job rest: at once while it waits, at its next safe point while it runs."""
    job = await asking.organizing.jobs.pause(str(job_id))
    return _accepted(JobDocument.of(job), response)


@router.post(
    "/jobs/{job_id}/resume",
    status_code=202,
    summary="Resume a job",
    responses=PROBLEMS(401, 402, 403, 404, 409, 422, 429),
)
async def resume_job(job_id: UUID, asking: AccountAsking, response: Response) -> JobAnswer:
    """Let a job that rests go on where it was."""
    return _accepted(JobDocument.of(await asking.resume(str(job_id))), response)


def _accepted(job: JobDocument, response: Response) -> JobAnswer:
    response.headers["Location"] = f"/v1/organize/jobs/{job.id}"
    return JobAnswer(job=job)


router.include_router(setup_router)
