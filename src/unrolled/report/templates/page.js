"use strict";
/* Draws every figure of the page with Vega: in the colours of the page, again when these change,
   light on paper. Expressions are interpreted, since the page forbids evaluating text as a script. */
(() => {
  const root = document.documentElement;
  const theme = JSON.parse(document.getElementById("theme").textContent);
  const tip = document.body.appendChild(document.createElement("div"));
  tip.className = "tip";
  tip.hidden = true;

  /** theme.json with the colours and the font that page.css has now. */
  function config() {
    const style = getComputedStyle(root), font = getComputedStyle(document.body).fontFamily;
    return JSON.parse(JSON.stringify(theme), (_, value) => {
      const name = typeof value === "string" && /^var\((--.+)\)$/.exec(value)?.[1];
      return !name ? value : name === "--font" ? font : style.getPropertyValue(name).trim();
    });
  }

  /** What `make` returns while the page has its light colours. */
  function inLight(make) {
    const before = root.classList.contains("print");
    root.classList.add("print");
    try { return make(); } finally { root.classList.toggle("print", before); }
  }

  /** A Vega view of a specification of Vega-Lite. */
  function view(spec, options) {
    const { spec: compiled } = vegaLite.compile(spec, { config: config(), logger: vega.logger(vega.Error) });
    return new vega.View(vega.parse(compiled, null, { ast: true }), { expr: expressionInterpreter, ...options });
  }

  /** Shows the name of what is under the pointer, and its figures as Vega gives them: {title: text}. */
  function showTip(_, event, item, figures) {
    tip.hidden = !figures;
    if (!figures) return;
    const { n: name } = item.datum.datum ?? item.datum;
    const add = (tag, text, ...before) => {
      const row = document.createElement("div"), part = document.createElement(tag);
      part.textContent = text;
      row.append(...before, part);
      return row;
    };
    tip.replaceChildren(...(name ? [add("b", name)] : []),
      ...Object.entries(figures).map(([title, text]) => add("span", title + " " + text)));
    const { clientX: x, clientY: y } = event, { offsetWidth: width, offsetHeight: height } = tip;
    tip.style.left = Math.max(4, x + 14 + width > innerWidth ? x - 14 - width : x + 14) + "px";
    tip.style.top = Math.max(4, y + 14 + height > innerHeight ? y - 14 - height : y + 14) + "px";
  }

  const figures = [...document.querySelectorAll("figure:has(.chart)")].map(element => ({
    element, box: element.querySelector(".chart"), heading: element.querySelector("figcaption"),
    spec: JSON.parse(element.querySelector("script").textContent), view: null,
  }));

  function draw(figure) {
    figure.view?.finalize();
    figure.view = view(figure.spec, { renderer: "svg", container: figure.box, hover: true, tooltip: showTip });
    figure.view.run();
  }

  /** The picture alone, as wide as it is now, with its heading, in light colours. */
  function picture(figure) {
    const size = figure.spec.width === "container" ? { width: figure.box.clientWidth } : {};
    const paper = getComputedStyle(root).getPropertyValue("--page").trim();
    return view({ ...figure.spec, ...size, title: figure.heading.firstChild.textContent, background: paper },
      { renderer: "none" });
  }

  async function save(figure, kind) {
    const drawn = inLight(() => picture(figure));
    const blob = kind === "SVG"
      ? new Blob([await drawn.toSVG()], { type: "image/svg+xml" })
      : await drawn.toCanvas(2).then(canvas => new Promise(done => canvas.toBlob(done)));
    const link = document.createElement("a");
    const name = `${document.title} ${figure.heading.firstChild.textContent}`.match(/[\p{L}\p{N}.]+/gu).join("-");
    link.download = `${name}.${kind.toLowerCase()}`;
    link.href = URL.createObjectURL(blob);
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    drawn.finalize();
  }

  for (const figure of figures) {
    for (const kind of ["SVG", "PNG"]) {
      const button = document.createElement("button");
      Object.assign(button, { type: "button", textContent: kind, title: figure.element.dataset.save });
      button.onclick = () => save(figure, kind);
      figure.heading.append(button);
    }
  }

  const drawAll = () => figures.forEach(draw);
  const print = on => () => { root.classList.toggle("print", on); drawAll(); };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  addEventListener("beforeprint", print(true));
  addEventListener("afterprint", print(false));
  addEventListener("scroll", () => { tip.hidden = true; }, { passive: true });
  drawAll();
})();
