"""A report as a file: HTML that needs no network and is readable without pictures, and Markdown."""

from __future__ import annotations

import re
import threading
from html.parser import HTMLParser

import pytest
from mlflow import MlflowClient

from study.report import main
from study.reporting.html import as_html
from study.reporting.markdown import as_markdown
from study.reporting.whole import make_report
from tests.systems.browser import browser_page, why_not
from tests.systems.report import loaded
from tests.systems.until import until


class Page(HTMLParser):
    """The elements of a page, with their attributes, and its text."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.text = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def all(self, *tags):
        return [attributes for tag, attributes in self.elements if tag in tags]


@pytest.fixture(scope="module")
def report(searched):
    return make_report(searched)


@pytest.fixture(scope="module")
def page(report):
    return Page(as_html(report))


def test_every_picture_has_a_text_alternative(page):
    pictures = page.all("img")
    drawings = [svg for svg in page.all("svg") if svg.get("role") == "img"]
    assert len(pictures) == 5
    assert len(drawings) == len(page.all("svg")) >= 3
    assert all(len(picture["alt"]) > 30 for picture in pictures)
    assert all(len(drawing["aria-label"]) > 30 for drawing in drawings)


@pytest.mark.skipif(why_not() is not None, reason=str(why_not()))
def test_the_page_is_no_wider_than_a_phone_or_printed_paper(report, ablation):
    with browser_page() as page:
        for made in (report, make_report(ablation)):
            page.set_content(as_html(made))
            for width, media in ((400, "screen"), (794, "print")):
                page.set_viewport_size({"width": width, "height": 1000})
                page.emulate_media(media=media)
                assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_page_loads_nothing_and_runs_nothing(page):
    named = {name for _, attributes in page.elements for name in attributes}
    loaded = [a[name] for _, a in page.elements for name in ("src", "href", "xlink:href") if a.get(name)]
    assert loaded
    assert all(value.startswith(("data:image/", "#")) for value in loaded)
    assert page.all("script", "link", "iframe") == []
    assert not [name for name in named if name.startswith("on")]


def test_links_find_their_places_and_identifiers_are_unique(page):
    ids = [attributes["id"] for _, attributes in page.elements if attributes.get("id")]
    assert len(ids) == len(set(ids))
    links = [a["href"] for a in page.all("a")]
    assert links
    assert all(link[1:] in ids for link in links)
    used = [a["xlink:href"] for a in page.all("use")]
    assert all(link[1:] in ids for link in used)


def test_what_others_wrote_is_shown_and_not_run(report):
    hostile = type(report)("<script>alert(1)</script>", "", report.answer)
    assert "<script>" not in as_html(hostile)


def test_markdown_has_the_numbers_of_the_page(report, page):
    text = as_markdown(report)
    tables = [line for line in text.splitlines() if line.startswith("|")]
    cells = {cell.strip() for line in tables for cell in line.strip("|").split(" | ")}
    assert len(tables) > 40
    missing = [cell for cell in cells if cell and not set(cell) <= {"-", " "} and cell not in page.text]
    assert missing == []
    assert "svg" not in text


def test_a_page_of_a_running_study_reads_itself_again(report):
    assert "http-equiv" not in as_html(report)
    again = type(report)(report.title, "", report.answer, refresh=7)
    assert '<meta http-equiv="refresh" content="7">' in as_html(again)


# --- the command line -------------------------------------------------------------------------------------------------


def test_the_report_goes_into_the_studys_folder_and_into_mlflow(search, searched, capsys):
    assert main(["search", "--storage-dir", str(search.storage)]) == 0
    file = search.folder.path / "report.html"
    assert capsys.readouterr().out == f"{file}\n"
    kept = searched.files.text(searched.recorded.study["run_id"], "report.html")
    assert kept == file.read_text()


def test_markdown_is_printed_or_written(search, tmp_path, capsys):
    storage = ["--storage-dir", str(search.storage)]
    assert main(["search", "--markdown", *storage]) == 0
    assert capsys.readouterr().out.startswith("# Study search\n")
    assert main(["search", "--markdown", "--out", str(tmp_path / "s.md"), *storage]) == 0
    assert (tmp_path / "s.md").read_text().startswith("# Study search\n")


def test_studies_of_a_space_are_compared_by_protocol(search, told, tmp_path, capsys):
    options = {"space": "gradnorm", "trials": 3, "dataset": "mnist5k"}
    told("elsewhere", lambda params, number: 10.0, options, pictures=False)
    assert main(["gradnorm", "--all", "--markdown", "--storage-dir", str(search.storage)]) == 0
    shown = capsys.readouterr().out
    sections = re.split(r"^## ", shown, flags=re.MULTILINE)[1:]
    (of_mnist,) = (each for each in sections if "on mnist5k" in each)
    assert "| elsewhere |" in of_mnist
    assert "| search |" not in of_mnist
    assert "may not be compared" in shown


def test_a_watch_ends_with_its_study(search, tmp_path, capsys):
    out = tmp_path / "r.html"
    assert main(["search", "--watch", "--every", "1", "--out", str(out), "--storage-dir", str(search.storage)]) == 0
    assert "http-equiv" not in out.read_text()


def test_a_watch_rewrites_the_file_until_the_study_ends(told, tmp_path):
    plan = told("watched", lambda params, number: 30.0 + number, {"space": "gradnorm", "trials": 3}, is_over=False)
    out = tmp_path / "r.html"
    arguments = ["watched", "--watch", "--every", "1", "--out", str(out), "--storage-dir", str(plan.storage)]
    ends = []
    watch = threading.Thread(target=lambda: ends.append(main(arguments)), daemon=True)
    watch.start()
    until(lambda: out.exists() and 'content="1"' in out.read_text())
    client = MlflowClient(plan.tracking_uri)
    client.set_terminated(loaded(plan).recorded.study["run_id"])
    watch.join(60)
    assert ends == [0]
    assert "http-equiv" not in out.read_text()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nobody"], "holds no study 'nobody'"),
        (["nobody", "--all"], "holds no study of a space 'nobody'"),
        (["search", "--tracking-uri", "http://127.0.0.1:1"], "does not answer"),
        (["search", "--tracking-uri", "http://127.0.0.1:1", "--all"], "does not answer"),
        (["search", "--out", "/nowhere/report.html"], "there is no folder /nowhere"),
        (["search", "--watch", "--markdown"], "leave out --markdown"),
        (["search", "--watch", "--every", "0"], "say a number of seconds"),
    ],
)
def test_bad_input_is_one_sentence(search, capsys, arguments, sentence):
    assert main([*arguments, "--storage-dir", str(search.storage)]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("error: ")
    assert shown.err.count("\n") == 1
    assert sentence in shown.err
