"""A multipart form as it arrives: parsed piece by piece, its files never whole in memory."""

from collections.abc import Mapping
from dataclasses import dataclass

from streaming_form_data import ParseFailedException, StreamingFormDataParser
from streaming_form_data.targets import BaseTarget

from api.shell.problems import ProblemError
from models.domain.errors import InvalidError

FILE_FIELDS = ("file", "files")
"""Both names of the specification: `file` of the endpoint, `files` of the dashboard."""
TEXT_FIELDS = ("category", "tags")
TEXT_BYTES = 64 * 1024
"""Largest text field: a hundred tags of a hundred characters fit."""
FILES_AT_ONCE = 100
"""Files of one request; more come in another, or by tus."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A file begins; `name` is what the client calls it."""

    name: str


@dataclass(frozen=True, slots=True)
class Data:
    """Bytes of the file that began last."""

    block: bytes


@dataclass(frozen=True, slots=True)
class Ended:
    """The file that began last is whole."""


Event = Begun | Data | Ended


class _Files(BaseTarget):
    """Tells what happens to files, in order."""

    def __init__(self, events: list[Event]) -> None:
        super().__init__()
        self._events = events

    def on_start(self) -> None:
        self._events.append(Begun(self.multipart_filename or ""))
        self.multipart_filename = None

    def on_data_received(self, chunk: bytes) -> None:
        self._events.append(Data(bytes(chunk)))

    def on_finish(self) -> None:
        self._events.append(Ended())


class _Texts(BaseTarget):
    """Collects the values of one field, which may come several times."""

    def __init__(self) -> None:
        super().__init__()
        self.values: list[bytearray] = []
        self._size = 0

    def on_start(self) -> None:
        self.values.append(bytearray())

    def on_data_received(self, chunk: bytes) -> None:
        self._size += len(chunk)
        if self._size > TEXT_BYTES:
            raise InvalidError("a text field of this form is too long")
        self.values[-1] += chunk


class FormReader:
    """Reads one form.

    Raises:
        ProblemError: 415, when it is no multipart form.
    """

    def __init__(self, content_type: str) -> None:
        try:
            self._parser = StreamingFormDataParser(headers={"Content-Type": content_type})
        except (ParseFailedException, ValueError) as error:
            raise ProblemError(
                415, "send multipart/form-data with a boundary and one or more `file` parts"
            ) from error
        self._events: list[Event] = []
        for name in FILE_FIELDS:
            self._parser.register(name, _Files(self._events))
        self._texts = {name: _Texts() for name in TEXT_FIELDS}
        for name, target in self._texts.items():
            self._parser.register(name, target)
        self._is_open = False

    def feed(self, block: bytes) -> list[Event]:
        """Return what a block tells.

        Raises:
            InvalidError: the form is malformed, or a text in it too long.
        """
        try:
            self._parser.data_received(block)
        except ParseFailedException as error:
            raise InvalidError("the multipart form is malformed") from error
        events = list(self._events)
        self._events.clear()
        for event in events:
            if not isinstance(event, Data):
                self._is_open = isinstance(event, Begun)
        return events

    def finish(self) -> Mapping[str, list[str]]:
        """Return the text fields once everything was fed.

        Raises:
            InvalidError: the form ended within a file, or a field is not UTF-8.
        """
        if self._is_open:
            raise InvalidError("the multipart form ends within a file")
        try:
            return {
                name: [bytes(value).decode("utf-8") for value in target.values]
                for name, target in self._texts.items()
            }
        except UnicodeDecodeError as error:
            raise InvalidError("a text field of this form is not UTF-8") from error
