"""What uploads answer."""

from pydantic import BaseModel

from api.shell.file_shapes import UploadedFile


class FileAnswer(BaseModel):
    """One file that was uploaded."""

    file: UploadedFile


class FilesAnswer(BaseModel):
    """Several files that were uploaded at once, in the order they came."""

    files: list[UploadedFile]


FORM_SCHEMA = {
    "type": "object",
    "properties": {
        "file": {"type": "string", "format": "binary", "description": "One file; may come again."},
        "files": {
            "type": "array",
            "items": {"type": "string", "format": "binary"},
            "description": "The same under the dashboard's name.",
        },
        "category": {"type": "string", "examples": ["Images"]},
        "tags": {
            "type": "array",
            "items": {"type": "string"},
            "description": "A field for each tag, or one JSON array.",
            "examples": [["vacation", "2024"]],
        },
    },
}
"""The body of `POST /files/upload`, which is read as a stream and not by the framework."""
