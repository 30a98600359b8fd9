"""Two tenants: for every operation that takes an id, another's is answered as a missing one."""

import json
import secrets
import uuid

import pytest
from api_world import api, app_of, newcomer, sql

__all__ = ["api"]
pytestmark = pytest.mark.service

ROOT = "WITH r AS (INSERT INTO storage_roots (user_id, kind, url) VALUES (%s, 'managed', 'memory://m' || gen_random_uuid()) RETURNING user_id, id) "  # noqa: E501 -- one statement
JOB = (
    ROOT + "INSERT INTO organization_jobs (user_id, source_path, destination_path,"
    " source_root_id, destination_root_id, organization_mode, operation_type)"
    " SELECT user_id, 'memory://m', 'memory://m', id, id, 'category_year', 'move'"
    " FROM r RETURNING id::text"
)
FILE = (
    ROOT + "INSERT INTO files (user_id, root_id, storage_key, storage_path, storage_version,"
    " modified_ns, filename, file_size_bytes) SELECT user_id, id, 'k', 'k', 'v', 0, 'f', 1"
    " FROM r RETURNING id::text"
)
MAKERS = {
    "file_id": FILE,
    "rule_id": (
        "INSERT INTO rules (user_id, priority, condition, action)"
        """ VALUES (%s, 1, '{"extensions": ["pdf"]}', '{"stay": true}') RETURNING id::text"""
    ),
    "schedule_id": (
        "INSERT INTO schedules (user_id, cron, job_template, next_due_at)"
        " VALUES (%s, '0 3 * * *', '{}', now() + interval '1 day') RETURNING id::text"
    ),
    "tag_id": (
        "INSERT INTO file_tags (user_id, tag_name) VALUES (%s, gen_random_uuid()::text)"
        " RETURNING id::text"
    ),
    "job_id": JOB,
    "preview_id": JOB,
    "connection_id": (
        "INSERT INTO connections (user_id, type, root_url)"
        " VALUES (%s, 'local', 'file:///' || gen_random_uuid()) RETURNING id::text"
    ),
    "session_id": (
        "INSERT INTO auth_sessions (user_id, family_hash, current_hash, expires_at)"
        " VALUES (%s, sha256(random()::text::bytea), sha256(random()::text::bytea),"
        " now() + interval '1 h') RETURNING id::text"
    ),
    "group_id": (
        ROOT + "INSERT INTO duplicate_groups (user_id, root_id, truth_class, group_key)"
        " SELECT user_id, id, 'full_hash', encode(sha256(random()::text::bytea), 'hex')"
        " FROM r RETURNING group_key"
    ),
    "notification_id": (
        "INSERT INTO notifications (user_id, kind, title) VALUES (%s, 'job_completed', 't')"
        " RETURNING id::text"
    ),
    "upload_id": (
        "INSERT INTO upload_sessions (user_id, filename, size_bytes, expires_at)"
        " VALUES (%s, 'f', 1, now() + interval '1 h') RETURNING id::text"
    ),
}
"""By the name of an id in a path: how one of another tenant is made."""

BODIES = {
    "/v1/organize/rules/{rule_id}": {"when": {"extensions": ["pdf"]}, "then": {"stay": True}},
    "/v1/organize/schedules/{schedule_id}": {"is_active": True},
    "/v1/duplicates/{group_id}/resolve": {"keep": [str(uuid.uuid4())], "action": "trash"},
    "/v1/notifications/{notification_id}": {"read": True},
    "/v1/files/{file_id}": {"filename": "other"},
    "/v1/tags/{tag_id}": {"tag_name": "other"},
    "/v1/tags/{tag_id}/merge": {"tag_name": "other"},
}
TUS = {
    "Tus-Resumable": "1.0.0",
    "Upload-Offset": "0",
    "Content-Type": "application/offset+octet-stream",
}


def test_another_tenants_id_is_answered_as_a_missing_one(api) -> None:
    me, them = newcomer(api, is_stepped_up=True), newcomer(api)
    paths = app_of(api).openapi()["paths"]
    leaks, seen, unmade = [], 0, set()
    for path, operations in paths.items():
        if path.count("{") != 1:
            continue
        name = path.split("{")[1].split("}")[0]
        if name not in MAKERS:
            unmade.add(name)
            continue
        [(theirs,)] = sql(api, MAKERS[name], them.id)
        for method in operations:
            answers = []
            missing = secrets.token_hex(32) if len(theirs) == 64 else str(uuid.uuid4())
            for identity in (theirs, missing):
                headers = me.headers | (TUS if "/uploads/" in path else {})
                body = None if "/uploads/" in path else BODIES.get(path)
                answer = api.request(
                    method, path.replace(f"{{{name}}}", identity), headers=headers, json=body
                )
                told = json.loads(answer.text) if answer.text else {}
                told.pop("request_id", None)
                answers.append((answer.status_code, json.dumps(told).replace(identity, "ID")))
            seen += 1
            if answers[0] != answers[1] or answers[0][0] != 404:
                leaks.append((method, path, answers))
    assert leaks == []
    assert seen >= len(MAKERS)
    if unmade:
        pytest.skip(f"{seen} operations held; ids that nothing here makes: {sorted(unmade)}")
