"""Each parser on small files of its kind; damaged ones leave a reason, not an exception."""

import io
from typing import Any

import fingerprint_samples as samples
import pytest
from PIL import Image

from models.domain.fingerprint import Problem
from models.domain.near import FilmFrame, PictureView
from models.domain.near_payload import unpack
from tasks.fingerprint.parsing import Request, parse, parser_kind, preload
from tasks.fingerprint.signatures import sniff
from tasks.fingerprint.sources import FetchedFile, TooMuchError

ORIENTATION, MAKE, MODEL, ORIGINAL, DIGITIZED, OFFSET = (
    0x0112, 0x010F, 0x0110, 0x9003, 0x9004, 0x9011,
)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _loaded() -> None:
    preload()


def facts_of(label: str, data: bytes, **wishes: bool) -> tuple[dict[str, Any], bytes]:
    kind = parser_kind(label, sniff(data))
    assert kind is not None
    request = Request(kind=kind, label=label, size_bytes=len(data), **wishes)
    answer = parse(request, FetchedFile(None, len(data), bytearray(data), 0))
    return answer.facts, answer.thumbnail


def test_a_photo_tells_camera_time_and_offset():
    data = samples.jpeg(
        {MAKE: "Maker", MODEL: "Model 1", ORIGINAL: "2020:02:03 04:05:06", OFFSET: "+09:00"}
    )
    facts, _ = facts_of("jpeg", data)
    assert (facts["camera_make"], facts["camera_model"]) == ("Maker", "Model 1")
    assert facts["dates"] == [{"source": "exif", "text": "2020:02:03 04:05:06", "offset": "+09:00"}]
    assert (facts["width"], facts["height"]) == (640, 480)


def test_a_turned_photo_has_its_shown_size_and_an_upright_thumbnail():
    facts, thumbnail = facts_of("jpeg", samples.jpeg({ORIENTATION: 6}), thumbnail=True)
    assert (facts["width"], facts["height"]) == (480, 640)
    with Image.open(io.BytesIO(thumbnail)) as small:
        assert small.format == "WEBP"
        assert small.size == (192, 256)


def test_a_turned_tiff_is_turned_once():
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    data = samples.image("TIFF", exif=exif, size=(300, 200))
    facts, thumbnail = facts_of("tiff", data, thumbnail=True)
    assert (facts["width"], facts["height"]) == (200, 300)
    with Image.open(io.BytesIO(thumbnail)) as small:
        assert small.size == (171, 256)


def test_a_photo_with_a_second_picture_inside_is_a_still(tmp_path):
    still = Image.effect_noise((64, 48), 90).convert("RGB")
    still.save(tmp_path / "a.mpo", save_all=True, append_images=[still])
    data = (tmp_path / "a.mpo").read_bytes()
    request = Request(kind="image", label="jpeg", size_bytes=len(data), signature=True)
    made = parse(request, FetchedFile(None, len(data), bytearray(data), 0)).signature
    assert isinstance(unpack(made or b"", "")[0], PictureView)


def test_an_animation_is_signed_only_where_that_was_asked():
    still = Image.effect_noise((64, 48), 90)
    sink = io.BytesIO()
    still.save(sink, "GIF", save_all=True, append_images=[still.rotate(90)], duration=500)
    data = sink.getvalue()
    for animation in (False, True):
        request = Request(
            kind="image", label="gif", size_bytes=len(data), signature=True, animation=animation
        )
        made = parse(request, FetchedFile(None, len(data), bytearray(data), 0)).signature
        rows = [] if made is None else unpack(made, "")
        assert all(isinstance(row, FilmFrame) for row in rows)
        assert bool(rows) == animation


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_the_signature_does_not_depend_on_whether_a_thumbnail_is_made(mode, orientation):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    sink = io.BytesIO()
    Image.effect_noise((700, 600), 90).convert(mode).save(sink, "JPEG", exif=exif)
    data = sink.getvalue()
    made = [
        parse(
            Request(
                kind="image",
                label="jpeg",
                size_bytes=len(data),
                signature=True,
                thumbnail=thumbnail,
            ),
            FetchedFile(None, len(data), bytearray(data), 0),
        ).signature
        for thumbnail in (False, True)
    ]
    assert made[0]
    assert made[0] == made[1]


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "PNG", "AVIF"])
def test_exif_is_read_in_every_container(kind: str):
    exif = Image.Exif()
    exif[MAKE] = "Maker"
    exif.get_ifd(0x8769)[ORIGINAL] = "2020:02:03 04:05:06"
    facts, _ = facts_of(kind.lower(), samples.image(kind, exif=exif))
    assert facts["camera_make"] == "Maker"
    assert facts["dates"][0]["text"] == "2020:02:03 04:05:06"


def test_a_tiff_without_a_capture_time_tells_when_it_was_changed():
    exif = Image.Exif()
    exif[MAKE], exif[0x0132] = "Maker", "2020:02:03 04:05:06"
    facts, _ = facts_of("tiff", samples.image("TIFF", exif=exif))
    assert facts["camera_make"] == "Maker"
    assert facts["dates"][0]["text"] == "2020:02:03 04:05:06"


def test_position_only_where_it_was_asked_for():
    exif = Image.Exif()
    exif[MAKE] = "Maker"
    exif[0x8825] = {1: "S", 2: (33.0, 30.0, 0.0), 3: "E", 4: (151.0, 15.0, 0.0)}
    data = samples.image("JPEG", exif=exif)
    assert "latitude" not in facts_of("jpeg", data)[0]
    asked = facts_of("jpeg", data, read_gps=True)[0]
    assert (asked["latitude"], asked["longitude"]) == (-33.5, 151.25)


def test_xmp_is_read():
    xmp = b'<x:xmpmeta><rdf xmp:CreateDate="2011-12-13T14:15:16+01:00"/></x:xmpmeta>'
    facts, _ = facts_of("jpeg", samples.image("JPEG", xmp=xmp))
    assert facts["dates"] == [{"source": "xmp", "text": "2011-12-13T14:15:16+01:00", "offset": ""}]


def test_a_truncated_photo_keeps_its_facts_and_says_why_it_has_no_thumbnail():
    data = samples.jpeg({MAKE: "Maker"})
    facts, thumbnail = facts_of("jpeg", data[: len(data) // 2], thumbnail=True)
    assert facts["camera_make"] == "Maker"
    assert Problem.CORRUPT.is_kind_of(facts["problem"])
    assert thumbnail == b""


def test_too_many_pixels_are_not_decoded():
    facts, thumbnail = facts_of("png", samples.png_bomb(20_000), thumbnail=True)
    assert (facts["width"], thumbnail) == (20_000, b"")
    assert Problem.LIMITED.is_kind_of(facts["problem"])


def test_pdf_with_and_without_text():
    facts, _ = facts_of("pdf", samples.pdf())
    assert (facts["title"], facts["artist"], facts["has_text"]) == ("A title", "An author", True)
    assert facts["dates"][0]["text"] == "D:20200131101112+01'00'"
    assert facts_of("pdf", samples.pdf(text=None))[0]["has_text"] is False


@pytest.mark.parametrize(
    ("name", "label"), [("h.docx", "docx"), ("i.xlsx", "xlsx"), ("j.pptx", "pptx")]
)
def test_office_packages_say_what_they_are(name: str, label: str):
    facts, _ = facts_of("zip", samples.samples()[name])
    assert (facts["label"], facts["title"], facts["artist"]) == (label, "A plan", "Jo")
    assert facts["dates"][0]["text"] == "2019-05-06T07:08:09Z"


@pytest.mark.parametrize(
    ("members", "label"),
    [
        ({"mimetype": "application/epub+zip"}, "epub"),
        ({"mimetype": "application/vnd.oasis.opendocument.spreadsheet"}, "ods"),
        ({"AndroidManifest.xml": "x", "META-INF/MANIFEST.MF": "x"}, "apk"),
        ({"doc.kml": "x"}, "kmz"),
        ({"a.txt": "x"}, None),
    ],
)
def test_other_packages(members: dict[str, str | bytes], label: str | None):
    assert facts_of("zip", samples.zipped(members))[0].get("label") == label


@pytest.mark.parametrize(
    "data", [samples.entity_bomb(), samples.zip_bomb(64)], ids=["entities", "zeros"]
)
def test_bombs_in_properties_are_not_unpacked(data: bytes):
    facts, _ = facts_of("docx", data)
    assert facts.get("title") is None


def test_sound_and_video():
    assert facts_of("wav", samples.sound(0.5))[0]["duration_s"] == 0.5
    facts, _ = facts_of(
        "mp4", samples.video({"title": "T", "creation_time": "2014-01-02T03:04:05"})
    )
    assert (facts["width"], facts["height"], facts["title"]) == (64, 48, "T")
    assert 0 < facts["duration_s"] < 1
    assert facts["dates"][0]["text"].startswith("2014-01-02T03:04:05")


def test_a_playlist_that_calls_itself_a_video_is_not_followed():
    data = b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n"
    request = Request(kind="video", label="mp4", size_bytes=len(data))
    facts = parse(request, FetchedFile(None, len(data), bytearray(data), 0)).facts
    assert Problem.CORRUPT.is_kind_of(facts["problem"])


def test_mail_tells_sender_subject_and_its_own_time():
    data = samples.mail(
        From="Jo Ä <jo@example.org>", Subject="Grüße", Date="Wed, 16 Jul 2008 06:24:10 -0500"
    )
    facts, _ = facts_of("eml", data)
    assert (facts["sender"], facts["title"]) == ("jo@example.org", "Grüße")
    assert facts["dates"][0]["text"] == "2008-07-16T06:24:10-05:00"


@pytest.mark.parametrize("label", ["jpeg", "png", "pdf", "mp4", "mp3", "tiff", "nef", "eml", "ogg"])
@pytest.mark.parametrize("data", [b"", b"\0", b"\xff" * 300, bytes(range(256)) * 8])
def test_noise_leaves_a_reason_or_nothing_at_all(label: str, data: bytes):
    facts, thumbnail = facts_of(label, data, thumbnail=True)
    assert thumbnail == b""
    assert set(facts) <= {"problem", "dates"}


def test_large_files_are_fetched_by_ranges_and_not_without_end():
    import socket

    ours, theirs = socket.socketpair()
    with ours, theirs:
        file = FetchedFile(None, 1 << 40, bytearray(b"head"), 0)
        assert file.opened().read(4) == b"head"
        with pytest.raises(TooMuchError):
            file.content()
        with pytest.raises(TooMuchError):
            file.seek(1 << 30)
            file.read(1)
