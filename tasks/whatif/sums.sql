-- What a plan's moves come to. moves: Move rows; members: the groups of equal files; near: groups
-- of what is only alike; decided: how sure each file's category is.
WITH goes AS (
    SELECT m.*, coalesce(d.confidence_ratio, 1) < $review_below AS is_unsure
    FROM moves AS m
    LEFT JOIN decided AS d ON d.key = m.source_key
    WHERE m.action IN ('move', 'copy', 'assign')
),
trashed AS (
    SELECT g.group_id, g.wasted_bytes
    FROM moves AS m JOIN members AS g ON g.key = m.source_key
    WHERE m.action = 'trash'
),
alike AS (
    SELECT group_id, key, size_bytes FROM near
    WHERE NOT is_keeper AND similarity_ratio >= $similarity AND $similarity < 1
)
SELECT
    (SELECT count(*) FROM goes) AS files_moved,
    (SELECT coalesce(sum(size_bytes), 0) FROM goes WHERE action <> 'assign') AS bytes_moved,
    (SELECT count(*) FROM moves WHERE action = 'trash') AS files_trashed,
    (SELECT coalesce(sum(wasted_bytes), 0) FROM trashed) AS bytes_freed,
    (SELECT count(DISTINCT group_id) FROM trashed) AS groups_touched,
    (SELECT count(DISTINCT regexp_extract(destination_key, '^(.*)/', 1)) FROM goes) AS folders,
    (SELECT count(*) FROM moves WHERE action = 'refuse') AS refusals,
    (SELECT count(*) FROM moves WHERE action = 'displace') AS displacements,
    (SELECT count(*) FROM goes WHERE conflict IS NOT NULL) AS renamed,
    (SELECT count(*) FROM goes WHERE is_unsure) AS unsure,
    (SELECT count(*) FROM goes WHERE is_unsure OR conflict IS NOT NULL) AS goes_at_risk,
    (SELECT count(DISTINCT key) FROM alike) AS lookalikes,
    (SELECT coalesce(sum(size_bytes), 0) FROM (SELECT DISTINCT key, size_bytes FROM alike))
        AS lookalike_bytes;
