"""The taxonomy: two levels, a closed list, and `Needs review` instead of a guess."""

from dataclasses import dataclass

from models.domain.columns import column

NEEDS_REVIEW = "Needs review"

TAXONOMY: dict[str, tuple[str, ...]] = {
    "Photos": ("People", "Pets", "Places", "Food", "Events", "Nature"),
    "Screens and graphics": ("Screenshots", "Memes", "Design", "Icons", "AI-generated"),
    "Scans": ("Receipts", "IDs", "Letters", "Handwriting", "Whiteboards"),
    "Videos": ("Personal", "Movies", "Screen recordings", "Clips"),
    "Audio": ("Music", "Voice", "Podcasts", "Samples"),
    "Finance": ("Invoices", "Bank", "Tax", "Payroll", "Insurance"),
    "Legal": ("Contracts", "Certificates", "Property"),
    "Work": ("Reports", "Presentations", "Spreadsheets", "Meetings"),
    "Education": ("Papers", "Notes", "Courses"),
    "Health": ("Results", "Prescriptions", "Bills"),
    "Personal": ("Travel", "Recipes", "Letters", "CV"),
    "Books": ("E-books", "Comics", "Manuals"),
    "Code": ("Repositories", "Notebooks", "Configuration"),
    "Data": ("Tables", "Databases", "Logs", "Models", "Geo"),
    "3D and CAD, Fonts": ("Models", "Drawings", "Fonts"),
    "Archives and backups": ("Archives", "Disk images", "Backups"),
    "Software": ("Installers", "Apps", "Drivers"),
    "Mail and chat": ("Messages", "Exports"),
    "System clutter": ("Temporary", "Caches", "Partial downloads"),
    NEEDS_REVIEW: ("Unknown", "Low confidence", "Corrupt"),
}
"""Category and its sub-categories (`spec`: organizing, taxonomy)."""

COARSE: dict[str, str] = {
    "Photos": "Images",
    "Screens and graphics": "Images",
    "Scans": "Images",
    "Videos": "Videos",
    "Audio": "Audio",
    "Finance": "Documents",
    "Legal": "Documents",
    "Work": "Documents",
    "Education": "Documents",
    "Health": "Documents",
    "Personal": "Documents",
    "Books": "Documents",
    "Mail and chat": "Documents",
}
"""The dashboard's five names; what is not listed is `Others`."""


def coarse_category(category: str) -> str:
    """Return which of Images, Videos, Documents, Audio, Others a category rolls up to."""
    return COARSE.get(category, "Others")


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryRow:
    """The category of one file, and why."""

    key: str = column("Path below the root.")
    category: str = column("First level of the taxonomy.")
    subcategory: str | None = column("Second level; null when only the first is certain.")
    coarse_category: str = column("Images, Videos, Documents, Audio or Others.")
    confidence_ratio: float = column("Probability in [0, 1] that `category` is right.")
    reason: str = column("Why, in words.")
    decided_by: str = column("Rule or model that decided.")
    alternatives: str | None = column(
        "The likeliest categories with their probabilities, in words; null where a rule decided.",
        default=None,
    )
