"""Words that the glossary explains lead there where a page first uses them."""

import re
from pathlib import Path

from bs4 import BeautifulSoup, NavigableString
from mkdocs.utils import get_relative_url

GLOSSARY = Path(__file__).with_name("glossary.md")
QUIET = {"a", "code", "pre", "h1", "h2", "h3", "h4", "th", "math", "script", "style", "figcaption", "summary", "nav"}
TERM = re.compile(r"^(\S.*)\n: ", re.MULTILINE)


def anchor(term: str) -> str:
    """The anchor of a word on the glossary's page."""
    return "word-" + re.sub(r"\W+", "-", term.lower()).strip("-")


def words() -> dict[str, str]:
    """The anchor of each word that the glossary explains; `a, b` are two."""
    lines = TERM.findall(GLOSSARY.read_text())
    return {term.strip().lower(): anchor(line) for line in lines for term in line.split(",")}


def linked(html: str, *, to: str, known: dict[str, str]) -> str:
    """HTML in which the first use of each word, also in the plural, is a link."""
    page, left = BeautifulSoup(html, "html.parser"), dict(known)
    for text in page.find_all(string=True):
        if left and not QUIET & {parent.name for parent in text.parents}:
            longest = sorted(map(re.escape, left), key=len, reverse=True)
            pattern = re.compile(rf"\b({'|'.join(longest)})(s?)\b", re.IGNORECASE)
            parts, end = [], 0
            for found in pattern.finditer(text):
                target = left.pop(found[1].lower(), None)
                if target:
                    link = page.new_tag("a", href=f"{to}#{target}", attrs={"class": "word"})
                    link.string = found[0]
                    parts += [NavigableString(text[end : found.start()]), link]
                    end = found.end()
            if parts:
                text.replace_with(*parts, NavigableString(text[end:]))
    return str(page)


def on_page_content(html: str, page, config, **_) -> str:
    """A hook of MkDocs: links in every page but the glossary, whose words get their anchors."""
    if page.file.src_uri == "glossary.md":
        return re.sub(r"<dt>(.*?)</dt>", lambda found: f'<dt id="{anchor(found[1])}">{found[1]}</dt>', html)
    if page.file.src_uri.startswith(("reference/", "tutorials/")):  # where names are code, or cells of a notebook
        return html
    return linked(html, to=get_relative_url("glossary/", page.url), known=words())
