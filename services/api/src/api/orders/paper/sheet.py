"""Sheets of A4: text in every script that the font has, and bar codes.

Imported where a document is made, in a thread: what it takes to make one, fpdf2, its
fonts and pictures, is 30 MB of memory and a second of start for a process that may
never make any.
"""

import re
from collections.abc import Sequence

from barcode.codex import Code128
from fontpkg_open_sans import ROOT
from fpdf import FPDF
from fpdf.enums import Align
from fpdf.fonts import TTFFont

_FONT = ROOT / "files" / "OpenSans[wdth,wght].ttf"
MARGIN_MM = 15.0
WIDTH_MM = 210 - 2 * MARGIN_MM
_MODULE_MM = 0.25
"""A bar: twice the least that GS1 has scanners read, and three dots of a printer."""
_QUIET_MODULES = 10
_CAN_BE_CODED = re.compile(r"[ -~]{1,40}")


class Sheet(FPDF):
    """Parts that begin on a page of their own; the footer counts a part's pages."""

    def __init__(self, title: str) -> None:
        super().__init__(format="A4")
        self._about, self._begins = "", 1
        self.set_title(title)
        self.set_margin(MARGIN_MM)
        self.set_auto_page_break(True, margin=20)
        self.add_font("open", fname=_FONT)
        font = self.fonts["open"]
        self._known = font.cmap if isinstance(font, TTFFont) else {}

    def begin(self, about: str) -> None:
        """Begin a part; `about` appears in the footer of its pages."""
        self.add_page()  # with it the page before gets its footer
        self._about, self._begins = about, self.page_no()

    def footer(self) -> None:
        self.set_y(-14)
        self.plain(8)
        half = WIDTH_MM / 2
        self.cell(half, 5, self.readable(self._about))
        page = self.page_no() - self._begins + 1
        self.cell(half, 5, f"Page {page}", align=Align.R)

    def readable(self, text: str) -> str:
        """Replaces characters that the font lacks by `?`: fpdf2 would log them, and
        they may be a name."""
        return "".join(c if ord(c) in self._known else "?" for c in text)

    def plain(self, points: float) -> None:
        self.set_font("open", size=points)

    def bold(self, points: float) -> None:
        """Bold, in a font that every PDF reader has: for our own words and numbers."""
        self.set_font("Helvetica", style="B", size=points)

    def write_line(self, text: str, points: float = 10, width: float = 0) -> None:
        self.plain(points)
        height = points * 0.5
        self.multi_cell(
            width, height, self.readable(text), align=Align.L, new_x="LMARGIN"
        )

    def heading(self, text: str) -> None:
        self.bold(18)
        self.cell(0, 10, text, new_x="LMARGIN", new_y="NEXT")

    def keep_together(self, height: float) -> None:
        """Begin a new page if less room than that is left."""
        if self.will_page_break(height):
            self.add_page()

    def rule(self) -> None:
        self.set_draw_color(180)
        y = self.get_y()
        self.line(MARGIN_MM, y, MARGIN_MM + WIDTH_MM, y)

    def bars(self, text: str, x: float, y: float, height: float, widest: float) -> bool:
        """Code 128 with its top left at `x`, `y`; the quiet zone is the caller's.
        `False`, and nothing is drawn, where the text has no such code that is as
        narrow as `widest`."""
        if not _CAN_BE_CODED.fullmatch(text):
            return False
        (modules,) = Code128(text).build()
        if len(modules) * _MODULE_MM > widest - 2 * _QUIET_MODULES * _MODULE_MM:
            return False
        self.set_fill_color(0)
        left = x + _QUIET_MODULES * _MODULE_MM
        for bar in re.finditer("1+", modules):
            self.rect(
                left + bar.start() * _MODULE_MM,
                y,
                len(bar[0]) * _MODULE_MM,
                height,
                style="F",
            )
        return True

    def columns(self, texts: Sequence[tuple[float, str]], points: float = 9) -> None:
        """One line of cells, each (width, text); what is too long is cut."""
        self.plain(points)
        for width, text in texts:
            self.cell(width, points * 0.55, self._cut(text, width))
        self.ln()

    def _cut(self, text: str, width: float) -> str:
        text = self.readable(text)
        if self.get_string_width(text) <= width - 2:
            return text
        while text and self.get_string_width(text + "…") > width - 2:
            text = text[: -max(1, len(text) // 20)]
        return text + "…"

    def finished(self) -> bytes:
        return bytes(self.output())
