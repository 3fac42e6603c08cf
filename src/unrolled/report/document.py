"""A page: one HTML file that loads nothing.

Style, script and data are inside it, and its content security policy forbids everything else:
a sample text that looks like a script stays text.
"""

from base64 import b64encode
from hashlib import sha256
from html import escape
from importlib.resources import files
from string import Template
from typing import Literal

CHART = "<div class=chart "
"""How the box of a chart begins; a page without one needs no script."""
NO_SCRIPT = {
    "en": "The charts need JavaScript; everything else on this page does not.",
    "zh": "曲线图需要 JavaScript，本页其余内容不需要。",
}
"""By language of the page."""
TAGS = {"en": "en", "zh": "zh-Hans"}


def document(
    kicker: str, title: str, verdict: str, body: str, language: Literal["en", "zh"] = "en"
) -> str:
    """Puts sections into a page.

    Args:
        kicker, title, verdict: Text.
        body: HTML.
        language: Of all of these; it picks the glyphs of Han characters.

    Returns:
        One self-contained HTML document; the same input gives the same text.
    """
    script = _script() if CHART in body else ""
    page = Template(asset("report/page.html")).substitute(
        language=TAGS[language],
        kicker=escape(kicker),
        title=escape(title),
        verdict=escape(verdict),
        style=asset("report/vendor/uplot/uPlot.min.css") + asset("report/page.css"),
        script=script,
        script_hash=b64encode(sha256(script.encode()).digest()).decode(),
        body=body + (_no_script(language) if script else ""),
    )
    return page.encode("utf-8", "replace").decode()  # a lone surrogate cannot be saved


def _no_script(language: str) -> str:
    return f'<noscript>\n<p class="note">{NO_SCRIPT[language]}</p>\n</noscript>'


def _script() -> str:
    """What draws the charts."""
    library = [asset(f"report/vendor/uplot/{name}") for name in ("LICENSE", "uPlot.iife.min.js")]
    return "/*\n{}\n*/\n{}".format(*library) + asset("report/page.js")


def asset(name: str) -> str:
    """A file of this package."""
    return files("unrolled").joinpath(name).read_text(encoding="utf-8")
