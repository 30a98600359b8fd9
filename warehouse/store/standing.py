"""Listings and standings at rest: small documents beside the parts they speak of."""

from pydantic import TypeAdapter, ValidationError

from models.domain.errors import MissingError
from models.domain.standing import Listing, Standing
from models.domain.table_refs import TableRef
from warehouse.store.parts import Lake


def _listing_uri(job_id: str, root_id: str) -> str:
    return f"runs/{job_id}/manifest/{root_id}/listing.json"


def _standing_uri(index: TableRef, root_id: str) -> str:
    """Return where the standing of an index is: beside it, so that a newer index has its own."""
    folder = index.uri.rpartition("/")[0]
    return f"{folder}/standing-{root_id}.json"


def find_listing(lake: Lake, job_id: str, root_id: str) -> Listing | None:
    """Return the finished listing of a root for a job, or None."""
    try:
        document = lake.read_blob(_listing_uri(job_id, root_id))
    except MissingError:
        return None
    return TypeAdapter(Listing).validate_json(document)


def keep_listing(lake: Lake, job_id: str, root_id: str, listing: Listing) -> None:
    """Keep a listing; all its parts are there."""
    document = TypeAdapter(Listing).dump_json(listing)
    lake.write_blob(_listing_uri(job_id, root_id), document)


def find_standing(lake: Lake, index: TableRef | None, root_id: str) -> Standing | None:
    """Return what holds of a root whose newest index is `index`, or None.

    One of another index or of another release, whose shape we do not know, counts for none.
    """
    if index is None:
        return None
    try:
        document = lake.read_blob(_standing_uri(index, root_id))
        found = TypeAdapter(Standing).validate_json(document)
    except (MissingError, ValidationError):
        return None
    return found if found.index == index else None


def keep_standing(lake: Lake, root_id: str, standing: Standing) -> None:
    """Keep what holds of a root from now on; counts once its index is the root's newest."""
    document = TypeAdapter(Standing).dump_json(standing)
    lake.write_blob(_standing_uri(standing.index, root_id), document)
