"""One original text a file in every supported script format, each text its own work."""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import escape

TEXTS = {
    "txt": "The harbour clerk counted the crates twice and wrote down a number that nobody "
    "on the quay would ever be able to read, because he wrote it in the hand of his father.",
    "md": "Seven gardeners argued over one rose, and while they argued the rose went on with "
    "the slow and private business of opening, which it had never once discussed with them.",
    "fountain": "INT. GREENHOUSE - DAWN\n\nPETRA\nIf the glass breaks we shall at least have "
    "weather, and I have been missing weather since the day that they put the roof on.\n",
    "fdx": "Nobody told the lighthouse that the war was over so it kept on blinking its small "
    "secret to the ships that had long since stopped being anybody's enemies at all.",
    "docx": "My aunt kept three clocks set to three wrong times, and by averaging them in her "
    "head she arrived at every appointment of her life exactly eleven minutes early.",
    "pdf": "The orchestra tuned for an hour because the oboe had fallen in love with the note "
    "and would not let it go to any of the other instruments who were waiting for it.",
    "srt": "You can sell the piano but you cannot sell the afternoon that she played it with "
    "all the windows open and the whole street pretending to be busy on their steps.",
    "vtt": "He learned the city by its puddles, and on dry days he was lost, and asked his way "
    "of strangers who had never noticed how the rain arranged the whole of the quarter.",
}


def _cues(text: str, comma: str) -> str:
    words = text.split()
    lines = [" ".join(words[i : i + 8]) for i in range(0, len(words), 8)]
    return "".join(
        f"{n}\n00:00:{2 * n:02d}{comma}000 --> 00:00:{2 * n + 1:02d}{comma}500\n{line}\n\n"
        for n, line in enumerate(lines, start=1)
    )


def pdf_bytes(lines: list[str]) -> bytes:
    """A one-page PDF with a real text layer."""
    drawn = " T* ".join(f"({line}) Tj" for line in lines)
    content = f"BT /F1 11 Tf 14 TL 72 720 Td {drawn} ET".encode("latin-1")
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R "
        b"/Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Courier >>",
    ]
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    return out + b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (
        len(objects) + 1,
        table,
    )


def write_every_text_format(folder: Path) -> None:
    """Writes one file for each supported script format into `folder`."""
    import docx

    for kind in ("txt", "md", "fountain"):
        (folder / f"text.{kind}").write_text(TEXTS[kind], encoding="utf-8")
    (folder / "text.srt").write_text(_cues(TEXTS["srt"], ","), encoding="utf-8")
    (folder / "text.vtt").write_text("WEBVTT\n\n" + _cues(TEXTS["vtt"], "."), encoding="utf-8")
    (folder / "text.fdx").write_text(
        '<?xml version="1.0" encoding="UTF-8"?>\n<FinalDraft DocumentType="Script" Version="1">'
        f'<Content><Paragraph Type="Action"><Text>{escape(TEXTS["fdx"])}</Text></Paragraph>'
        "</Content></FinalDraft>",
        encoding="utf-8",
    )
    document = docx.Document()
    document.add_paragraph(TEXTS["docx"])
    document.save(str(folder / "text.docx"))
    words = TEXTS["pdf"].split()
    lines = [" ".join(words[i : i + 9]) for i in range(0, len(words), 9)]
    (folder / "text.pdf").write_bytes(pdf_bytes(lines))
