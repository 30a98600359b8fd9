"""What a file's own metadata say, as a sentence that a sentence model reads. Pure."""

from models.domain.fingerprint import Fingerprint, Media

_MINUTE_S = 60.0
_TAGGED = frozenset({Media.AUDIO, Media.VIDEO})


def spoken_facts(file: Fingerprint) -> str:
    """Return the metadata of a content in words; "" where it states none.

    Names of files are no part of it: they belong to a file, not to its content.
    """
    parts = [
        f"titled {file.title}" if file.title else "",
        f"by {file.artist}" if file.artist else "",
        f"from the album {file.album}" if file.album else "",
        f"genre {file.genre}" if file.genre else "",
        f"sent by {file.sender}" if file.sender else "",
        _made_with(file),
    ]
    if file.media in _TAGGED:
        parts += [_lasting(file.duration_s), _heard(file)]
    said = [part for part in parts if part]
    return f"{_KINDS.get(file.media, 'A document')} {', '.join(said)}." if said else ""


_KINDS: dict[str, str] = {
    Media.AUDIO: "A recording",
    Media.VIDEO: "A video",
    Media.IMAGE: "A picture",
    Media.SPREADSHEET: "A spreadsheet",
    Media.PRESENTATION: "A presentation",
    Media.EMAIL: "A mail",
}


def _made_with(file: Fingerprint) -> str:
    camera = " ".join(part for part in (file.camera_make, file.camera_model) if part)
    return f"taken with a {camera}" if camera else ""


def _lasting(seconds: float | None) -> str:
    if not seconds:
        return ""
    if seconds < _MINUTE_S:
        return f"{max(round(seconds), 1)} seconds long"
    return f"{round(seconds / _MINUTE_S)} minutes long"


def _heard(file: Fingerprint) -> str:
    """Return what one channel without tags hints at: recorders of speech have one."""
    is_untagged = not (file.artist or file.album or file.genre)
    return "one channel, like a voice" if file.channels == 1 and is_untagged else ""
