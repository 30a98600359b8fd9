"""Where an account's corrections come from, for whoever decides by them."""

from models.domain.taxonomy import Correction
from tasks.ledger.ledger import Ledger


def corrections_of(ledger: Ledger, account_id: str | None) -> list[Correction]:
    """Return the newest correction of each content of an account, sorted by content.

    None are kept yet: `review` will.
    """
    del ledger, account_id
    return []
