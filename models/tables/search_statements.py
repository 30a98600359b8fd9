"""What searching asks of Postgres, from the pipeline's side and the API's; as psycopg takes it.

`d` is a document, `f` its file, `t` a text, `r` a storage root. `SCOPE` and what it names come from
`models.domain.search.scope_parameters`.
"""

from typing import LiteralString

SCOPE: LiteralString = """
   f.deleted_at IS NULL AND starts_with(f.storage_key, %(prefix)s)
   AND (%(category)s::text IS NULL
        OR coalesce(f.chosen_category, f.category) = %(category)s
        OR f.coarse_category = %(category)s)
   AND (%(tags)s::text[] IS NULL OR f.tags @> %(tags)s::text[])
   AND (%(media_type)s::text IS NULL OR f.mime_type = %(media_type)s
        OR starts_with(f.mime_type, %(media_type)s || '/') OR f.file_extension = %(media_type)s)
   AND (%(since)s::timestamptz IS NULL OR f.created_at >= %(since)s::timestamptz)
   AND (%(until)s::timestamptz IS NULL OR f.created_at < %(until)s::timestamptz)"""

STALE: LiteralString = """
SELECT f.id, CASE WHEN r.kind = 'managed' THEN f.filename ELSE f.storage_key END,
       t.sample, m.made_of FROM files f
  JOIN storage_roots r ON r.id = f.root_id
  LEFT JOIN content_texts t ON t.sha256 = f.sha256_hash
  LEFT JOIN search_documents d ON d.file_id = f.id
  CROSS JOIN LATERAL (SELECT md5(concat_ws(E'\\x1f', f.storage_key, f.filename, f.sha256_hash,
      coalesce(f.chosen_category, f.category), f.subcategory, array_to_string(f.tags, E'\\x1e'),
      f.metadata ->> 'title', f.metadata ->> 'artist', f.metadata ->> 'album',
      f.metadata ->> 'sender', f.metadata ->> 'camera_model', t.version, t.title)) AS made_of) m
 WHERE f.root_id = %(root)s AND f.deleted_at IS NULL AND d.made_of IS DISTINCT FROM m.made_of
 ORDER BY f.id LIMIT %(limit)s"""

MAKE_NAMES: LiteralString = """
CREATE TEMPORARY TABLE incoming_names (
    file_id uuid, name text, folders text, sample text, made_of text) ON COMMIT DROP"""

MERGE: LiteralString = """
INSERT INTO search_documents AS d (file_id, user_id, root_id, made_of, names, words)
SELECT f.id, f.user_id, f.root_id, n.made_of, lower(unaccent(n.name || ' ' || n.folders)),
    setweight(to_tsvector('fileorganizer_name', n.name), 'A')
    || setweight(to_tsvector('fileorganizer_text', n.name), 'A')
    || setweight(to_tsvector('fileorganizer_text', concat_ws(' ', f.metadata ->> 'title',
        t.title, f.metadata ->> 'artist', f.metadata ->> 'album', f.metadata ->> 'sender',
        f.metadata ->> 'camera_make', f.metadata ->> 'camera_model',
        array_to_string(f.tags, ' '))), 'B')
    || setweight(to_tsvector('fileorganizer_text',
        concat_ws(' ', coalesce(f.chosen_category, f.category), f.subcategory, n.folders)), 'C')
    || setweight(to_tsvector('fileorganizer_text', coalesce(n.sample, '')), 'D')
  FROM incoming_names n JOIN files f ON f.id = n.file_id
  LEFT JOIN content_texts t ON t.sha256 = f.sha256_hash
ON CONFLICT (file_id) DO UPDATE SET root_id = excluded.root_id, made_of = excluded.made_of,
    names = excluded.names, words = excluded.words, indexed_at = now()"""

FORGET: LiteralString = """
DELETE FROM search_documents d USING files f
 WHERE f.id = d.file_id AND d.root_id = %(root)s
   AND (f.deleted_at IS NOT NULL OR f.root_id <> d.root_id)"""

LEXEMES: LiteralString = """
SELECT word, tsvector_to_array(to_tsvector('fileorganizer_text', word)),
       tsvector_to_array(to_tsvector('fileorganizer_name', word))
  FROM unnest(%(words)s::text[]) WITH ORDINALITY AS w (word, at) ORDER BY at"""

COUNT: LiteralString = """
SELECT count(*) FROM (SELECT FROM search_documents d
  WHERE d.user_id = %(account)s AND (%(root)s::uuid IS NULL OR d.root_id = %(root)s)
    AND (%(query)s::tsquery IS NULL OR d.words @@ %(query)s::tsquery) LIMIT %(limit)s) c"""

RANK: LiteralString = f"""
SELECT coalesce(f.sha256_hash, f.id::text), max(s.score) AS best
  FROM search_documents d JOIN files f ON f.id = d.file_id
 CROSS JOIN LATERAL (
    SELECT (SELECT sum(q.worth * ts_rank(%(weights)s::real[], d.words, q.query::tsquery, 1))
              FROM unnest(%(queries)s::text[], %(worths)s::float8[]) AS q (query, worth))
         + CASE WHEN d.words @@ %(phrase)s::tsquery
                THEN %(bonus)s * ts_rank(%(weights)s::real[], d.words, %(any)s::tsquery, 1)
                ELSE 0 END AS score) s
 WHERE d.user_id = %(account)s AND (%(root)s::uuid IS NULL OR d.root_id = %(root)s)
   AND {SCOPE}
   AND d.words @@ %(candidates)s::tsquery
 GROUP BY 1 ORDER BY best DESC, 1 LIMIT %(limit)s"""  # noqa: S608 - our own text

NAMED: LiteralString = f"""
SELECT coalesce(f.sha256_hash, f.id::text), max(word_similarity(%(text)s, d.names)) AS best
  FROM search_documents d JOIN files f ON f.id = d.file_id
 WHERE d.user_id = %(account)s AND (%(root)s::uuid IS NULL OR d.root_id = %(root)s)
   AND {SCOPE}
   AND %(text)s <%% d.names
 GROUP BY 1 ORDER BY best DESC, 1 LIMIT %(limit)s"""  # noqa: S608 - our own text

FILES: LiteralString = f"""
SELECT DISTINCT ON (content) content, f.id::text, r.url, f.storage_key, f.category, f.subcategory,
       f.file_size_bytes, count(*) OVER (PARTITION BY content) - 1
  FROM unnest(%(contents)s::text[]) AS content
 CROSS JOIN LATERAL (
    SELECT * FROM files WHERE user_id = %(account)s AND sha256_hash = content
    UNION ALL
    SELECT * FROM files WHERE id = CASE WHEN length(content) = 36 THEN content::uuid END
       AND user_id = %(account)s AND sha256_hash IS NULL) f
  JOIN storage_roots r ON r.id = f.root_id
 WHERE (%(root)s::uuid IS NULL OR f.root_id = %(root)s)
   AND {SCOPE}
 ORDER BY content, f.is_duplicate, length(f.storage_key), f.storage_key"""  # noqa: S608 - our own text

CONTENTS: LiteralString = """
SELECT DISTINCT f.sha256_hash FROM files f
 WHERE f.user_id = %(account)s AND (%(root)s::uuid IS NULL OR f.root_id = %(root)s)
   AND f.deleted_at IS NULL AND starts_with(f.storage_key, %(prefix)s)
   AND f.sha256_hash IS NOT NULL ORDER BY 1"""

SNIPPETS: LiteralString = """
SELECT t.sha256, ts_headline('fileorganizer_text', left(t.sample, %(characters)s),
    %(query)s::tsquery,
    'StartSel=[, StopSel=], MaxWords=24, MinWords=10, MaxFragments=1, FragmentDelimiter=" ... "')
  FROM content_texts t
 WHERE t.sha256 = ANY(%(contents)s) AND t.sample <> ''
   AND to_tsvector('fileorganizer_text', left(t.sample, %(characters)s)) @@ %(query)s::tsquery"""
