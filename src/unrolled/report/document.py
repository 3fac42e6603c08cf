"""A page: one HTML file that loads nothing.

Style, script and data are inside it, and its content security policy forbids everything else:
a sample text that looks like a script stays text.
"""

from base64 import b64encode
from hashlib import sha256
from html import escape
from importlib.resources import files
from string import Template

CHART = "<div class=chart "
"""How the box of a chart begins; a page without one needs no script."""
NO_SCRIPT = """<noscript>
<p class="note">The charts need JavaScript; everything else on this page does not.</p>
</noscript>"""


def document(kicker: str, title: str, verdict: str, body: str) -> str:
    """Puts sections into a page.

    Args:
        kicker, title, verdict: Text.
        body: HTML.

    Returns:
        One self-contained HTML document; the same input gives the same text.
    """
    script = _script() if CHART in body else ""
    page = Template(asset("report/page.html")).substitute(
        kicker=escape(kicker),
        title=escape(title),
        verdict=escape(verdict),
        style=asset("vendor/uplot/uPlot.min.css") + asset("report/page.css"),
        script=script,
        script_hash=b64encode(sha256(script.encode()).digest()).decode(),
        body=body + (NO_SCRIPT if script else ""),
    )
    return page.encode("utf-8", "replace").decode()  # a lone surrogate cannot be saved


def _script() -> str:
    """What draws the charts."""
    library = [asset(f"vendor/uplot/{name}") for name in ("LICENSE", "uPlot.iife.min.js")]
    return "/*\n{}\n*/\n{}".format(*library) + asset("report/page.js")


def asset(name: str) -> str:
    """A file of this package."""
    return files("unrolled").joinpath(name).read_text(encoding="utf-8")
