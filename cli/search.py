"""`search`: files by what they are called, what they say, and what they mean."""

from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.text import Text

from cli.following import followed
from cli.organize import Json
from cli.output import emit_json, err, fail, out
from cli.session import Session, open_session
from models.domain.embeddings import Tower
from models.domain.errors import FileOrganizerError, InvalidError, MissingError
from models.domain.jobs import JobKind
from models.domain.search import SearchHit, SearchMode, SearchScope
from storage.opening import canonical_url, open_store


def _scope(session: Session, source: str | None) -> SearchScope:
    """Return where to look: everywhere, a root, or a folder of one.

    Raises:
        MissingError: nothing was ever indexed there.
    """
    account = session.ledger.local_account()
    if source is None:
        return SearchScope(account_id=account)
    url = canonical_url(source)
    roots = [
        root
        for root in session.ledger.roots(account_id=account)
        if url == root.url or url.startswith(f"{root.url.rstrip('/')}/")
    ]
    if not roots:
        raise MissingError(f"nothing is indexed at {source}; make it searchable with --index")
    root = max(roots, key=lambda each: len(each.url))
    below = url.removeprefix(root.url.rstrip("/")).lstrip("/")
    return SearchScope(account_id=account, root_id=root.id, prefix=f"{below}/" if below else "")


def _index(session: Session, source: str | None, *, quiet: bool) -> None:
    """Bring the index of a root up to date.

    Raises:
        InvalidError: no root was named.
    """
    from flows.searching import index_search_root
    from tasks.lifecycle.task import job_for_root

    if source is None:
        raise InvalidError("--index needs a SOURCE: a folder, or s3://bucket/prefix")
    url = canonical_url(source)
    store = open_store(url, s3_endpoint_url=session.settings.s3_endpoint_url)
    next(iter(store.list_pages(page_size=1)), None)
    job_id = job_for_root(JobKind.REINDEX, session.ledger.root_for(url).id)
    with followed(session.ledger, job_id, quiet=quiet):
        index_search_root(job_id)


def _meanings(session: Session) -> tuple[list[Any], str | None]:
    """Return the models that can be asked, or in words why there is none for texts."""
    from tasks.categorize.embedders import (
        image_embedder,
        picture_problem,
        text_embedder,
        text_problem,
    )

    settings = session.settings
    problem, unseen = text_problem(settings), picture_problem(settings)
    found: list[Any] = []
    if problem is None:
        found.append(_meaning(session, text_embedder(settings), Tower.TEXT))
    if unseen is None:
        found.append(_meaning(session, image_embedder(settings), Tower.IMAGE))
    return found, None if found else problem


def _meaning(session: Session, embedder: Any, tower: Tower) -> Any:
    """Return one model, with its vectors in Postgres where they are, else in the lake."""
    from tasks.search.core import Meaning
    from tasks.search.exact import LakeVectors
    from warehouse.store.parts import open_lake

    settings, ledger = session.settings, session.ledger
    if ledger.has_vectors() and ledger.has_vectors_of(embedder.model_id, tower):
        return Meaning(embedder=embedder, tower=tower, vectors=ledger)
    lake = open_lake(settings.lake, s3_endpoint_url=settings.s3_endpoint_url)
    return Meaning(embedder=embedder, tower=tower, vectors=LakeVectors(lake, ledger))


def _document(hit: SearchHit) -> dict[str, Any]:
    file = hit.file
    return {
        "path": file.key,
        "root": file.root_url,
        "id": file.file_id,
        "category": file.category,
        "subcategory": file.subcategory,
        "size_bytes": file.size_bytes,
        "copies": file.copies,
        "score": hit.score,
        "why": list(hit.why),
        "snippet": hit.snippet,
    }


def _show(hits: list[SearchHit]) -> None:
    for place, hit in enumerate(hits, start=1):
        file = hit.file
        category = "/".join(part for part in (file.category, file.subcategory) if part)
        copies = f", and {file.copies} copies" if file.copies else ""
        out.print(f"[bold]{place}[/] {escape(file.key)}", soft_wrap=True)
        out.print(f"   [dim]{escape(category)}; by {' and '.join(hit.why)}{copies}[/]")
        if hit.snippet:
            # Passages are the files' own words: never read as markup.
            out.print(Text(f"   {hit.snippet}"), soft_wrap=True)


def search(
    query: Annotated[str, typer.Argument(help="Words, or a sentence.")],
    source: Annotated[
        str | None, typer.Argument(help="Folder or s3://bucket/prefix; everywhere if not given.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="Answers at most.")] = 10,
    mode: Annotated[
        SearchMode, typer.Option(help="By words, by meaning, or both.")
    ] = SearchMode.HYBRID,
    index: Annotated[
        bool, typer.Option("--index", help="Bring the index of SOURCE up to date first.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Find files by name, by what they say, and by what they mean.

    Several rankings become one by reciprocal rank fusion; each answer says why it is there. Equal
    contents are one answer.

    Examples:
        fileorganizer search "boarding pass" ~/Documents --index
        fileorganizer search "how long may the tenant stay" --mode semantic
        fileorganizer search invoice ~/Documents/2023 --mode text --json
    """
    try:
        with open_session(quiet=as_json) as session:
            if index:
                _index(session, source, quiet=as_json)
            from tasks.search.core import search as find

            scope = _scope(session, source)
            meanings, problem = ([], None) if mode is SearchMode.TEXT else _meanings(session)
            hits = find(
                query, scope, index=session.ledger, meanings=meanings, mode=mode, limit=limit
            )
    except FileOrganizerError as error:
        fail(error, as_json=as_json)
    if as_json:
        emit_json({"query": query, "by_words_only": problem, "hits": [*map(_document, hits)]})
        return
    if problem is not None:
        err.print(f"by words only: {problem}", markup=False)
    _show(hits)
    if not hits:
        err.print("nothing found; files that are new are found after --index")


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(search)
