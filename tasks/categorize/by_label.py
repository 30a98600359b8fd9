"""Types that say by themselves what a file is for: one line each."""

from tasks.categorize.verdicts import CERTAIN, LEANING, LIKELY, PROBABLE, Verdict

_FONTS = "3D and CAD, Fonts"

_GROUPS: tuple[tuple[str, str, str | None, float, str], ...] = (
    ("dng nef cr2 cr3 arw orf raf rw2 pef srw raw", "Photos", None, CERTAIN, "a camera's raw file"),
    ("heif", "Photos", None, LIKELY, "the format phones take photos in"),
    (
        "svg svgz psd xcf ai eps wmf emf ilbm",
        "Screens and graphics",
        "Design",
        LIKELY,
        "a drawing program's format",
    ),
    ("ico cur icns", "Screens and graphics", "Icons", CERTAIN, "an icon's format"),
    ("djvu dicom", "Scans", None, LIKELY, "a format of scans"),
    ("midi mod", "Audio", "Music", LIKELY, "notes, not sound"),
    ("amr qcp", "Audio", "Voice", LIKELY, "a format of voice recorders"),
    ("eml outlook", "Mail and chat", "Messages", CERTAIN, "one mail"),
    ("mbox pst", "Mail and chat", "Exports", CERTAIN, "a mailbox"),
    ("vcard", "Mail and chat", "Exports", LEANING, "contacts"),
    ("ics", "Work", "Meetings", LEANING, "a calendar"),
    (
        "xls xlsx ods numbers lotus123 quattro multiplan dif",
        "Work",
        "Spreadsheets",
        LIKELY,
        "a spreadsheet",
    ),
    ("ppt pptx odp key", "Work", "Presentations", LIKELY, "a presentation"),
    ("epub mobi palmdoc fb2 lit lrf snb", "Books", "E-books", CERTAIN, "an e-book's format"),
    ("comic", "Books", "Comics", CERTAIN, "a comic book's format"),
    ("chm hlp", "Books", "Manuals", LIKELY, "a help file"),
    ("latex bib", "Education", "Papers", PROBABLE, "TeX is what papers are written in"),
    ("ipynb", "Code", "Notebooks", CERTAIN, "a notebook"),
    (
        "json xml yaml toml ini env lock ignorefile hcl winregistry applebplist",
        "Code",
        "Configuration",
        PROBABLE,
        "a format of settings",
    ),
    (
        "csv tsv parquet arrow avro orc jsonl spss stata sas jmp rdata matlabdata",
        "Data",
        "Tables",
        LIKELY,
        "a table of data",
    ),
    ("sqlite access odb dbf", "Data", "Databases", CERTAIN, "a database"),
    ("log pcap", "Data", "Logs", LIKELY, "a log"),
    ("shp gpx kml kmz geojson", "Data", "Geo", CERTAIN, "geographic data"),
    ("onnx safetensors gguf pytorch keras tflite", "Data", "Models", CERTAIN, "a learned model"),
    ("h5 netcdf npy npz fits pickle", "Data", None, LIKELY, "scientific data"),
    ("stl obj ply gltf fbx 3mf drc blend", _FONTS, "Models", CERTAIN, "a 3D model"),
    ("dwg dxf step cad visio odg drawing", _FONTS, "Drawings", LIKELY, "a drawing"),
    ("ttf otf ttc woff woff2 eot type1", _FONTS, "Fonts", CERTAIN, "a font"),
    (
        "iso dmg diskimage squashfs",
        "Archives and backups",
        "Disk images",
        CERTAIN,
        "a disk image",
    ),
    ("msi deb rpm pkg msix", "Software", "Installers", CERTAIN, "an installer"),
    ("apk ipa jar appimage crx swf nes", "Software", "Apps", LIKELY, "an application"),
    ("pebin elf macho wasm dex javabytecode", "Software", None, LIKELY, "a program"),
    ("pythonbytecode", "System clutter", "Caches", LIKELY, "compiled again when needed"),
    ("dsstore", "System clutter", "Caches", CERTAIN, "a folder's view settings"),
    ("lnk alias internetshortcut", "System clutter", None, LEANING, "a link to something else"),
)

BY_LABEL: dict[str, Verdict] = {
    label: Verdict(
        category=category,
        subcategory=subcategory,
        confidence=confidence,
        reason=f"{label}: {reason}",
    )
    for labels, category, subcategory, confidence, reason in _GROUPS
    for label in labels.split()
}
"""Verdict by content label."""
