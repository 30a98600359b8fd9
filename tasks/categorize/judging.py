"""What the edges that ask models have in common: one job's account, taxonomy and place."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from models.domain.embeddings import ContentGuess, Embedder
from models.domain.table_refs import TableRef
from models.domain.taxonomy import Category, Correction, Taxonomy
from models.settings import Settings
from tasks.categorize.taxonomy import load_taxonomy
from tasks.categorize.understanding import DECISION_VERSION, Judge, judge_of
from tasks.categorize.vectors import Vectors
from tasks.ledger.ledger import open_ledger
from warehouse.schemas.arrow import to_table
from warehouse.store.parts import Lake, open_lake


@dataclass(frozen=True, slots=True, kw_only=True)
class Judging:
    """One batch that a model is asked about, for one job.

    Attributes:
        settings: of this process.
        lake: where guesses and vectors are.
        vectors: of the model.
        taxonomy: by ids.
        corrections: of the job's account.
        uri: where the batch's guesses are, or will be.
    """

    settings: Settings
    lake: Lake
    vectors: Vectors
    taxonomy: Taxonomy
    corrections: Sequence[Correction]
    uri: str

    @property
    def made_by(self) -> str:
        """The name that the batch's vectors are kept under once."""
        return self.uri.removeprefix("runs/").removesuffix(".parquet")

    def judge(
        self, is_asked: Callable[[Category], bool], *, pictures: bool = False
    ) -> Judge | None:
        """Return what decides for the account; None where the taxonomy has no sentence for it."""
        return judge_of(
            self.vectors, self.taxonomy, self.corrections, pictures=pictures, is_asked=is_asked
        )

    def found(self) -> TableRef | None:
        """Return the guesses that were made before."""
        return self.lake.find(self.uri)

    def kept(self, rows: Sequence[ContentGuess]) -> TableRef:
        """Keep guesses and return where they are."""
        table = to_table(rows, ContentGuess)
        return self.lake.write_part(table, uri=self.uri, table_name="guesses")


def judging(
    job_id: str, model: Callable[[Settings], Embedder], *, made_of: str, batch: int
) -> Judging:
    """Return what a batch is judged by.

    Args:
        job_id: whose taxonomy and corrections count.
        model: returns the model of the settings.
        made_of: names the evidence.
        batch: its number.

    Raises:
        MissingError: the model's weights are not here.
    """
    settings = Settings()
    lake = open_lake(settings.lake, s3_endpoint_url=settings.s3_endpoint_url)
    with open_ledger(settings) as ledger:
        corrections = ledger.labels(ledger.job(job_id).account_id)
    taxonomy = load_taxonomy(settings).by_ids()
    embedder = model(settings)
    digest = _decided_by(embedder.model_id, taxonomy, corrections, settings)
    return Judging(
        settings=settings,
        lake=lake,
        vectors=Vectors(lake, embedder),
        taxonomy=taxonomy,
        corrections=corrections,
        uri=f"runs/{job_id}/understand/{made_of}-{digest}/part-{batch:05d}.parquet",
    )


def _decided_by(
    model_id: str, taxonomy: Taxonomy, corrections: Sequence[Correction], settings: Settings
) -> str:
    """Return 16 hexadecimal digits that differ whenever a decision might."""
    said = "\n".join(f"{c.sha256} {c.category}/{c.subcategory}" for c in corrections)
    made_from = (model_id, DECISION_VERSION, taxonomy.digest, settings.review_below, said)
    return hashlib.sha256(repr(made_from).encode()).hexdigest()[:16]
