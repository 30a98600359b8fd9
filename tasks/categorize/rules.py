"""The certain rules, and an honest `Needs review` where none applies; the first that fits decides.

A text or an office document says by its type only that it is a document, not what it is for. Such
files come to `Needs review / Low confidence`, not to a likely-sounding folder: the taxonomy asks
for review instead of a guess, the year folder of the default mode keeps them in order meanwhile,
and a model behind the same port will know better.
"""

import re
from collections.abc import Callable, Sequence

from models.domain.categories import NEEDS_REVIEW, CategoryRow
from models.domain.fingerprint import Fingerprint, Media, Problem
from tasks.categorize.by_label import BY_LABEL
from tasks.categorize.verdicts import (
    CERTAIN,
    LEANING,
    LIKELY,
    OPEN,
    PROBABLE,
    Verdict,
    extension_of,
    name_of,
    words_of,
)

RULES = "rules-1"
"""Raised whenever a rule decides otherwise; stands in `decided_by`."""

_CLUTTER_NAMES = frozenset({"thumbs.db", "desktop.ini", ".ds_store", "ehthumbs.db", ".localized"})
_TEMPORARY = frozenset({"tmp", "temp", "swp", "swo"})
_PARTIAL = frozenset({"part", "partial", "crdownload", "download", "opdownload", "!ut", "aria2"})
_CACHE_FOLDER = re.compile(r"(?:^|/)(?:__pycache__|\.cache|caches?|\.thumbnails)/", re.IGNORECASE)
_SCREENSHOT = re.compile(
    r"\b(?:screen ?shots?|screen ?caps?|screen ?grabs?|bildschirmfoto|captura de pantalla"
    r"|capture d ecran|schermafbeelding|scr_?\d{4})\b"
)
_SCREEN_RECORDING = re.compile(r"\b(?:screen ?record(?:ing|er)?s?|screencasts?|rpreplay)\b")
_VOICE = re.compile(r"\b(?:voice|memo|ptt|dictation|interview|recording|sprachnachricht)\b")
_PODCAST = re.compile(r"\b(?:podcasts?|episode)\b")
_BACKUP = re.compile(r"\b(?:backups?|bak|dump|snapshot)\b")
_CHAT = re.compile(r"\b(?:whatsapp chat|chat history|telegram export|slack export)\b")
_SCREENS = frozenset(
    {
        (640, 960), (640, 1136), (750, 1334), (828, 1792), (1080, 1920), (1125, 2436),
        (1170, 2532), (1179, 2556), (1206, 2622), (1242, 2208), (1242, 2688), (1284, 2778),
        (1290, 2796), (1320, 2868), (720, 1280), (720, 1600), (1080, 2160), (1080, 2220),
        (1080, 2280), (1080, 2340), (1080, 2400), (1440, 2560), (1440, 2960), (1440, 3040),
        (1440, 3200), (1536, 2048), (1620, 2160), (1640, 2360), (1668, 2224), (1668, 2388),
        (2048, 2732), (768, 1366), (900, 1440), (900, 1600), (1024, 1280), (1050, 1680),
        (1200, 1920), (1600, 2560), (1800, 2880), (1440, 3440), (2160, 3840), (2880, 5120),
        (1964, 3024), (2234, 3456),
    }
)  # fmt: skip
"""Shorter and longer side of common screens in pixels (makers' data sheets, 2007 to 2025)."""
_ICON_PIXELS = 128
_MOVIE_S = 40 * 60
"""The Academy of Motion Picture Arts counts a film of more than 40 minutes as a feature."""
_SAMPLE_S = 10.0

_TOPICS: tuple[tuple[re.Pattern[str], str, str, str], ...] = tuple(
    (re.compile(rf"\b(?:{pattern})\b"), category, subcategory, said)
    for pattern, category, subcategory, said in (
        (r"invoices?|rechnung|facture|factura", "Finance", "Invoices", "invoice"),
        (r"(?:bank|account) statements?|kontoauszug", "Finance", "Bank", "bank statement"),
        (r"tax(?:es)? returns?|w 2|1099|form 10(?:40|95) ?\w?", "Finance", "Tax", "tax"),
        (r"pay ?slips?|pay ?stubs?|payroll|gehaltsabrechnung", "Finance", "Payroll", "payroll"),
        (r"insurance", "Finance", "Insurance", "insurance"),
        (r"contracts?|agreement|nda|lease", "Legal", "Contracts", "contract"),
        (r"birth certificate|diploma|certificate", "Legal", "Certificates", "certificate"),
        (r"resume|curriculum vitae|cv|lebenslauf", "Personal", "CV", "CV"),
        (r"boarding pass|itinerary|e ticket", "Personal", "Travel", "travel"),
        (r"recipes?|rezept", "Personal", "Recipes", "recipe"),
        (r"minutes of|meeting (?:notes|minutes)|agenda", "Work", "Meetings", "meeting"),
        (r"(?:annual|quarterly|monthly|status|audit) report", "Work", "Reports", "report"),
        (r"lecture|course ?work|syllabus|homework", "Education", "Courses", "course"),
        (r"user (?:guide|manual)|owners manual|handbook|datasheet", "Books", "Manuals", "manual"),
        (r"prescription", "Health", "Prescriptions", "prescription"),
        (r"lab results?|blood test", "Health", "Results", "results"),
    )
)
"""Names that say what a document is, in words no other document uses."""


def _unread(file: Fingerprint) -> Verdict | None:
    if file.sha256 is not None:
        return None
    return Verdict(
        category=NEEDS_REVIEW,
        subcategory="Unknown",
        confidence=OPEN,
        reason=f"not read: {file.problem}",
    )


def _clutter(file: Fingerprint) -> Verdict | None:
    name, extension = name_of(file), extension_of(file)
    found: tuple[str, str] | None = None
    if name in _CLUTTER_NAMES or _CACHE_FOLDER.search(file.key):
        found = ("Caches", "the system makes it again")
    elif extension in _TEMPORARY or name.startswith("~$") or name.endswith("~"):
        found = ("Temporary", "a program's temporary file")
    elif extension in _PARTIAL:
        found = ("Partial downloads", "a download that was not finished")
    if found is None:
        return None
    return Verdict(
        category="System clutter",
        subcategory=found[0],
        confidence=CERTAIN,
        reason=f"named {name!r}: {found[1]}",
    )


def _corrupt(file: Fingerprint) -> Verdict | None:
    if not Problem.CORRUPT.is_kind_of(file.problem):
        return None
    return Verdict(
        category=NEEDS_REVIEW, subcategory="Corrupt", confidence=LIKELY, reason=str(file.problem)
    )


def _by_label(file: Fingerprint) -> Verdict | None:
    return BY_LABEL.get(file.content_label)


def _picture(file: Fingerprint) -> Verdict | None:
    if file.media != Media.IMAGE:
        return None
    camera = " ".join(part for part in (file.camera_make, file.camera_model) if part)
    if _SCREENSHOT.search(words_of(file)):
        return _screen("Screenshots", CERTAIN, "its name says screenshot")
    if camera:
        return Verdict(category="Photos", confidence=CERTAIN, reason=f"taken with {camera}")
    if file.captured_source == "exif":
        return Verdict(category="Photos", confidence=LIKELY, reason="its EXIF tells when taken")
    return _picture_by_size(file)


def _picture_by_size(file: Fingerprint) -> Verdict:
    """Verdict on a picture that says nothing of its making."""
    sides = sorted((file.width or 0, file.height or 0))
    is_lossless = file.content_label in {"png", "apng", "bmp", "gif", "tga", "pcx", "qoi"}
    if (is_lossless or file.content_label == "webp") and (sides[0], sides[1]) in _SCREENS:
        reason = f"{file.width} by {file.height} pixels, a screen's size"
        return _screen("Screenshots", PROBABLE, reason)
    if is_lossless and 0 < sides[1] <= _ICON_PIXELS:
        return _screen("Icons", PROBABLE, f"{file.width} by {file.height} pixels is an icon's size")
    if file.content_label == "tiff":
        return Verdict(category="Scans", confidence=LEANING, reason="TIFF without a camera's data")
    if is_lossless:
        return _screen(None, LEANING, f"{file.content_label} without a camera's data")
    return Verdict(
        category="Photos",
        confidence=LEANING,
        reason=f"{file.content_label}, a photo's format, without a camera's data",
    )


def _screen(subcategory: str | None, confidence: float, reason: str) -> Verdict:
    return Verdict(
        category="Screens and graphics",
        subcategory=subcategory,
        confidence=confidence,
        reason=reason,
    )


def _video(file: Fingerprint) -> Verdict | None:
    if file.media != Media.VIDEO:
        return None
    subcategory, confidence, reason = None, LIKELY, "a video"
    if _SCREEN_RECORDING.search(words_of(file)):
        subcategory, reason = "Screen recordings", "its name says screen recording"
    elif file.camera_make or file.camera_model:
        subcategory, confidence = "Personal", CERTAIN
        reason = f"recorded with {file.camera_make or file.camera_model}"
    elif (file.duration_s or 0) > _MOVIE_S:
        subcategory, reason = "Movies", f"{file.duration_s or 0:.0f} s long"
    return Verdict(category="Videos", subcategory=subcategory, confidence=confidence, reason=reason)


def _audio(file: Fingerprint) -> Verdict | None:
    if file.media != Media.AUDIO:
        return None
    words = f"{words_of(file)} {(file.album or '').lower()}"
    subcategory, reason = None, "sound"
    if _PODCAST.search(words):
        subcategory, reason = "Podcasts", "its name or album says podcast"
    elif file.artist or file.album:
        subcategory, reason = "Music", f"tagged {file.artist or file.album}"
    elif _VOICE.search(words):
        subcategory, reason = "Voice", "its name says speech"
    elif 0 < (file.duration_s or 0) <= _SAMPLE_S and file.content_label in {"wav", "aiff"}:
        subcategory, reason = "Samples", f"untagged, {file.duration_s:.1f} s long"
    return Verdict(category="Audio", subcategory=subcategory, confidence=LIKELY, reason=reason)


def _archive(file: Fingerprint) -> Verdict | None:
    if file.media != Media.ARCHIVE:
        return None
    is_backup = bool(_BACKUP.search(words_of(file)))
    return Verdict(
        category="Archives and backups",
        subcategory="Backups" if is_backup else "Archives",
        confidence=LIKELY,
        reason="its name says backup" if is_backup else f"{file.content_label}: an archive",
    )


def _code(file: Fingerprint) -> Verdict | None:
    if file.media != Media.CODE:
        return None
    reason = f"{file.content_label}: program code"
    return Verdict(category="Code", confidence=LIKELY, reason=reason)


def _document(file: Fingerprint) -> Verdict | None:
    if file.media != Media.DOCUMENT:
        return None
    words = words_of(file)
    if _CHAT.search(words):
        return Verdict(
            category="Mail and chat",
            subcategory="Exports",
            confidence=PROBABLE,
            reason="its name says chat",
        )
    for pattern, category, subcategory, said in _TOPICS:
        if pattern.search(words):
            return Verdict(
                category=category,
                subcategory=subcategory,
                confidence=PROBABLE,
                reason=f"its name says {said}",
            )
    if file.has_text is False:
        reason = "PDF without a text layer: scanned pages"
        return Verdict(category="Scans", confidence=LIKELY, reason=reason)
    return Verdict(
        category=NEEDS_REVIEW,
        subcategory="Low confidence",
        confidence=OPEN,
        reason=f"a document ({file.content_label}); nothing certain says what it is about",
    )


def _unknown(file: Fingerprint) -> Verdict:
    return Verdict(
        category=NEEDS_REVIEW,
        subcategory="Unknown",
        confidence=OPEN,
        reason=file.problem or f"no rule knows {file.content_label}",
    )


_ORDER: tuple[Callable[[Fingerprint], Verdict | None], ...] = (
    _unread,
    _clutter,
    _corrupt,
    _by_label,
    _picture,
    _video,
    _audio,
    _archive,
    _code,
    _document,
)


class CertainRules:
    """The rules, behind the port; they always answer, so they are asked last."""

    def categorize(self, files: Sequence[Fingerprint]) -> list[CategoryRow | None]:
        """Return a row for each file, in their order."""
        return [self.decide(file) for file in files]

    @staticmethod
    def decide(file: Fingerprint) -> CategoryRow:
        """Return the row of one file, by the first rule that fits."""
        for rule in _ORDER:
            verdict = rule(file)
            if verdict is not None:
                return verdict.row(file, RULES)
        return _unknown(file).row(file, RULES)
