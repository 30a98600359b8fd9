"""Files over HTTP: lists, facts, changes, bytes, the trash."""

import hashlib
import itertools
import uuid
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from api_world import Newcomer, api, newcomer, sql
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from models.domain.files import FileFilter, FileSort, TagMatch, sort_key

__all__ = ["api"]
pytestmark = pytest.mark.service

LISTED = {
    *("id", "filename", "size_bytes", "category", "tags", "storage_path", "thumbnail_url"),
    *("md5_hash", "created_at"),
}
CATEGORIES = ("Images", "Documents", "Finance", None)
TAGS = ("a", "b", "c", "d")


def upload(api: TestClient, me: Newcomer, name: str, data: bytes, **fields) -> dict:
    answer = api.post(
        "/v1/files/upload", headers=me.headers, files={"file": (name, data)}, data=fields
    )
    assert answer.status_code == 201, answer.text
    return answer.json()["file"]


def get(api: TestClient, me: Newcomer, path: str, **parameters):
    return api.get(f"/v1{path}", headers=me.headers, params=parameters)


def test_a_file_is_listed_shown_and_downloaded(api):
    me = newcomer(api)
    data = bytes(range(256)) * 10
    made = upload(api, me, "Größe \u202e.txt", data, tags=["x"])
    listed = get(api, me, "/files").json()
    assert [set(each) for each in listed["files"]] == [LISTED]
    assert listed["pagination"] == {
        "page": 1,
        "per_page": 50,
        "total": 1,
        "pages": 1,
        "next_cursor": None,
    }
    shown = get(api, me, f"/files/{made['id']}")
    assert shown.headers["ETag"] == '"v1"'
    file = shown.json()["file"]
    assert file["metadata"] == {"width": None, "height": None, "camera": None}
    whole = api.get(file["download_url"])
    assert (whole.status_code, whole.content) == (200, data)
    assert whole.headers["ETag"] == f'"{hashlib.sha256(data).hexdigest()}"'
    assert whole.headers["X-Content-Type-Options"] == "nosniff"
    disposition = whole.headers["Content-Disposition"]
    assert disposition.startswith('attachment; filename="')
    assert disposition.endswith(f"filename*=UTF-8''{quote(file['filename'], safe='')}")


@pytest.mark.parametrize(
    ("asked", "status", "piece", "told"),
    [
        ("bytes=0-9", 206, slice(0, 10), "bytes 0-9/1000"),
        ("bytes=990-", 206, slice(990, None), "bytes 990-999/1000"),
        ("bytes=990-5000", 206, slice(990, None), "bytes 990-999/1000"),
        ("bytes=-1", 206, slice(999, None), "bytes 999-999/1000"),
        ("bytes=1000-", 416, None, "bytes */1000"),
        ("bytes=-0", 416, None, "bytes */1000"),
        ("bytes=5-2", 200, slice(None), None),
        ("bytes=0-1,3-4", 200, slice(None), None),
        ("lines=1-2", 200, slice(None), None),
    ],
)
def test_ranges(api, asked, status, piece, told):
    me = newcomer(api)
    data = bytes(n % 251 for n in range(1000))
    made = upload(api, me, "f.bin", data)
    path = f"/v1/files/{made['id']}/content"
    answer = api.get(path, headers={**me.headers, "Range": asked})
    assert answer.status_code == status
    assert answer.headers.get("Content-Range") == told
    if piece is not None:
        assert answer.content == data[piece]


def test_who_has_the_bytes_gets_none(api):
    me = newcomer(api)
    made = upload(api, me, "f.bin", b"abc")
    path = f"/v1/files/{made['id']}/content"
    tag = api.get(path, headers=me.headers).headers["ETag"]
    assert api.get(path, headers={**me.headers, "If-None-Match": tag}).status_code == 304
    other = {**me.headers, "If-Range": '"other"', "Range": "bytes=0-0"}
    assert api.get(path, headers=other).content == b"abc"


def test_a_link_opens_one_file_of_one_account_for_minutes(api):
    me = newcomer(api)
    one, two = (upload(api, me, f"{n}.txt", bytes([n])) for n in (1, 2))
    link = get(api, me, f"/files/{one['id']}").json()["file"]["download_url"]
    assert api.get(link).status_code == 200
    assert api.get(link.replace(one["id"], two["id"])).status_code == 401
    assert api.get(link[:-2]).status_code == 401
    assert api.get(link.partition("?")[0]).status_code == 401
    refused = api.get(link.partition("?")[0], headers={"Authorization": "Bearer nonsense"})
    assert refused.status_code == 401


def test_changes_are_kept_and_a_stale_one_is_refused(api):
    me = newcomer(api)
    made = upload(api, me, "a.txt", b"a", tags=["x", "y"])
    path = f"/v1/files/{made['id']}"
    wish = {"filename": "../b.txt", "category": "Documents", "tags": ["y", "z"]}
    answer = api.patch(path, headers={**me.headers, "If-Match": '"v1"'}, json=wish)
    assert answer.status_code == 200, answer.text
    file = answer.json()["file"]
    assert (file["filename"], file["category"], file["tags"]) == ("b.txt", "Documents", ["y", "z"])
    assert answer.headers["ETag"] == '"v2"'
    stale = api.patch(path, headers={**me.headers, "If-Match": '"v1"'}, json={"tags": []})
    assert stale.status_code == 412
    uses = dict(sql(api, "SELECT tag_name, usage_count FROM file_tags WHERE user_id = %s", me.id))
    assert uses == {"x": 0, "y": 1, "z": 1}
    back = api.patch(path, headers=me.headers, json={"category": None}).json()["file"]
    assert back["category"] is None
    assert api.patch(path, headers=me.headers, json={"category": "Nonsense"}).status_code == 422
    assert api.patch(path, headers=me.headers, json={"size_bytes": 1}).status_code == 422


def test_the_trash_keeps_and_gives_back(api):
    me = newcomer(api)
    made = upload(api, me, "a.txt", b"a")
    path = f"/v1/files/{made['id']}"
    assert api.delete(path, headers=me.headers).status_code == 204
    assert api.delete(path, headers=me.headers).status_code == 404
    assert get(api, me, f"/files/{made['id']}").status_code == 404
    assert api.get(f"{path}/content", headers=me.headers).status_code == 404
    assert get(api, me, "/files").json()["files"] == []
    assert [each["id"] for each in get(api, me, "/trash").json()["files"]] == [made["id"]]
    [(days,)] = sql(api, "SELECT (purge_after - deleted_at) FROM files WHERE id = %s", made["id"])
    assert days == timedelta(days=7)
    assert sql(api, "SELECT storage_used_bytes FROM users WHERE id = %s", me.id) == [(1,)]
    assert api.post(f"{path}/restore", headers=me.headers).status_code == 200
    assert api.post(f"{path}/restore", headers=me.headers).status_code == 404
    assert api.get(f"{path}/content", headers=me.headers).content == b"a"
    api.delete(path, headers=me.headers)
    assert api.delete("/v1/trash", headers=me.headers).json() == {"files": 1}
    assert get(api, me, "/trash").json()["files"] == []
    assert api.post(f"{path}/restore", headers=me.headers).status_code == 404


def test_many_at_once_each_with_its_result(api):
    me, them = newcomer(api, plan="pro"), newcomer(api)
    mine = [upload(api, me, f"{n}.txt", bytes([n]))["id"] for n in range(3)]
    theirs = upload(api, them, "t.txt", b"t")["id"]

    def bulk(**wish):
        answer = api.post("/v1/files/bulk", headers=me.headers, json=wish)
        assert answer.status_code == 200, answer.text
        return [each["status"] for each in answer.json()["results"]]

    ids = [mine[0], theirs, mine[1], mine[0]]
    assert bulk(action="tag", file_ids=ids, tags=["n"]) == ["done", "failed", "done"]
    assert bulk(action="tag", file_ids=mine, tags=["n"]) == ["unchanged", "unchanged", "done"]
    assert bulk(action="move_category", file_ids=ids[:2], category="Audio") == ["done", "failed"]
    assert bulk(action="delete", file_ids=ids) == ["done", "failed", "done"]
    assert bulk(action="delete", file_ids=mine) == ["unchanged", "unchanged", "done"]
    assert bulk(action="restore", file_ids=[*mine, theirs]) == ["done", "done", "done", "failed"]
    wrong = {"action": "tag", "file_ids": mine}
    assert api.post("/v1/files/bulk", headers=me.headers, json=wrong).status_code == 422
    assert get(api, them, f"/files/{theirs}").status_code == 200


def test_contents_are_known_to_their_owner_alone(api):
    me, them = newcomer(api), newcomer(api)
    mine = upload(api, me, "a", b"a")
    upload(api, them, "b", b"b")
    hashes = [hashlib.sha256(each).hexdigest() for each in (b"a", b"b")]
    answer = api.post("/v1/files/check", headers=me.headers, json={"sha256": hashes})
    assert answer.json() == {"existing": {hashes[0]: mine["id"]}}


def test_a_thumbnail_is_pending_until_the_flow_was_there(api):
    me = newcomer(api)
    made = upload(api, me, "a.jpg", b"a")
    assert get(api, me, f"/files/{made['id']}/thumbnail").status_code == 202


@pytest.fixture
def many(api):
    """An account with files made by SQL, as the domain sees them."""
    me = newcomer(api)
    [(root,)] = sql(
        api,
        "INSERT INTO storage_roots (user_id, kind, url) VALUES (%s, 'managed', 'memory://many')"
        " RETURNING id::text",
        me.id,
    )
    start = datetime(2026, 1, 1, tzinfo=UTC)
    sql(
        api,
        "INSERT INTO files (user_id, root_id, storage_key, storage_path, storage_version,"
        " modified_ns, filename, file_size_bytes, category, coarse_category, tags, created_at,"
        " deleted_at, purge_after)"
        " SELECT %s, %s, n::text, n::text, 'v', 0, 'f' || (n %% 97), n %% 31,"
        " (ARRAY['Images', 'Documents', 'Finance', NULL])[1 + n %% 4],"
        " (ARRAY['Images', 'Documents', 'Documents', 'Others'])[1 + n %% 4],"
        " CASE n %% 5 WHEN 0 THEN '{}' WHEN 1 THEN '{a}' WHEN 2 THEN '{a,b}' WHEN 3 THEN '{b,c}'"
        " ELSE '{d}' END::text[],"
        " %s::timestamptz + (n %% 13) * interval '1 hour',"
        " CASE WHEN n %% 50 = 0 THEN now() END, CASE WHEN n %% 50 = 0 THEN now() + interval '1 d'"
        " END FROM generate_series(1, 10000) AS n",
        me.id,
        root,
        start,
    )
    return me


class Seen:
    """What the domain compares, of a listed file."""

    def __init__(self, row):
        self.id, self.filename, self.size_bytes = row[0], row[1], row[2]
        self.category, self.coarse_category, self.tags, self.created_at = row[3:7]


def test_lists_are_what_a_search_of_all_files_gives(api, many):
    rows = sql(
        api,
        "SELECT id::text, filename, file_size_bytes, category, coarse_category, tags, created_at"
        " FROM files WHERE user_id = %s AND deleted_at IS NULL",
        many.id,
    )
    every = [Seen(row) for row in rows]

    @settings(
        max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(
        category=st.sampled_from(("Images", "Documents", "Finance", "Others", "None", None)),
        tags=st.lists(st.sampled_from(TAGS), max_size=2, unique=True),
        match=st.sampled_from(TagMatch),
        sort=st.sampled_from(FileSort),
        order=st.sampled_from(("asc", "desc")),
        per_page=st.sampled_from((7, 50, 200)),
        page=st.integers(1, 8),
    )
    def compare(category, tags, match, sort, order, per_page, page):  # noqa: PLR0917 - drawn
        wanted = FileFilter(category=category, tags=tuple(tags), match=match)
        expected = sorted(
            (each for each in every if wanted.takes(each)),
            key=lambda each: sort_key(each, sort),
            reverse=order == "desc",
        )
        asked = {"tags": tags, "match": match.value, "sort_by": sort.value, "order": order}
        asked |= {"per_page": per_page} | ({"category": category} if category else {})
        answer = get(api, many, "/files", page=page, **asked).json()
        first = (page - 1) * per_page
        assert [each["id"] for each in answer["files"]] == [
            each.id for each in expected[first : first + per_page]
        ]
        assert answer["pagination"]["total"] == len(expected)
        assert answer["pagination"]["pages"] == -(-len(expected) // per_page)
        cursor = answer["pagination"]["next_cursor"]
        assert (cursor is None) == (first + per_page >= len(expected))
        if cursor is not None:
            onward = get(api, many, "/files", cursor=cursor, **asked).json()["files"]
            later = expected[first + per_page : first + 2 * per_page]
            assert [each["id"] for each in onward] == [each.id for each in later]

    compare()


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("sort", list(FileSort))
def test_parts_by_cursor_are_the_whole_list_without_repeats(api, many, sort, order):
    seen: list[str] = []
    cursor: dict[str, str] = {}
    for _ in itertools.count():
        part = get(
            api, many, "/files", sort_by=sort.value, order=order, per_page=200, **cursor
        ).json()
        seen += [each["id"] for each in part["files"]]
        if part["pagination"]["next_cursor"] is None:
            break
        cursor = {"cursor": part["pagination"]["next_cursor"]}
    assert len(seen) == len(set(seen)) == 9800


def test_a_cursor_belongs_to_its_order(api, many):
    first = get(api, many, "/files", per_page=1).json()["pagination"]["next_cursor"]
    assert get(api, many, "/files", cursor=first, sort_by="size").status_code == 422
    assert get(api, many, "/trash", cursor=first).status_code == 422
    assert get(api, many, "/files", cursor="e30").status_code == 422
    assert get(api, many, "/files", page=999).json()["files"] == []
    assert get(api, many, "/files", page=0).status_code == 422
    assert get(api, many, "/files", per_page=201).status_code == 422


def test_where_it_was_taken_is_told_only_when_asked_for(api):
    me = newcomer(api)
    made = upload(api, me, "a.jpg", b"a")
    facts = (
        '{"width": 1920, "height": 1080, "camera_make": "Canon", "camera_model": "Canon EOS R5",'
        ' "latitude": 1.5, "longitude": 2.5}'
    )
    sql(api, "UPDATE files SET metadata = %s WHERE id = %s", facts, made["id"])
    plain = get(api, me, f"/files/{made['id']}").json()["file"]["metadata"]
    assert plain == {"width": 1920, "height": 1080, "camera": "Canon EOS R5"}
    full = get(api, me, f"/files/{made['id']}", gps=True).json()["file"]["metadata"]
    assert (full["latitude"], full["longitude"]) == (1.5, 2.5)


def test_another_accounts_file_is_a_missing_one(api):
    me, them = newcomer(api), newcomer(api)
    theirs = upload(api, them, "t.txt", b"t")["id"]
    for method, path in (
        ("GET", "/files/{}"),
        ("PATCH", "/files/{}"),
        ("DELETE", "/files/{}"),
        ("POST", "/files/{}/restore"),
        ("GET", "/files/{}/content"),
        ("GET", "/files/{}/thumbnail"),
    ):
        answers = [
            api.request(
                method,
                f"/v1{path.format(each)}",
                headers=me.headers,
                json={} if method == "PATCH" else None,
            )
            for each in (theirs, uuid.uuid4())
        ]
        assert [each.status_code for each in answers] == [404, 404], path
        assert answers[0].json()["detail"] == answers[1].json()["detail"]
