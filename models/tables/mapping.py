"""From rows to the domain's nouns and back; rows go no further than who read them."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from models.domain.connections import Connection, ConnectionType
from models.domain.decisions import Decision, DecisionKind
from models.domain.duplicates import KeepRule
from models.domain.files import StoredFile
from models.domain.job_events import JobEvent
from models.domain.jobs import Job, JobKind, JobStatus, OrganizeOptions, RemovalOptions
from models.domain.organizing import ConflictPolicy, OnDuplicate, OperationType
from models.domain.plans import Plan, PlanSample, PlanTotals
from models.domain.rules import rule_from
from models.domain.storage_roots import RootKind, StorageRoot
from models.domain.table_refs import TableRef


def options_document(options: OrganizeOptions) -> dict[str, Any]:
    """Return options as the JSON document stored."""
    return asdict(options)


def options_from(document: Mapping[str, Any]) -> OrganizeOptions:
    """Return the options of a stored document; what an older one lacks has its default."""
    known: dict[str, Any] = {
        name: value for name, value in document.items() if name in OrganizeOptions.__slots__
    }
    for name, kind in (
        ("operation", OperationType),
        ("on_duplicate", OnDuplicate),
        ("conflict", ConflictPolicy),
    ):
        if name in known:
            known[name] = kind(known[name])
    if "keep_rules" in known:
        known["keep_rules"] = tuple(KeepRule(rule) for rule in known["keep_rules"])
    for name in ("protected", "preferred"):
        if name in known:
            known[name] = tuple(known[name])
    if "rules" in known:
        known["rules"] = tuple(rule_from(rule) for rule in known["rules"])
    if known.get("removal") is not None:
        known["removal"] = _removal_from(known["removal"])
    return OrganizeOptions(**known)


def _removal_from(document: Mapping[str, Any]) -> RemovalOptions:
    named = {name: tuple(document.get(name, ())) for name in ("media", "groups", "files")}
    return RemovalOptions(
        near=bool(document.get("near")), threshold=document.get("threshold"), **named
    )


def job_values(job: Job) -> dict[str, Any]:
    """Return the column values of a new job; its account is the caller's business."""
    return {
        "id": job.id,
        "kind": job.kind.value,
        "status": job.status.value,
        "source_path": job.source_url,
        "destination_path": job.destination_url,
        "source_root_id": job.source_root_id,
        "destination_root_id": job.destination_root_id,
        "organization_mode": job.options.mode,
        "operation_type": job.options.operation.value,
        "options": options_document(job.options),
        "target_job_id": job.target_job_id,
        "approves_itself": job.approves_itself,
        "files_total": job.files_total,
        "bytes_total": job.bytes_total,
        "entitlement_snapshot": job.entitlement_snapshot,
        "preview_id": job.preview_id,
        "schedule_id": job.schedule_id,
    }


def job_from(row: Mapping[Any, Any]) -> Job:
    """Return a job from a row of `organization_jobs`."""
    return Job(
        id=row["id"],
        kind=JobKind(row["kind"]),
        account_id=row["user_id"],
        status=JobStatus(row["status"]),
        source_url=row["source_path"],
        destination_url=row["destination_path"],
        source_root_id=row["source_root_id"],
        destination_root_id=row["destination_root_id"],
        options=options_from(row["options"]),
        **{name: row[name] for name in _SAME_NAME},
    )


_SAME_NAME = (
    "target_job_id",
    "approves_itself",
    "files_total",
    "bytes_total",
    "files_processed",
    "files_moved",
    "duplicates_found",
    "errors_count",
    "progress_ratio",
    "phase",
    "error",
    "plan_hash",
    "created_at",
    "started_at",
    "completed_at",
    "attempt",
    "cancel_requested_at",
    "progress_at",
    "running_since",
    "running_from_ratio",
    "entitlement_snapshot",
    "preview_id",
    "schedule_id",
    "submitted_at",
    "paused_at",
)
"""Fields of a job that are columns of the same name and type."""


def plan_values(plan: Plan) -> dict[str, Any]:
    """Return the column values of a plan."""
    return {
        "id": plan.id,
        "job_id": plan.job_id,
        "plan_hash": plan.plan_hash,
        "source_url": plan.source_url,
        "destination_url": plan.destination_url,
        "options": options_document(plan.options),
        "totals": asdict(plan.totals),
        "moves": asdict(plan.moves),
        "created_at": plan.created_at,
        "sample": [asdict(each) for each in plan.sample],
        "listing": plan.listing,
    }


def plan_from(row: Mapping[Any, Any]) -> Plan:
    """Return a plan from a row of `organization_plans`."""
    return Plan(
        id=row["id"],
        job_id=row["job_id"],
        source_url=row["source_url"],
        destination_url=row["destination_url"],
        options=options_from(row["options"]),
        totals=PlanTotals(**row["totals"]),
        moves=TableRef(**row["moves"]),
        plan_hash=row["plan_hash"],
        created_at=row["created_at"],
        sample=tuple(PlanSample(**each) for each in row["sample"]),
        listing=row["listing"],
    )


def root_from(row: Mapping[Any, Any]) -> StorageRoot:
    """Return a storage root from a row of `storage_roots`."""
    return StorageRoot(
        id=row["id"], account_id=row["user_id"], kind=RootKind(row["kind"]), url=row["url"]
    )


def file_from(row: Mapping[Any, Any]) -> StoredFile:
    """Return a file from a row of `files` with `root_kind` and `root_url` of its storage root."""
    return StoredFile(
        account_id=row["user_id"],
        size_bytes=row["file_size_bytes"],
        category=row["chosen_category"] or row["category"],
        chosen_category=row["chosen_category"],
        found_category=row["category"],
        mime=row["mime_type"],
        md5=row["md5_hash"],
        sha256=row["sha256_hash"],
        tags=tuple(row["tags"]),
        is_managed=row["root_kind"] == RootKind.MANAGED,
        is_published=row["last_job_id"] is not None,
        details=row["metadata"],
        **{name: row[name] for name in _SAME_NAME_OF_FILES},
    )


_SAME_NAME_OF_FILES = (
    "id",
    "filename",
    "coarse_category",
    "created_at",
    "updated_at",
    "deleted_at",
    "purge_after",
    "version",
    "root_id",
    "root_url",
    "storage_key",
    "storage_version",
)
"""Fields of a file that are columns of the same name and type."""


def connection_from(row: Mapping[Any, Any]) -> Connection:
    """Return a connection from a row of `connections`."""
    return Connection(
        id=row["id"],
        account_id=row["user_id"],
        type=ConnectionType(row["type"]),
        name=row["name"],
        root_url=row["root_url"],
        endpoint_url=row["endpoint_url"],
        region=row["region"],
        sealed=row["sealed_credentials"],
        created_at=row["created_at"],
    )


def event_from(row: Mapping[Any, Any]) -> JobEvent:
    """Return an event from a row of `job_events`."""
    return JobEvent(
        job_id=row["job_id"],
        seq=row["seq"],
        attempt=row["attempt"],
        kind=row["kind"],
        data=row["data"],
        created_at=row["created_at"],
    )


def decision_values(decision: Decision) -> dict[str, Any]:
    """Return the column values of a decision; whose it is and when, others say."""
    return {
        "sha256": decision.sha256,
        "other_sha256": decision.other_sha256,
        "kind": decision.kind.value,
        "kept_key": decision.kept_key,
        "note": decision.note,
    }


def decision_from(row: Mapping[Any, Any]) -> Decision:
    """Return a decision from a row of `duplicate_decisions`."""
    return Decision(
        kind=DecisionKind(row["kind"]),
        sha256=row["sha256"],
        other_sha256=row["other_sha256"],
        kept_key=row["kept_key"],
        note=row["note"],
        decided_at=row["decided_at"],
    )
