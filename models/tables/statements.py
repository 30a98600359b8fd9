"""Statements that both doors to these tables need: the pipeline's ledger and the API."""

from typing import Any

from sqlalchemy import TextClause, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB, UUID

from models.domain.mails import Mail

APPEND_EVENT: TextClause = text("""
WITH job AS (
    UPDATE organization_jobs SET progress_seq = progress_seq + 1 WHERE id = :job_id
    RETURNING id, progress_seq, attempt)
INSERT INTO job_events (job_id, seq, attempt, kind, data)
SELECT id, progress_seq, attempt, :kind,
       :data || jsonb_build_object('job_id', id, 'seq', progress_seq)
  FROM job
RETURNING seq
""").bindparams(bindparam("job_id", type_=UUID(as_uuid=False)), bindparam("data", type_=JSONB()))
"""Append one event. The job's row counts and is locked until the commit, so numbers have no gaps
and readers see them in order. Parameters: job_id, kind, data. Returns seq; nothing if no job."""

LAUNCH: TextClause = text("""
WITH job AS (
    UPDATE organization_jobs
       SET launches = launches + 1, relaunches = :relaunches, relaunch_after = :relaunch_after
     WHERE id = :job_id RETURNING id, launches)
INSERT INTO outbox_events (job_id, launch_no, payload)
SELECT id, launches, jsonb_build_object('deployment', CAST(:deployment AS text)) FROM job
RETURNING id
""").bindparams(bindparam("job_id", type_=UUID(as_uuid=False)))
"""Ask for a flow run of a job. Parameters: job_id, deployment, relaunches, relaunch_after."""


def launch_parameters(
    job_id: str, deployment: str, *, relaunches: int = 0, relaunch_after: Any = None
) -> dict[str, Any]:
    """Return the parameters of `LAUNCH`."""
    return {
        "job_id": job_id,
        "deployment": deployment,
        "relaunches": relaunches,
        "relaunch_after": relaunch_after,
    }


ENQUEUE_MAIL: TextClause = text("""
INSERT INTO outgoing_mails (id, user_id, recipient, template, context)
VALUES (:id, :user_id, :recipient, :template, :context)
ON CONFLICT (id) DO NOTHING RETURNING id
""").bindparams(
    bindparam("id", type_=UUID(as_uuid=False)),
    bindparam("user_id", type_=UUID(as_uuid=False)),
    bindparam("context", type_=JSONB()),
)
"""Put a mail into the outbox; one whose id is there stays as it is. Returns its id if it is new."""


def mail_parameters(mail: Mail) -> dict[str, Any]:
    """Return the parameters of `ENQUEUE_MAIL`."""
    return {
        "id": mail.id,
        "user_id": mail.account_id,
        "recipient": mail.recipient,
        "template": mail.template,
        "context": dict(mail.context),
    }


NEXT_ATTEMPT: dict[str, Any] = {
    "cancel_requested_at": None,
    "paused_at": None,
    "started_at": None,
    "completed_at": None,
    "progress_ratio": 0.0,
    "relaunches": 0,
    "relaunch_after": None,
}
"""What a job that failed or was canceled begins its next attempt with; its number rises by one."""

UPLOAD_PATH = "coalesce(f.virtual_path, f.filename)"
"""Where an upload is shown below `/uploads`."""

UPLOAD_MARK = (
    "substr(md5(concat_ws(E'\\x1f', coalesce(f.virtual_path, ''), f.filename,"
    " coalesce(f.sha256_hash, ''))), 1, 16)"
)
"""Digest of what a plan over uploads relies on: where a file is shown, and its content."""

UPLOADS_DIGEST: TextClause = text(f"""
SELECT count(*) || '-' || coalesce(md5(string_agg(
           f.id::text || {UPLOAD_MARK} || coalesce(f.category, ''), ',' ORDER BY f.id)), '')
  FROM files f
 WHERE f.root_id = :root_id AND f.deleted_at IS NULL
   AND (:folder = '' OR starts_with({UPLOAD_PATH}, :folder || '/'))
""").bindparams(bindparam("root_id", type_=UUID(as_uuid=False)))  # noqa: S608 -- constants of ours
"""What a plan over uploads was made from, in one word. Parameters: root_id, folder."""
