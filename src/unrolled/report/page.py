"""Pages: HTML files that load nothing, from the templates in templates/.

Style, script and data are inside of a page, and its content security policy forbids everything
else: a sample text that looks like a script stays text.

To add a page: a result in results/, its phrases in both languages in words/<page>.toml, a template
templates/<page>.html that extends page.html and fills the block `body`, and a file <page>.py with
`html(result, language)`, which works out what the template shows (tables.py, charts.py) and calls
`render`. In a template `t(key)` is a phrase, `t.html(key)` one with marks in it, macros.html has
sections, tables and figures, and numbers get their form by the filters below.
"""

from base64 import b64encode
from collections.abc import Iterator
from functools import cache, partial
from hashlib import sha256
from importlib.resources import files
from typing import Any

from . import format as figures
from .charts import NUM_COLOURS
from .words import Language, Words

VEGA = "/*\n{}\n*/\n{}\n{}\n(() => {{ const {{ {} }} = vega; {} }})();\n"
"""Licence, Vega, Vega-Lite, and the interpreter: an ES module, here as a plain script."""
INTERPRETER_BEGIN, INTERPRETER_END = "import { ", "export { expression as expressionInterpreter };"
FOLDER = files("unrolled.report")
TAGS = {"en": "en", "zh": "zh-Hans"}


def render(page: str, words: Words, *, has_charts: bool = True, **context: Any) -> str:
    """Writes a page.

    Args:
        page: Name of the template, without ".html".
        words: Phrases of the page, `t` in the template.
        has_charts: A page without charts needs no script.
        context: What the template shows.

    Returns:
        One self-contained HTML document; the same input gives the same text.
    """
    return "".join(stream(page, words, has_charts=has_charts, **context))


def stream(page: str, words: Words, *, has_charts: bool = True, **context: Any) -> Iterator[str]:
    """The same in pieces, for a page as long as its input: see `render`."""
    from markupsafe import Markup

    script = _script() if has_charts else ""
    template = _environment(words.language).get_template(f"{page}.html")
    pieces = template.stream(
        t=words,
        language=TAGS[words.language],
        style=Markup(_asset("templates/page.css")),
        theme=Markup(_asset("theme.json")),
        script=Markup(script),
        script_hash=b64encode(sha256(script.encode()).digest()).decode(),
        **context,
    )
    pieces.enable_buffering(64)
    for piece in pieces:
        yield piece.encode("utf-8", "replace").decode()  # a lone surrogate cannot be saved


@cache
def _environment(language: Language) -> Any:
    """The templates, with everything escaped, and the filters of numbers."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    folder = str(FOLDER.joinpath("templates"))
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {
        "ensure_ascii": False,
        "allow_nan": False,
        "separators": (",", ":"),
    }
    environment.filters |= {
        "number": figures.number,
        "scaled": figures.scaled,
        "in_bytes": figures.in_bytes,
        "percent": partial(figures.percent, language=language),
        "duration": partial(figures.duration, language=language),
        "script_of": figures.script_of,
        "colour": _colour,
    }
    return environment


def _colour(rank: int) -> str:
    """The class of page.css that has the colour of a rank."""
    return f"c{rank % NUM_COLOURS}"


@cache
def _script() -> str:
    """What draws the charts."""
    folder = "vendor/vega/"
    imports, _, interpreter = _asset(f"{folder}vega-interpreter.js").partition("\n")
    names = imports.removeprefix(INTERPRETER_BEGIN).partition(" }")[0]
    interpreter = interpreter.replace(
        INTERPRETER_END, "globalThis.expressionInterpreter = expression;"
    )
    library = [_asset(folder + name) for name in ("LICENSE", "vega.min.js", "vega-lite.min.js")]
    return VEGA.format(*library, names, interpreter) + _asset("templates/page.js")


@cache
def _asset(name: str) -> str:
    """A file of this folder."""
    return FOLDER.joinpath(name).read_text("utf-8")
