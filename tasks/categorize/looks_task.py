"""Prefect edge of looking: which pictures are open, one batch of them or of films, by image tower.

The same vectors serve decisions and searches: a picture or a film is embedded once.
"""

from contextlib import suppress

import pyarrow as pa
from prefect import task
from prefect.cache_policies import NO_CACHE

from models.domain.embeddings import ImageEmbedder, Keyframe, TextContent, Tower
from models.domain.errors import MissingError
from models.domain.table_refs import TableRef
from models.settings import Settings
from tasks.categorize import core
from tasks.categorize.embedders import image_embedder
from tasks.categorize.judging import judging
from tasks.categorize.understanding import (
    FILMS,
    judged_looks,
    judged_pictures,
    only,
)
from tasks.categorize.vectors import Vectors
from tasks.retries import RETRY_DELAYS_S, RETRY_JITTER_RATIO, is_busy
from warehouse.schemas.arrow import to_rows
from warehouse.schemas.contents import EMBEDDINGS
from warehouse.store.contents import ContentRows, rows_among
from warehouse.store.parts import Lake, open_lake


def image_model_id() -> str:
    """Return the model whose vectors of pictures are searched.

    Raises:
        MissingError: its weights are not here.
    """
    return image_embedder(Settings()).model_id


@task(
    retries=3,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_jitter_factor=RETRY_JITTER_RATIO,
    retry_condition_fn=is_busy,
)
def list_pictures(job_id: str, fingerprints: TableRef, categories: TableRef | None) -> TableRef:
    """Return the pictures whose category or sub-category rules left open.

    Args:
        job_id: whose job.
        fingerprints: of the whole root.
        categories: of the same files, by rules; None for all pictures there are.

    Returns:
        (n,) rows of `sha256` and `thumbnail` (its place in the lake), each content once, sorted.
    """
    settings = Settings()
    lake = open_lake(settings.lake, s3_endpoint_url=settings.s3_endpoint_url)
    decided = None if categories is None else lake.read(categories)
    table = core.open_pictures(lake.read(fingerprints), decided)
    made_from = f"{fingerprints.sha256[:16]}-{categories.sha256[:16] if categories else 'all'}"
    uri = f"runs/{job_id}/understand/pictures-{made_from}.parquet"
    return lake.write_part(table, uri=uri, table_name="pictures")


@task(
    retries=3,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_jitter_factor=RETRY_JITTER_RATIO,
    retry_condition_fn=is_busy,
)
def understand_pictures(
    job_id: str, batch: int, pictures: TableRef, first: int, last: int
) -> TableRef:
    """Return what the image tower makes of pictures [first, last), by their thumbnails.

    Returns:
        (m,) rows of `ContentGuess`, m at most last - first: a picture without a thumbnail has none.
    """
    asked = judging(job_id, image_embedder, made_of=pictures.sha256[:16], batch=batch)
    found = asked.found()
    if found is not None:
        return found
    judge = asked.judge(lambda _: True, pictures=True)
    rows = (
        judged_pictures(
            _thumbnails(asked.lake, asked.lake.read(pictures).slice(first, last - first)),
            asked.vectors,
            image_embedder(asked.settings),
            judge,
            review_below=asked.settings.review_below,
            made_by=asked.made_by,
        )
        if judge
        else []
    )
    return asked.kept(rows)


@task(
    retries=3,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_jitter_factor=RETRY_JITTER_RATIO,
    retry_condition_fn=is_busy,
)
def understand_films(job_id: str, batch: int, films: TableRef, first: int, last: int) -> TableRef:
    """Return what the image tower makes of films [first, last), whose vectors are in the lake.

    Args:
        job_id: whose taxonomy and corrections count.
        batch: its number.
        films: rows of `TextContent`.
        first: row of `films`.
        last: row of `films`, not included.

    Returns:
        (m,) rows of `ContentGuess`; of a film of which no frame could be seen there is none.
    """
    asked = judging(job_id, image_embedder, made_of=f"{films.sha256[:16]}-films", batch=batch)
    found = asked.found()
    if found is not None:
        return found
    judge = asked.judge(only(FILMS), pictures=True)
    keys = [
        film.sha256
        for film in to_rows(asked.lake.read(films).slice(first, last - first), TextContent)
    ]
    known = asked.vectors.known(keys, Tower.IMAGE)
    rows = (
        judged_looks(
            [key for key in keys if key in known],
            known,
            judge,
            dimension=asked.vectors.embedder.dimension,
            what="frames of a film",
            review_below=asked.settings.review_below,
        )
        if judge
        else []
    )
    return asked.kept(rows)


@task(
    cache_policy=NO_CACHE,
    retries=3,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_jitter_factor=RETRY_JITTER_RATIO,
    retry_condition_fn=is_busy,
)
def list_unseen(job_id: str, contents: TableRef) -> TableRef:
    """Return those of some pictures or films that the image tower did not see, in order."""
    settings = Settings()
    lake = open_lake(settings.lake, s3_endpoint_url=settings.s3_endpoint_url)
    known = ContentRows(lake, EMBEDDINGS).hashes(model_id=image_model_id(), tower=Tower.IMAGE.value)
    table = rows_among(lake.read(contents), known, are_wanted=False)
    uri = f"runs/{job_id}/search/unseen-{contents.sha256[:16]}.parquet"
    return lake.write_part(table, uri=uri, table_name="unseen")


@task(
    cache_policy=NO_CACHE,
    retries=3,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_jitter_factor=RETRY_JITTER_RATIO,
    retry_condition_fn=is_busy,
)
def embed_picture_batch(job_id: str, batch: int, contents: TableRef, first: int, last: int) -> int:
    """Make the vectors of pictures [first, last) from their thumbnails; returns how many."""
    lake, embedder = _opened()
    pictures = _thumbnails(lake, lake.read(contents).slice(first, last - first))
    made_by = f"{job_id}-look-{contents.sha256[:16]}-{batch:05d}"
    return len(Vectors(lake, embedder).of_pictures(pictures, embedder, made_by=made_by))


@task(
    cache_policy=NO_CACHE,
    retries=3,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_jitter_factor=RETRY_JITTER_RATIO,
    retry_condition_fn=is_busy,
)
def embed_film_batch(job_id: str, batch: int, frames: TableRef) -> int:
    """Make the vectors of films from their frames, rows of `Keyframe`; returns how many."""
    lake, embedder = _opened()
    films: dict[str, list[bytes]] = {}
    for frame in to_rows(lake.read(frames), Keyframe):
        films.setdefault(frame.sha256, []).append(frame.picture)
    made_by = f"{job_id}-films-{frames.sha256[:16]}-{batch:05d}"
    return len(Vectors(lake, embedder).of_films(films, embedder, made_by=made_by))


def _opened() -> tuple[Lake, ImageEmbedder]:
    settings = Settings()
    lake = open_lake(settings.lake, s3_endpoint_url=settings.s3_endpoint_url)
    return lake, image_embedder(settings)


def _thumbnails(lake: Lake, pictures: pa.Table) -> dict[str, bytes]:
    """Return the thumbnails of some pictures by content; one that is gone is left out."""
    found: dict[str, bytes] = {}
    for row in pictures.to_pylist():
        with suppress(MissingError):
            found[row["sha256"]] = lake.read_blob(row["thumbnail"])
    return found
