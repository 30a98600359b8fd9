"""Modes as people choose them: what each does, by an example, and which plan has it."""

from dataclasses import dataclass

from models.domain.entitlements import Feature
from models.domain.organizing import TEMPLATES

DESCRIPTIONS: dict[str, str] = {
    "category": "By what files are",
    "category_year": "By what files are, then by year",
    "category_year_month": "By what files are, then by year and month",
    "category_subcategory": "By what files are, in two levels",
    "extension": "By extension",
    "mime": "By media type",
    "date_taken": "By the day they were made",
    "camera": "Photos by camera and year",
    "place": "By country and city, where photos say",
    "event": "By year and event, as folders tell it",
    "project": "By project",
    "tag": "By tag",
    "ai_category": "By what learned models see and read in them, in two levels",
    "sender_year": "Mail by sender and year",
    "music": "Music by artist and album",
    "size_band": "By size",
    "mirror": "The folders stay as they are",
    "flatten": "All in one folder",
    "virtual": "In the catalog only; nothing is moved",
    "custom": "By a template of your own",
}

EXAMPLE: dict[str, str] = {
    "category": "Photos",
    "year": "2024",
    "month": "01",
    "day": "19",
    "subcategory|Other": "Places",
    "stem": "IMG_0042",
    "ext": ".jpg",
    "extension|no extension": "jpg",
    "mime": "image_jpeg",
    "camera|Unknown camera": "Canon EOS R5",
    "country|Unknown": "Unknown",
    "city|Unknown": "Unknown",
    "event|Unsorted": "Wedding Anna",
    "project|No project": "website",
    "tag|Untagged": "Untagged",
    "sender|Unknown sender": "anna@example.com",
    "artist|Unknown artist": "Nina Simone",
    "album|Unknown album": "Pastel Blues",
    "track|00": "01",
    "title|Untitled": "Be My Husband",
    "size_band": "1 MB to 10 MB",
    "folder": "camera/2024",
}
"""One file's values, for examples."""

CUSTOM = "{category}/{year}-{month}/{stem}{ext}"
"""Template that the mode `custom` is shown by."""

FEATURES: dict[str, Feature] = {"ai_category": Feature.AI_CATEGORIZATION}
"""Modes that need a feature of the plan."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModeView:
    """One mode as people see it."""

    id: str
    description: str
    example_path: str
    feature: Feature | None


def modes() -> list[ModeView]:
    """Return all modes, in the order of the specification."""
    return [
        ModeView(
            id=name,
            description=description,
            example_path=_example(TEMPLATES.get(name, CUSTOM)),
            feature=FEATURES.get(name),
        )
        for name, description in DESCRIPTIONS.items()
    ]


def _example(template: str) -> str:
    path = template
    for field, value in EXAMPLE.items():
        path = path.replace(f"{{{field}}}", value)
    return path
