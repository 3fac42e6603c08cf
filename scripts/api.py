"""Writes docs/api.md from the signatures and docstrings of `unrolled.__all__`.

python scripts/api.py
"""

import ast
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import unrolled

PAGE = Path(__file__).parents[1] / "docs" / "api.md"
SECTIONS = {
    "From a text to a run": "train TrainRequest DataConfig FileFormat Budget",
    "From a question to a report": (
        "compare CompareRequest diagnose DiagnoseRequest probe ProbeRequest "
        "classify ClassifyRequest"
    ),
    "Classify": "TextClassifier",
    "Models of your own": "NeuralModel",
    "Use a run": (
        "load Run evaluate generate stream SamplingConfig score_text score_texts rank TextScore "
        "next_tokens next_words Candidate"
    ),
    "Results": "Comparison Diagnosis Classification Probes RunResults Evaluation Loss",
    "Exceptions": "UnrolledError Interrupted",
}
HEAD = """# API reference

All names that `import unrolled` offers, written by `python scripts/api.py` from signatures and
docstrings. `import unrolled` itself loads no torch: a module is imported when a name is first used.

No function needs a callback. Those that take `on_event` call it with the dataclasses of
`unrolled.results.events`. Results are frozen dataclasses. They print as a short table, also in a
notebook; `to_json()` and `from_json()` turn them into JSON and back, and `to_frame()` makes a
pandas table of their figures (pip install pandas).
"""
WIDTH = 100
HIDDEN = {"summary", "rows"}
"""Methods that every result has."""
Function = ast.FunctionDef | ast.AsyncFunctionDef


def page() -> str:
    """The whole page."""
    names = [name for section in SECTIONS.values() for name in section.split()]
    if sorted(names) != unrolled.__all__:
        sys.exit(f"SECTIONS and unrolled.__all__ differ: {set(names) ^ set(unrolled.__all__)}")
    parts = [HEAD]
    for title, section in SECTIONS.items():
        parts += [f"## {title}", *(entry(name) for name in section.split())]
    return "\n".join(parts)


def entry(name: str) -> str:
    """One function or class."""
    node = definition(getattr(unrolled, name))
    text = f"### {name}\n" + prose(node)
    if isinstance(node, Function):
        return text.replace("\n", f"\n{code(signature(node))}\n", 1)
    methods = [part for part in node.body if isinstance(part, Function)]
    for part in methods:
        if part.name == "__init__":
            text = text.replace("\n", f"\n{code(signature(part, name))}\n", 1)
    bases = [ast.unparse(base) for base in node.bases]
    if inherited := [f"`{base}`" for base in bases if base in unrolled.__all__]:
        text += f"\nHas all that {', '.join(inherited)} has.\n"
    rows = [*fields(node), *filter(None, map(member, methods))]
    return text + ("\n" + "\n".join(rows) + "\n" if rows else "")


def definition(value: object) -> Function | ast.ClassDef:
    """The syntax tree of a function or class."""
    node = ast.parse(inspect.cleandoc("\n" + inspect.getsource(value))).body[0]  # pyrefly: ignore
    assert isinstance(node, Function | ast.ClassDef)
    return node


def signature(node: Function, name: str = "", width: int = WIDTH) -> str:
    """A call with types and defaults, over several lines where it is long."""
    text = re.sub(r"^(self|cls)(, |$)", "", ast.unparse(node.args))
    parts = re.split(r", (?=\*|\w+:)", text) if text else []
    parts = [re.sub(r"^(\w+: .+?)=", r"\1 = ", part) for part in parts]
    returns = f" -> {ast.unparse(node.returns)}" if node.returns and not name else ""
    line = f"{name or node.name}({', '.join(parts)}){returns}"
    if len(line) <= width:
        return line
    rows = "".join(f"    {part},\n" for part in parts)
    return f"{name or node.name}(\n{rows}){returns}"


def code(text: str) -> str:
    """Not marked as Python: the tests would run it."""
    return f"```py\n{text}\n```"


def fields(node: ast.ClassDef) -> Iterator[str]:
    """Fields of a dataclass; the string below one says what it is."""
    for part, following in zip(node.body, [*node.body[1:], None], strict=True):
        if not isinstance(part, ast.AnnAssign) or "ClassVar" in ast.unparse(part.annotation):
            continue
        default = f" = {ast.unparse(part.value)}" if part.value else ""
        if default.startswith(" = field("):
            default = ""
        yield bullet(
            f"{ast.unparse(part.target)}: {ast.unparse(part.annotation)}{default}", said(following)
        )


def said(node: ast.stmt | None) -> str:
    """The text of a string that stands alone."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return " ".join(str(node.value.value).split())
    return ""


def member(node: Function) -> str | None:
    """A public property or method, with the first paragraph of its docstring."""
    if node.name.startswith("_") or node.name in HIDDEN:
        return None
    about = " ".join((ast.get_docstring(node) or "").split("\n\n")[0].split())
    if "property" in {ast.unparse(decorator) for decorator in node.decorator_list}:
        returns = f": {ast.unparse(node.returns)}" if node.returns else ""
        return bullet(node.name + returns, about)
    return bullet(signature(node, width=sys.maxsize), about)


def bullet(name: str, about: str) -> str:
    """A line of a list."""
    return f"- `{name}`" + (f": {escaped(about)}" if about else "")


def prose(node: Function | ast.ClassDef) -> str:
    """A docstring as markdown: what stands below `Args:` and the like becomes a list."""
    lines: list[str] = []
    heading = ""
    for line in (ast.get_docstring(node) or "").split("\n"):
        if re.fullmatch(r"(Args|Attributes|Returns|Raises):", line):
            heading = line
            lines += [f"**{line.rstrip(':')}**", ""]
        elif not line.startswith("    "):
            heading = ""
            lines.append(escaped(line))
        elif heading == "Returns:":
            lines.append(escaped(line.strip()))
        elif heading and not line.startswith("        "):
            names, colon, about = line.strip().partition(": ")
            is_name = colon and re.fullmatch(r"[\w, ]+", names)
            lines.append(
                f"- `{names}`: {escaped(about)}" if is_name else f"- {escaped(line.strip())}"
            )
        else:
            lines.append("  " + escaped(line.strip()))
    return "\n".join(lines).rstrip() + "\n"


def escaped(text: str) -> str:
    """Marks outside of code that markdown would take for HTML."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(p if p.startswith("`") else p.replace("<", "&lt;") for p in parts)


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
    print(PAGE)
