"""Asking for jobs: checked, counted, written with their launch in one transaction."""

import asyncio
import uuid
from dataclasses import dataclass, replace

from api.organize.repository import Organizing
from api.organize.schemas import JobRequest, PreviewRequest
from api.shell.principal import Principal
from api.shell.storage import account_root_url
from models.domain.connections import Connection
from models.domain.errors import ConflictError, MissingError
from models.domain.jobs import TERMINAL, Job, JobKind, JobStatus, OrganizeOptions, deployment_of
from models.domain.listings import COMPARED_FILES, listing_digest
from models.domain.modes import FEATURES
from models.domain.organizing import OperationType
from models.domain.plans import Plan
from models.domain.price_list import Action
from models.domain.requests import Wish, options_of
from models.domain.source_paths import source_from
from models.domain.storage_roots import StorageRoot
from models.settings import Settings
from storage.access import access_to
from storage.opening import open_store
from storage.reaching import way_in

UNDOABLE = frozenset({JobKind.ORGANIZE, JobKind.DEDUPLICATE})
"""Kinds of jobs that change files as a plan said."""

PROPOSE = "propose/propose"
ENACT = "enact/enact"
LIST_S = 10.0
"""How long confirming a preview may look at its source."""

CHANGED = "the source changed since the preview; ask for a new one"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Who asks for jobs, and where."""

    principal: Principal
    settings: Settings
    organizing: Organizing

    async def preview(self, asked: PreviewRequest) -> Job:
        """Ask for a plan that is shown and not carried out.

        Raises:
            InvalidError: source, mode or options make no sense.
            ForbiddenError: the account may not.
            MissingError: there is no such connection.
            ProblemError: 402: too many jobs at once.
        """
        self._require(asked)
        root, options = await self._asked_for(asked)
        await self.organizing.lock_jobs()
        await self._require_room_now()
        job = self._job(root, options, approves_itself=False)
        return await self.organizing.jobs.submit(job, deployment=PROPOSE, is_preview=True)

    async def check(self, asked: PreviewRequest) -> None:
        """Refuse what could never become a job of this account.

        Raises:
            InvalidError: source, mode or options make no sense.
            ForbiddenError: the account may not.
            MissingError: there is no such connection.
        """
        self._require(asked)
        await self._asked_for(asked)

    async def create(self, asked: JobRequest, *, schedule: tuple[str, str] | None = None) -> Job:
        """Ask for a job.

        Args:
            asked: what, and how.
            schedule: ids of the schedule that asks and of the job that it makes.

        Raises:
            InvalidError: source, mode or options make no sense.
            ForbiddenError: the account may not.
            MissingError: there is no such connection or preview.
            ConflictError: the source changed since the preview, or this is not what it showed.
            ProblemError: 402: too many jobs this month, or at once.
        """
        self._require(asked)
        root, options = await self._asked_for(asked)
        await self.organizing.lock_jobs()
        used = await self.organizing.jobs_this_month()
        self.principal.require_room("organize_jobs_per_month", used)
        await self._require_room_now()
        if asked.preview_id is not None:
            return await self._confirmed(str(asked.preview_id), root, options)
        job = self._job(root, options, approves_itself=True)
        if schedule is not None:
            job = replace(job, schedule_id=schedule[0], id=schedule[1])
        return await self.organizing.jobs.submit(job, deployment=deployment_of(job.kind))

    async def undo(self, job_id: str) -> Job:
        """Ask for the job that takes another one back.

        Raises:
            MissingError: there is no such job.
            ConflictError: it changed nothing, is still under way, or is being undone already.
        """
        self.principal.require(Action.ORGANIZE)
        target = await self.organizing.jobs.find(job_id, is_locked=True)
        if target.kind not in UNDOABLE:
            raise ConflictError(f"a job of kind {target.kind} changes nothing to take back")
        if target.status not in TERMINAL:
            raise ConflictError(f"job {job_id} is {target.status}; cancel it before its undo")
        if target.status is JobStatus.UNDONE:
            raise ConflictError(f"job {job_id} is undone already")
        if found := await self.organizing.open_undo_of(job_id):
            raise ConflictError(f"job {job_id} is being undone by job {found}")
        job = replace(
            target,
            id=str(uuid.uuid4()),
            kind=JobKind.UNDO,
            status=JobStatus.PENDING,
            target_job_id=target.id,
            preview_id=None,
            schedule_id=None,
            files_total=0,
            bytes_total=0,
            entitlement_snapshot=self.principal.snapshot(),
        )
        return await self.organizing.jobs.submit(job, deployment=deployment_of(job.kind))

    async def retry(self, job_id: str) -> Job:
        """Ask for another attempt at a job that failed or was canceled; it goes on where it was.

        Raises:
            MissingError: there is no such job.
            ConflictError: it is done, or still open.
            ProblemError: 402: too many jobs at once.
        """
        self.principal.require(Action.ORGANIZE)
        await self.organizing.lock_jobs()
        job = await self.organizing.jobs.find(job_id)
        if job.submitted_at is None:
            raise ConflictError("a preview is not tried again; ask for a new one")
        await self._require_room_now()
        return await self.organizing.jobs.ask_again(job_id, deployment_of(job.kind))

    async def resume(self, job_id: str) -> Job:
        """Let a job that rests go on.

        Raises:
            MissingError: there is no such job.
            ConflictError: it does not rest, or not yet.
            ProblemError: 402: too many jobs at once.
        """
        self.principal.require(Action.ORGANIZE)
        await self.organizing.lock_jobs()
        job = await self.organizing.jobs.find(job_id)
        if job.paused_at is not None:
            await self._require_room_now()
        deployment = PROPOSE if job.submitted_at is None else deployment_of(job.kind)
        return await self.organizing.jobs.resume(job_id, deployment)

    def _require(self, asked: PreviewRequest) -> None:
        self.principal.require(Action.ORGANIZE)
        if asked.operation_type is OperationType.COPY:
            self.principal.require(Action.ORGANIZE_COPY)
        feature = FEATURES.get(asked.organization_mode)
        if feature is not None:
            self.principal.require_feature(feature)

    async def _require_room_now(self) -> None:
        self.principal.require_room("concurrent_jobs", await self.organizing.open_jobs())

    async def _asked_for(self, asked: PreviewRequest) -> tuple[StorageRoot, OrganizeOptions]:
        """The root that a request is about, and its options."""
        source = source_from(asked.source_path)
        is_about_uploads = source.connection_id is None
        chosen = asked.options
        wish = Wish(
            mode=asked.organization_mode,
            operation=asked.operation_type,
            template=chosen.template,
            skip_duplicates=chosen.skip_duplicates,
            create_backup=chosen.create_backup,
            apply_icons=chosen.apply_icons,
            conflict=chosen.conflict,
            protected=tuple(chosen.protected),
            preferred=tuple(chosen.preferred),
            read_gps=chosen.read_gps,
            verify=chosen.verify,
        )
        options = options_of(
            wish,
            rules=await self.organizing.rules() if chosen.use_rules else (),
            is_about_uploads=is_about_uploads,
            below=source.key if is_about_uploads else "",
        )
        url = account_root_url(self.settings, self.principal.account_id)
        return await self.organizing.roots.of(source, managed_url=url), options

    def _job(self, root: StorageRoot, options: OrganizeOptions, *, approves_itself: bool) -> Job:
        return Job(
            id=str(uuid.uuid4()),
            kind=JobKind.ORGANIZE,
            account_id=self.principal.account_id,
            status=JobStatus.PENDING,
            source_url=root.url,
            destination_url=root.url,
            source_root_id=root.id,
            destination_root_id=root.id,
            options=options,
            approves_itself=approves_itself,
            entitlement_snapshot=self.principal.snapshot(),
        )

    async def _confirmed(self, preview_id: str, root: StorageRoot, options: OrganizeOptions) -> Job:
        """Let a preview be carried out exactly as it was shown."""
        job = await self.organizing.jobs.find(preview_id, is_locked=True)
        if job.submitted_at is not None:
            raise ConflictError(f"preview {preview_id} is being carried out already")
        plan = await self.organizing.plan_of(preview_id)
        if job.status is not JobStatus.PENDING or plan is None:
            raise ConflictError(f"preview {preview_id} is not there to be carried out")
        if (job.source_root_id, job.options) != (root.id, options):
            raise ConflictError("the preview was of another request, or your rules changed since")
        if not await self._is_as_planned(job, plan):
            raise ConflictError(CHANGED)
        await self.organizing.confirm(job, plan, self.principal.snapshot())
        await self.organizing.jobs.launch(preview_id, ENACT)
        return await self.organizing.jobs.find(preview_id)

    async def _is_as_planned(self, job: Job, plan: Plan) -> bool:
        """Whether the source still is what the plan was made from, as far as can be told at once.

        Of a source too long to list here, each operation finds out by itself and refuses.
        """
        connection = await self.organizing.roots.connection_of(job.source_root_id)
        if plan.listing is None:
            return True
        if connection is None:
            root_id, folder = job.source_root_id, job.options.below
            return plan.listing == await self.organizing.uploads_digest(root_id, folder)
        try:
            async with asyncio.timeout(LIST_S):
                found = await asyncio.to_thread(_listed, self.settings, connection, job.source_url)
        except (TimeoutError, MissingError):
            return False
        return plan.listing == found


def _listed(settings: Settings, connection: Connection, url: str) -> str | None:
    """The digest of a listing now; None of a long one."""
    access = way_in(settings, connection)
    roots = {} if access is None else {connection.root_url: access}
    with access_to(roots), open_store(url) as store:
        files: list[tuple[str, int, int, str]] = []
        for page in store.list_pages():
            files += [(row.key, row.size_bytes, row.modified_ns, row.version) for row in page.rows]
            if len(files) > COMPARED_FILES:
                return None
        return listing_digest(files)
