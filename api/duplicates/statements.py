"""What the room of duplicates asks of Postgres.

A group is of contents, account-wide: every live file of one SHA-256, and with a threshold below 1
the contents that the newest run over their root found to be like it (a star around its keeper's
content). A content is in one group only: its own star's before another's, then the most similar.
"""

from sqlalchemy import TextClause, text

from api.shell.events import EXACT_GROUPS, NOT_HIDDEN

NEAR = """
near AS MATERIALIZED (
    SELECT DISTINCT ON (f.sha256_hash) f.sha256_hash AS content, k.sha256_hash AS star,
           CASE WHEN m.is_keeper THEN 1.0 ELSE m.similarity_ratio END AS similarity
      FROM duplicate_groups g
      JOIN duplicate_members m ON m.group_id = g.id
      JOIN files f ON f.id = m.file_id
      JOIN duplicate_members km ON km.group_id = g.id AND km.is_keeper
      JOIN files k ON k.id = km.file_id
     WHERE g.user_id = :account AND g.truth_class <> 'full_hash' AND g.ignored_at IS NULL
       AND f.sha256_hash IS NOT NULL AND k.sha256_hash IS NOT NULL
       AND (m.is_keeper OR m.similarity_ratio >= :threshold)
       AND EXISTS (SELECT FROM files l WHERE l.user_id = :account AND l.deleted_at IS NULL
                      AND l.sha256_hash = k.sha256_hash)
       AND NOT EXISTS (SELECT FROM duplicate_decisions d
            WHERE d.user_id = :account AND d.kind = 'not_duplicate'
              AND d.sha256 = least(f.sha256_hash, k.sha256_hash)
              AND d.other_sha256 = greatest(f.sha256_hash, k.sha256_hash))
     ORDER BY f.sha256_hash, m.is_keeper DESC, m.similarity_ratio DESC, g.id)"""
"""Contents that are like another one. A member that has gone still stands for its content."""

NO_NEAR = """
near AS (SELECT NULL::text AS content, NULL::text AS star, 1.0::float8 AS similarity
          WHERE false)"""

NEAR_SHOWN = """
    SELECT coalesce(n.star, f.sha256_hash) AS hash, count(*) AS files,
           sum(f.file_size_bytes)
             - max(f.file_size_bytes) FILTER (WHERE f.sha256_hash = coalesce(n.star, f.sha256_hash))
           AS wasted
      FROM files f LEFT JOIN near n ON n.content = f.sha256_hash
     WHERE f.user_id = :account AND f.deleted_at IS NULL AND f.sha256_hash IS NOT NULL
       AND f.file_size_bytes > 0
     GROUP BY 1 HAVING count(*) > 1 AND max(f.file_size_bytes) >= :min_bytes"""
"""Groups of equal and of similar contents."""

IN_CATEGORY = """
 c.user_id = :account AND c.deleted_at IS NULL
   AND (lower(c.coarse_category) = lower(:category)
        OR lower(coalesce(c.chosen_category, c.category)) = lower(:category))"""

OF_CATEGORY = f"""
 AND (EXISTS (SELECT FROM files c WHERE c.sha256_hash = g.hash AND {IN_CATEGORY})
      OR EXISTS (SELECT FROM near n JOIN files c ON c.sha256_hash = n.content
                  WHERE n.star = g.hash AND {IN_CATEGORY}))"""  # noqa: S608 - our own text
"""A group is of a category when one of its files is; it is shown whole. Asked of groups, which are
few, and not of files."""

PAGE_OF = """
SELECT t.groups, t.duplicates, t.wasted AS all_wasted, p.hash, p.files, p.wasted
  FROM (SELECT count(*) AS groups, coalesce(sum(files - 1), 0)::bigint AS duplicates,
               coalesce(sum(wasted), 0)::bigint AS wasted FROM shown) t
  LEFT JOIN LATERAL (
    SELECT * FROM shown ORDER BY wasted DESC, hash LIMIT :limit OFFSET :offset) p ON true
 ORDER BY p.wasted DESC, p.hash"""


def shown(*, is_near: bool, category: str | None) -> str:
    """Return the CTEs that say which groups are shown.

    Parameters: account, min_bytes; threshold or category where asked for.
    """
    groups = NEAR_SHOWN if is_near else EXACT_GROUPS
    narrowed = OF_CATEGORY if category else ""
    return f"""
WITH {NEAR if is_near else NO_NEAR},
found AS ({groups}),
shown AS (SELECT * FROM found g WHERE {NOT_HIDDEN} {narrowed})"""  # noqa: S608 - our own text


def page(*, is_near: bool, category: str | None) -> TextClause:
    """Return the statement for one page of groups with the totals of all pages."""
    return text(shown(is_near=is_near, category=category) + PAGE_OF)


def members(*, is_near: bool) -> TextClause:
    """Return the statement for the files of groups. Parameters: account, hashes, most."""
    return text(f"""
WITH {NEAR if is_near else NO_NEAR},
wanted AS (
    SELECT h.hash, h.hash AS content, 1.0::float8 AS similarity
      FROM unnest(CAST(:hashes AS text[])) AS h (hash)
     UNION ALL
    SELECT n.star, n.content, n.similarity FROM near n
     WHERE n.star = ANY(:hashes) AND n.content <> n.star),
placed AS (
    SELECT w.hash, w.similarity, f.*, r.kind AS root_kind, r.url AS root_url,
           row_number() OVER (PARTITION BY w.hash ORDER BY w.content <> w.hash, w.similarity DESC,
               r.kind <> 'managed', f.is_duplicate, f.created_at, f.id) AS place
      FROM wanted w
      JOIN files f ON f.user_id = :account AND f.sha256_hash = w.content
       AND f.deleted_at IS NULL AND f.file_size_bytes > 0
      JOIN storage_roots r ON r.id = f.root_id)
SELECT * FROM placed WHERE place <= :most ORDER BY hash, place""")  # noqa: S608 - our own text


STAR_OF = text(f"""
WITH {NEAR}
SELECT star FROM near WHERE content = :content""")  # noqa: S608 - our own text
"""The group of lookalikes that a content is in. Parameters: account, content, threshold."""

IGNORE = text("""
INSERT INTO duplicate_ignores (user_id, sha256) VALUES (:account, :content)
ON CONFLICT DO NOTHING""")

SHOW_AGAIN = text("""
DELETE FROM duplicate_ignores WHERE user_id = :account AND sha256 = :content""")

LOCK_COPIES = text("""
SELECT f.id::text AS file_id, f.sha256_hash AS content, f.root_id::text AS root_id,
       f.file_size_bytes AS size_bytes, r.kind = 'managed' AS is_managed,
       f.is_duplicate AS is_flagged, f.created_at, r.url AS root_url, f.storage_key
  FROM files f JOIN storage_roots r ON r.id = f.root_id
 WHERE f.user_id = :account AND f.deleted_at IS NULL AND f.file_size_bytes > 0
   AND f.sha256_hash IN (
        SELECT sha256_hash FROM files WHERE user_id = :account AND deleted_at IS NULL
           AND id = ANY(CAST(:ids AS uuid[])) AND sha256_hash IS NOT NULL)
 ORDER BY f.id FOR UPDATE OF f""")
"""All copies of what is named, locked: who deletes another copy at the same time waits, and what
was deleted meanwhile is not there. In one order, so that two removals never wait for each other."""

WITHOUT_CONTENT = text("""
SELECT id::text FROM files WHERE user_id = :account AND deleted_at IS NULL
   AND id = ANY(CAST(:ids AS uuid[])) AND (sha256_hash IS NULL OR file_size_bytes = 0)""")

ALIKE = text("""
SELECT DISTINCT f.id::text FROM files f
  JOIN files o ON o.user_id = :account AND o.sha256_hash = f.sha256_hash
  JOIN duplicate_members m ON m.file_id = o.id
  JOIN duplicate_groups g ON g.id = m.group_id AND g.user_id = :account
   AND g.truth_class <> 'full_hash'
 WHERE f.user_id = :account AND f.id = ANY(CAST(:ids AS uuid[]))""")
"""Files whose content is in a group of lookalikes."""

TRASH = text("""
UPDATE files SET deleted_at = now(), updated_at = now(), version = version + 1,
       purge_after = now() + make_interval(days => CAST(:days AS integer))
 WHERE user_id = :account AND id = ANY(CAST(:ids AS uuid[])) AND deleted_at IS NULL""")
"""Bytes and rows stay until the trash is emptied; a restore takes this back."""
