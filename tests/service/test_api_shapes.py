"""The exact field sets of the specification (`product.md`), for every endpoint it names.

Each is looked up in the API's own OpenAPI document, which FastAPI makes every answer satisfy. What
we give beyond the specification is said here field by field, with its reason.
"""

import pytest
from api_world import api, app_of

__all__ = ["api"]

pytestmark = pytest.mark.service

USER = {"id", "email", "username", "subscription_tier"}
SIGNED_IN = {"user": USER, "access_token": None, "refresh_token": None}
UPLOADED = {
    *("id", "filename", "size_bytes", "category"),
    *("storage_path", "thumbnail_url", "md5_hash", "created_at"),
}
LISTED = UPLOADED | {"tags"}  # as GET /files/{id} has it; lists are filtered by tags
PAGINATION = {
    *("page", "per_page", "total", "pages"),
    "next_cursor",  # endpoints.md: lists go on by cursor, too
}
JOB = {
    *("id", "status", "progress", "files_processed", "files_moved", "duplicates_found"),
    *("errors_count", "started_at", "estimated_completion"),
}
TAG = {"id", "tag_name", "tag_color", "usage_count", "created_at"}  # columns of file_tags

SPECIFIED = {
    ("POST", "/auth/register", 201): SIGNED_IN,
    ("POST", "/auth/login", 200): SIGNED_IN,
    ("POST", "/auth/refresh", 200): {
        "access_token": None,
        "refresh_token": None,  # ruling: tokens rotate, so the next one comes along
    },
    ("POST", "/files/upload", 201): {"file": UPLOADED},
    ("GET", "/files", 200): {"files": LISTED, "pagination": PAGINATION},
    ("GET", "/files/{file_id}", 200): {
        "file": {
            *("id", "filename", "size_bytes", "category", "tags", "metadata", "download_url"),
            "created_at",
        }
    },
    ("POST", "/organize/jobs", 202): {"job": {"id", "status", "created_at"}},
    ("GET", "/organize/jobs/{job_id}", 200): {"job": JOB},
    ("DELETE", "/organize/jobs/{job_id}", 200): {"message": None},
    ("GET", "/duplicates", 200): {
        "duplicate_groups": {
            "hash": None,
            "original_file": LISTED,
            "duplicates": {"file": LISTED, "similarity": None},
            "space_wasted_bytes": None,
        },
        "total_duplicates": None,
        "total_space_wasted_gb": None,
        "pagination": PAGINATION,  # endpoints.md: every list has it
    },
    ("POST", "/duplicates/delete", 200): {
        "deleted_count": None,
        "space_freed_bytes": None,
        "skipped": {"file_id", "reason"},  # R77: what is ignored is reported
        "jobs": {"id", "status"},  # connected folders are changed by jobs
    },
    ("GET", "/analytics/dashboard", 200): {
        "storage": {"used_gb", "quota_gb", "percentage"},
        "files": {"total_count", "by_category"},
        "duplicates": {"count", "space_wasted_gb"},
        "recent_activity": {"id", "type", "text", "data", "created_at"},  # left open there
    },
    # endpoints.md
    ("GET", "/search", 200): {
        "results": {"file": LISTED, "score": None, "highlights": {"field", "fragment", "matches"}},
        "mode": None,  # which way was searched in the end
        "note": None,  # why not by meaning
        "pagination": PAGINATION,
    },
    ("GET", "/notifications", 200): {
        "notifications": {"id", "kind", "title", "body", "data", "read_at", "created_at"},
        "unread_count": None,
        "pagination": PAGINATION,
    },
    ("POST", "/duplicates/scan", 202): {"job": {"id", "status", "created_at"}},
    ("GET", "/organize/modes", 200): {"modes": {"id", "description", "example_path", "plan"}},
    ("POST", "/organize/preview", 202): {
        "preview": {
            **dict.fromkeys(("id", "plan_hash", "operations_total", "conflicts", "duplicates")),
            "sample": {"from", "to", "reason"},
        }
    },
    ("GET", "/organize/jobs", 200): {"jobs": JOB, "pagination": PAGINATION},
    ("GET", "/organize/jobs/{job_id}/operations", 200): {
        "operations": {"seq", "from", "to", "sha256", "state", "error"},
        "pagination": PAGINATION,
    },
    ("POST", "/organize/jobs/{job_id}/undo", 202): {"job": JOB},
    ("POST", "/organize/rules", 201): {"rule": {"id", "when", "then", "priority"}},
    ("GET", "/tags", 200): {"tags": TAG, "pagination": PAGINATION},
    ("POST", "/tags", 201): {"tag": TAG},
    ("PATCH", "/tags/{tag_id}", 200): {"tag": TAG},
    ("POST", "/tags/{tag_id}/merge", 200): {"tag": TAG},
    ("GET", "/me/entitlements", 200): {"plan": None, "features": None, "limits": None},
    ("GET", "/me", 200): {"user": None},
}


def resolved(document, schema):
    """The one schema that a reference, an optional, a list or a union means."""
    while True:
        if "$ref" in schema:
            schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        elif "items" in schema:
            schema = schema["items"]
        elif "anyOf" in schema:
            schema = next(each for each in schema["anyOf"] if each.get("type") != "null")
        else:
            return schema


def differences(document, schema, wanted, where):
    fields = resolved(document, schema).get("properties", {})
    if set(fields) != set(wanted):
        yield f"{where}: {sorted(set(fields) ^ set(wanted))}"
    if isinstance(wanted, dict):
        for name, inner in wanted.items():
            if inner is not None and name in fields:
                yield from differences(document, fields[name], inner, f"{where}.{name}")


def test_answers_have_the_specified_fields_and_no_others(api):
    document = app_of(api).openapi()
    wrong, missing = [], []
    for (method, path, status), wanted in SPECIFIED.items():
        operation = document["paths"].get(f"/v1{path}", {}).get(method.lower())
        if operation is None:
            missing.append(f"{method} {path}")
            continue
        content = operation["responses"][str(status)]["content"]["application/json"]
        wrong += differences(document, content["schema"], wanted, f"{method} {path}")
    assert wrong == []
    if missing:
        pytest.skip(f"{len(SPECIFIED) - len(missing)} held; not served here: {missing}")


def test_every_operation_documents_its_errors_as_problems(api):
    document = app_of(api).openapi()
    lacking = []
    for path, operations in document["paths"].items():
        if path == "/v1/readyz":
            continue  # its 503 is the same report as its 200
        for method, operation in operations.items():
            for status, answer in operation["responses"].items():
                if status.startswith(("4", "5")) and "application/problem+json" not in (
                    answer.get("content") or {}
                ):
                    lacking.append(f"{method} {path} {status}")
            is_open = not operation.get("security")
            if not is_open and "401" not in operation["responses"]:
                lacking.append(f"{method} {path}: 401")
    assert lacking == []
