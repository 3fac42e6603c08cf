
"use strict";
(() => {
  const HEIGHT = 300, LABEL = 13, GAP = 8;
  const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const colour = index => css(index === null ? "--muted" : "--c" + index);
  const font = size => size + "px " + getComputedStyle(document.body).fontFamily;
  const measure = document.createElement("canvas").getContext("2d");

  /** 1234567 as "1.2M". */
  function short(value) {
    for (const [size, prefix] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]])
      if (value >= size) return Number((value / size).toPrecision(3)) + prefix;
    return String(Number(value.toPrecision(3)));
  }

  /** A label that leaves room for the picture. */
  const clip = name => name.length > 24 ? name.slice(0, 23) + "…" : name;

  /** Ticks with as many decimals as the finest needs: 2.0, 2.5 or 2.00, 2.25. */
  function decimals(ticks) {
    const digits = Math.max(...ticks.map(tick => (String(Number(tick.toFixed(4))).split(".")[1] || "").length));
    return ticks.map(tick => tick.toFixed(digits));
  }

  /** Labels of a logarithmic axis over many decades: 1000, 1, 0.01, 10⁻⁴. */
  function powers(ticks) {
    return ticks.map(tick => {
      if (tick >= 0.00999 && tick < 10001) return String(Number(tick.toPrecision(3)));
      const power = Math.floor(Math.log10(tick) + 1e-9), digits = Math.round(tick / 10 ** power);
      const raised = [...String(power)].map(sign => sign === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[sign]).join("");
      return (digits > 1 ? digits + "·" : "") + "10" + raised;
    });
  }

  /** Moves labels apart that would cover each other. */
  function separate(labels, top, bottom, height) {
    labels.sort((a, b) => a.y - b.y);
    const overlap = (a, b) => a.x < b.x + b.width && b.x < a.x + a.width;
    labels.forEach((label, i) => {
      label.y = Math.max(label.y, top);
      for (const other of labels.slice(0, i))
        if (overlap(label, other)) label.y = Math.max(label.y, other.y + height);
    });
    labels.reverse().forEach((label, i) => {
      label.y = Math.min(label.y, bottom);
      for (const other of labels.slice(0, i))
        if (overlap(label, other)) label.y = Math.min(label.y, other.y - height);
    });
  }

  /** Names every line at its end and every point beside it. */
  function drawLabels(plot, data) {
    const { ctx, bbox } = plot, ratio = devicePixelRatio, right = bbox.left + bbox.width;
    const end = plot.width * ratio, labels = [];
    const add = (name, x, y, index) => {
      const width = ctx.measureText(name).width;
      const start = x + GAP * ratio;
      labels.push({ name, index, y, width, x: start + width > end ? x - GAP * ratio - width : start });
    };
    ctx.save();
    ctx.font = font(LABEL * ratio);
    ctx.textBaseline = "middle";
    ctx.textAlign = "left";
    for (const line of data.levels) add(clip(line.name), right, plot.valToPos(line.y, "y", true), line.colour);
    for (const series of data.series) {
      if (series.kind === "faint") continue;
      const last = series.x.length - 1;
      add(clip(series.name), plot.valToPos(series.x[last], "x", true), plot.valToPos(series.y[last], "y", true), series.colour);
    }
    separate(labels, bbox.top, bbox.top + bbox.height, LABEL * 1.25 * ratio);
    ctx.lineWidth = 4 * ratio;
    ctx.lineJoin = "round";
    ctx.strokeStyle = css("--page");
    for (const label of labels) {
      ctx.fillStyle = colour(label.index);
      ctx.strokeText(label.name, label.x, label.y);
      ctx.fillText(label.name, label.x, label.y);
    }
    ctx.restore();
  }

  function drawLines(plot, data) {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.lineWidth = 1.25 * devicePixelRatio;
    ctx.setLineDash([5 * devicePixelRatio, 4 * devicePixelRatio]);
    for (const line of data.levels) {
      const y = plot.valToPos(line.y, "y", true);
      ctx.strokeStyle = colour(line.colour);
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.stroke();
    }
    ctx.restore();
  }

  /** Rings on lines, each with the bar of its interval. */
  function drawMarks(plot, data) {
    const { ctx, bbox } = plot, ratio = devicePixelRatio, end = 4 * ratio;
    const inside = x => Math.min(Math.max(plot.valToPos(x, "x", true), bbox.left), bbox.left + bbox.width);
    ctx.save();
    ctx.lineWidth = 2 * ratio;
    ctx.fillStyle = css("--page");
    for (const mark of data.marks || []) {
      const y = plot.valToPos(mark.y, "y", true), low = inside(mark.low), high = inside(mark.high);
      ctx.strokeStyle = colour(mark.colour);
      ctx.beginPath();
      for (const x of [low, high]) { ctx.moveTo(x, y - end); ctx.lineTo(x, y + end); }
      ctx.moveTo(low, y);
      ctx.lineTo(high, y);
      ctx.stroke();
      ctx.beginPath();
      ctx.arc(inside(mark.x), y, 5 * ratio, 0, 2 * Math.PI);
      ctx.fill();
      ctx.stroke();
    }
    ctx.restore();
  }

  /** The x range: from 0 on a linear axis; on a log axis from where the first line comes into view. */
  function xRange(data) {
    const all = data.series.flatMap(series => series.x);
    if (data.scale === "linear") return [0, Math.max(...all)];
    const points = data.series.some(series => series.kind === "points");
    const seen = data.series.flatMap(series => series.x.filter((_, i) => series.y[i] <= data.y[1]));
    const low = Math.min(...seen), high = Math.max(...all);
    return points ? [low / 2, high * 2] : [low, high === low ? low * 2 : high];
  }

  /** Round numbers within a log range: 1, 10, 100 in a wide one, 1, 2, 3 in a narrow one. */
  function logTicks(low, high) {
    const decades = Math.log10(high / low), ticks = [];
    const stride = Math.ceil(decades / 9);
    const steps = decades > 4 ? [1] : decades > 2 ? [1, 3] : decades > 0.8 ? [1, 2, 5] : [1, 2, 3, 4, 5, 6, 7, 8, 9];
    for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++)
      for (const step of steps) if (power % stride === 0) ticks.push(step * 10 ** power);
    const inside = ticks.filter(tick => tick >= low * 0.999 && tick <= high * 1.001);
    return inside.length > 1 ? inside : [low, high];
  }

  function uplotSeries(series) {
    const points = series.kind === "points";
    return {
      label: series.name,
      class: series.kind,
      stroke: colour(series.colour) + (series.kind === "faint" ? "59" : ""),
      width: points ? 0 : series.kind === "faint" ? 1 : 2,
      spanGaps: true,
      points: { show: points, size: 11, fill: colour(series.colour), width: 0 },
      value: (_, value) => value === null ? "–" : value.toPrecision(4),
    };
  }

  /** The point that is shown under the cursor: lines have points at different x. */
  function nearest(plot, index, hovered) {
    const values = plot.data[index];
    for (let step = 0; step < values.length; step++) {
      if (values[hovered - step] != null) return hovered - step;
      if (values[hovered + step] != null) return hovered + step;
    }
    return hovered;
  }

  function draw(figure) {
    const target = figure.querySelector(".chart");
    const data = JSON.parse(figure.querySelector("script").textContent);
    target.textContent = "";
    measure.font = font(LABEL);
    const names = [...data.series, ...data.levels].map(row => measure.measureText(clip(row.name)).width);
    const points = data.series.some(series => series.kind === "points");
    const log = data.scale === "log", yLog = data.yScale === "log";
    const logAxis = { splits: (_, i, low, high) => logTicks(low, high), filter: (_, ticks) => ticks };
    const axis = {
      stroke: css("--muted"), font: font(12), labelFont: font(12),
      grid: { stroke: css("--grid"), width: 1 }, ticks: { show: false },
    };
    new uPlot({
      width: target.clientWidth, height: HEIGHT,
      padding: [12, points ? 12 : Math.max(...names) + GAP + 2, 0, 0],
      cursor: {
        dataIdx: nearest, drag: { x: false, y: false }, y: false,
        points: { size: (plot, index) => plot.series[index].class === "line" ? 8 : 0 },
      },
      legend: { show: !points },
      scales: {
        x: { time: false, distr: log ? 3 : 1, range: () => xRange(data) },
        y: { distr: yLog ? 3 : 1, range: () => data.y },
      },
      axes: [
        { ...axis, label: data.x, labelSize: 20, size: 28, values: (_, ticks) => ticks.map(short),
          ...(log && logAxis) },
        { ...axis, size: 44, values: (_, ticks) => yLog ? powers(ticks) : decimals(ticks), ...(yLog && logAxis) },
      ],
      series: [{ label: data.x, value: (_, value) => value === null ? "–" : short(value) }, ...data.series.map(uplotSeries)],
      hooks: { drawAxes: [plot => drawLines(plot, data)], draw: [plot => { drawMarks(plot, data); drawLabels(plot, data); }] },
    }, uPlot.join(data.series.map(series => [series.x, series.y])), target);
  }

  const drawAll = () => document.querySelectorAll("figure:has(.chart)").forEach(draw);
  const print = on => () => { document.documentElement.classList.toggle("print", on); drawAll(); };
  let width = innerWidth;
  addEventListener("resize", () => { if (width !== innerWidth) { width = innerWidth; drawAll(); } });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  addEventListener("beforeprint", print(true));
  addEventListener("afterprint", print(false));
  drawAll();
})();
