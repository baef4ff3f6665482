"""A label to print, as the smallest PDF that readers accept."""

PAGE_WIDTH, PAGE_HEIGHT = 288, 432  # points: 4 by 6 inches, the usual label


def label_pdf(tracking: str, reference: str) -> bytes:
    """One page with the tracking number and the shipper's reference."""
    lines = [("Simulated carrier - no postage", 12), (tracking, 24), (reference, 10)]
    shown = "".join(
        f"BT /F1 {size} Tf 24 {380 - 48 * row} Td ({_escaped(text)}) Tj ET\n"
        for row, (text, size) in enumerate(lines)
    ).encode("latin-1", errors="replace")
    return _document(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {PAGE_WIDTH} {PAGE_HEIGHT}]"
            " /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>".encode(),
            b"<< /Length %d >>\nstream\n%sendstream" % (len(shown), shown),
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        ]
    )


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")


def _document(objects: list[bytes]) -> bytes:
    written = b"%PDF-1.4\n"
    offsets = []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(written))
        written += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(objects) + 1
    return written + (
        b"xref\n0 %d\n0000000000 65535 f \n%s" % (size, table)
        + b"trailer\n<< /Size %d /Root 1 0 R >>\n" % size
        + b"startxref\n%d\n%%%%EOF\n" % len(written)
    )
