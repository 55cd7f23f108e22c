"""A page of HTML in one file: everything it shows is inside it, and nothing is fetched."""

import base64
import html

from recsys.report.text import Table, spelled

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1, h2 { line-height: 1.2; } h2 { margin-top: 2.5rem; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { padding: .2rem .8rem; border-bottom: 1px solid #ddd; text-align: right; }
caption { text-align: left; font-style: italic; }
th:first-child, td:first-child { text-align: left; }
img { max-width: 100%; } pre { background: #f5f5f5; padding: 1rem; overflow-x: auto; }
"""


class Page:
    """Headed parts, in the order they are added; all text is escaped."""

    def __init__(self, title: str):
        """An empty page."""
        self.title = title
        self._parts: list[str] = []

    def heading(self, text: str) -> None:
        """Begins a section."""
        self._parts.append(f"<h2>{html.escape(text)}</h2>")

    def text(self, text: str) -> None:
        """Adds a paragraph."""
        self._parts.append(f"<p>{html.escape(text)}</p>")

    def table(self, table: Table) -> None:
        """Adds a table under its title."""
        head = "".join(f"<th>{html.escape(name)}</th>" for name in table.heads)
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(spelled(cell))}</td>" for cell in row) + "</tr>"
            for row in table.rows
        )
        caption = f"<caption>{html.escape(table.title)}</caption>" if table.title else ""
        self._parts.append(f"<table>{caption}<tr>{head}</tr>{body}</table>")

    def image(self, svg: bytes, *, meaning: str) -> None:
        """Adds a drawing; `meaning` is what a reader without pictures is told."""
        data = base64.b64encode(svg).decode()
        source = f"data:image/svg+xml;base64,{data}"
        self._parts.append(f'<p><img alt="{html.escape(meaning)}" src="{source}"></p>')

    def code(self, text: str) -> None:
        """Adds text whose lines and blanks stay as they are."""
        self._parts.append(f"<pre>{html.escape(text)}</pre>")

    def __str__(self) -> str:
        title = html.escape(self.title)
        return (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            f"<title>{title}</title><style>{STYLE}</style></head>\n<body><h1>{title}</h1>\n"
            + "\n".join(self._parts)
            + "\n</body></html>\n"
        )
