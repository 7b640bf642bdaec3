"""A report as one HTML file that needs no network."""

from __future__ import annotations

import base64
import re
from functools import cache

from jinja2 import Environment, PackageLoader, Template, select_autoescape
from markupsafe import Markup

from study.reporting.document import Commands, Figure, Gallery, Report, Table, Text

NUMBER = re.compile(r"[-+±\d.,e%() n=]+|-|nan|inf")
KINDS = {Text: "text", Table: "table", Figure: "figure", Gallery: "gallery", Commands: "commands"}


def as_html(report: Report) -> str:
    """The page, in UTF-8."""
    return _template().render(report=report)


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("study.reporting"), autoescape=select_autoescape(["html.j2"]), trim_blocks=True
    )
    environment.filters |= {"is_number": _is_number, "picture": _picture}
    environment.tests["kind"] = lambda block, name: KINDS[type(block)] == name
    return environment.get_template("report.html.j2")


def _is_number(cell: str) -> bool:
    return bool(NUMBER.fullmatch(cell)) and cell != ""


def _picture(figure: Figure) -> Markup:
    """The element that shows a picture, with its text alternative."""
    if figure.kind == "svg":
        # The identifiers of several pictures in one page must differ.
        prefix = f"f{abs(hash(figure.data)) % 10**9}-"
        svg = figure.data.decode()
        svg = re.sub(r'\bid="', f'id="{prefix}', svg)
        svg = re.sub(r'(href="#|url\(#)', rf"\g<1>{prefix}", svg)
        label = Markup(' role="img" aria-label="{}"').format(figure.alt)
        return Markup(svg.replace("<svg", f"<svg{label}", 1))
    data = base64.b64encode(figure.data).decode()
    return Markup('<img src="data:image/{};base64,{}" alt="{}">').format(figure.kind, data, figure.alt)
