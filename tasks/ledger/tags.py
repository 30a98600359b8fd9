"""Tags of removed duplicates: the keeper has them afterwards, and an undo takes them back."""

from models.domain.jobs import Job, JobKind
from tasks.ledger.database import Database

CARRY = """
WITH removed AS MATERIALIZED (
    SELECT o.seq, k.id AS keeper_id,
           ARRAY(SELECT unnest(m.tags) EXCEPT SELECT unnest(k.tags) ORDER BY 1) AS given
      FROM organization_operations o
      JOIN files m ON m.root_id = o.source_root_id AND m.storage_key = o.source_key
      JOIN files k ON k.root_id = o.source_root_id AND k.storage_key = o.keeper_key
     WHERE o.job_id = %(job)s AND o.action = 'trash' AND o.state = 'done' AND m.id <> k.id
       AND m.tags <> '{}' AND NOT coalesce(o.receipt ? 'tags_given', false)),
told AS (
    UPDATE organization_operations o
       SET receipt = coalesce(o.receipt, '{}') || jsonb_build_object(
               'tags_given', to_jsonb(r.given)::text, 'tags_given_to', r.keeper_id::text)
      FROM removed r WHERE o.job_id = %(job)s AND o.seq = r.seq AND r.given <> '{}'),
news AS (
    SELECT keeper_id, array_agg(DISTINCT tag ORDER BY tag) AS tags
      FROM removed, unnest(given) AS tag GROUP BY keeper_id)
UPDATE files k SET tags = k.tags || n.tags, updated_at = now(), version = k.version + 1
  FROM news n WHERE k.id = n.keeper_id"""
"""Before the catalog hears of the removal: member and keeper still lie where the plan saw them."""

TAKE_BACK = """
WITH given AS MATERIALIZED (
    SELECT t.seq, (t.receipt ->> 'tags_given_to')::uuid AS keeper_id, tag, EXISTS (
               SELECT FROM organization_operations u
                WHERE u.job_id = %(job)s AND u.state = 'done'
                  AND u.source_root_id = t.destination_root_id
                  AND u.source_key = t.destination_key) AS is_back
      FROM organization_operations t,
           jsonb_array_elements_text((t.receipt ->> 'tags_given')::jsonb) AS tag
     WHERE t.job_id = %(target)s AND t.receipt ? 'tags_given'
       AND NOT t.receipt ? 'tags_taken_back'),
told AS (
    UPDATE organization_operations t
       SET receipt = t.receipt || jsonb_build_object('tags_taken_back', %(job)s::text)
     WHERE t.job_id = %(target)s AND t.seq IN (SELECT seq FROM given WHERE is_back)),
own AS (
    SELECT keeper_id, array_agg(DISTINCT tag) AS tags FROM given g
     WHERE is_back AND NOT EXISTS (
         SELECT FROM given o
          WHERE o.keeper_id = g.keeper_id AND o.tag = g.tag AND NOT o.is_back)
     GROUP BY keeper_id)
UPDATE files k
   SET tags = ARRAY(SELECT tag FROM unnest(k.tags) WITH ORDINALITY AS each (tag, n)
                     WHERE tag <> ALL(o.tags) ORDER BY n),
       updated_at = now(), version = k.version + 1
  FROM own o WHERE k.id = o.keeper_id AND k.tags && o.tags"""
"""What a member gave that is back, unless another member gave it, too, and is still gone."""


class Tags(Database):
    """The part of the ledger that carries what people said of a removed file to the one kept."""

    def carry_tags(self, job: Job) -> int:
        """Give keepers the tags of what a job removed for them; of an undo, take them back.

        What was given to whom is in the receipt of each removal. The same again changes nothing.

        Args:
            job: the job, its operations closed and not yet published.

        Returns:
            How many files have other tags now.
        """
        statement, parameters = CARRY, {"job": job.id}
        if job.kind is JobKind.UNDO:
            if job.target_job_id is None:
                return 0
            statement, parameters = TAKE_BACK, {"job": job.id, "target": job.target_job_id}
        with self._transaction() as connection:
            return self._driver(connection).execute(statement, parameters).rowcount
