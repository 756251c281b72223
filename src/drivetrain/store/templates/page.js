(() => {
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const dashes = ["solid", "dash", "dot", "dashdot", "longdash"];
  const symbols = ["circle", "square", "diamond", "cross", "triangle-up"];
  const patterns = ["", "/", "x", ".", "-"];
  const onPaper = { ink: "#000000", quiet: "#444b55", rule: "#c5cbd4", series: ["#1f5fae", "#c2570c", "#0f7b6c", "#8a3ea8", "#6b7280"] };

  function onScreen() {
    const style = getComputedStyle(document.documentElement);
    const value = (name) => style.getPropertyValue(name).trim();
    return {
      ink: value("--ink"), quiet: value("--quiet"), rule: value("--rule"),
      series: [1, 2, 3, 4, 5].map((number) => value(`--series-${number}`)),
    };
  }

  function dress(trace, index, colours) {
    const colour = colours.series[index % 5];
    const error = { color: colours.ink, thickness: 1.2, width: 3 };
    const dressed = { ...trace, hovertemplate: "%{x}, %{y}<extra>%{fullData.name}</extra>" };
    if (trace.type === "bar") {
      dressed.opacity = 0.75;
      dressed.marker = { color: colour, pattern: { shape: patterns[index % 5], solidity: 0.3 } };
    } else {
      dressed.line = { color: colour, width: 2, dash: dashes[index % 5] };
      dressed.marker = { color: colour, size: 8, symbol: symbols[index % 5] };
    }
    for (const axis of ["error_x", "error_y"]) if (trace[axis]) dressed[axis] = { ...trace[axis], ...error };
    return dressed;
  }

  function draw(figure, index, colours, width) {
    const axis = { gridcolor: colours.rule, zerolinecolor: colours.rule, linecolor: colours.quiet, showline: true };
    const line = { color: colours.quiet, width: 1.2, dash: "dot" };
    const { layout } = figure;
    Plotly.react(`chart-${index}`, figure.data.map((trace, at) => dress(trace, at, colours)), {
      ...layout,
      xaxis: { ...layout.xaxis, ...axis }, yaxis: { ...layout.yaxis, ...axis },
      shapes: layout.shapes.map((shape) => ({ ...shape, line })),
      annotations: layout.annotations.map((note) => ({ ...note, font: { color: colours.quiet, size: 11 } })),
      font: { color: colours.ink, family: "system-ui, sans-serif", size: 12 },
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      margin: { l: 55, r: 15, t: 25, b: 45 }, height: figure.height, ...(width ? { width } : { autosize: true }),
      legend: { orientation: "h", y: 1.07, yanchor: "bottom", x: 0 },
    }, { displayModeBar: false, responsive: true });
  }

  const drawAll = () => figures.forEach((figure, index) => draw(figure, index, onScreen()));
  const printAll = () => figures.forEach((figure, index) => {
    const wide = document.getElementById(`chart-${index}`).parentElement.classList.contains("wide");
    draw(figure, index, onPaper, wide ? 660 : 318);
  });
  drawAll();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  addEventListener("beforeprint", printAll);
  addEventListener("afterprint", drawAll);
})();
