/** One figure of the report, drawn by the page, with a reading at the pointer. */
import { useEffect, useRef, useState } from "preact/hooks";
import { type Figure, plotFigure, tickText } from "../../../../scripts/report/plot.ts";
import { saveAs } from "../download.ts";
import { theme } from "../theme.ts";

/** After Okabe and Ito, for either ground. */
const PALETTES = {
  light: ["#0072b2", "#b34a00", "#007a57", "#8f5bb0", "#8a6500", "#b02f6b", "#22708f", "#555"],
  dark: ["#6bb3ff", "#ff9d5c", "#46d39a", "#c8a2ff", "#f0c64d", "#ff8fbd", "#7fd0ee", "#b5bdc8"],
} as const;

export function paletteColour(place: number): string {
  const palette = PALETTES[theme.value];
  return palette[place % palette.length] ?? "#888";
}

export function Chart({ figure }: { readonly figure: Figure }) {
  const box = useRef<HTMLDivElement>(null);
  const [reading, setReading] = useState("");
  const look = theme.value;
  useEffect(() => {
    const place = box.current;
    if (place === null) return;
    const draw = (): void => {
      const style = getComputedStyle(place);
      const plot = plotFigure(figure, {
        document,
        width: Math.max(280, place.clientWidth),
        height: Math.min(400, Math.max(260, place.clientWidth * 0.62)),
        font: style.fontFamily,
        paper: style.getPropertyValue("--panel").trim(),
        ink: style.getPropertyValue("--soft").trim(),
        colourOf: paletteColour,
      });
      plot.addEventListener("pointermove", (event) => {
        const scale = plot.scale("x");
        const at = scale?.invert?.((event as PointerEvent).offsetX) as number | undefined;
        if (at !== undefined) setReading(readingOf(figure, at));
      });
      plot.setAttribute("aria-hidden", "true"); // the place around it says what it shows
      place.replaceChildren(plot);
    };
    draw();
    const watch = new ResizeObserver(draw);
    watch.observe(place);
    return () => watch.disconnect();
  }, [figure, look]);
  return (
    <figure class="panel chart">
      <header>
        <div>
          <h2>{figure.title}</h2>
          <p class="note">{figure.subtitle}</p>
        </div>
        <div class="row">
          <button type="button" onClick={() => saveSvg(box.current, figure.title)}>
            SVG
          </button>
          <button type="button" onClick={() => void savePng(box.current, figure.title)}>
            PNG
          </button>
        </div>
      </header>
      <ul class="legend">
        {figure.series.map((line, index) => (
          <li key={line.name}>
            <i style={{ background: paletteColour(line.colour ?? index) }} /> {line.name}
          </li>
        ))}
      </ul>
      <div ref={box} role="img" aria-label={`${figure.title}. ${figure.subtitle}`} />
      <p class="note number reading">{reading}</p>
    </figure>
  );
}

/** Every line between the points around `x`, on the axes as they are drawn. */
function readingOf(figure: Figure, x: number): string {
  const log = figure.x.type !== undefined && figure.x.type !== "linear";
  const along = (value: number): number => (log ? Math.log(value) : value);
  const found = figure.series.flatMap(({ name, points }) => {
    const sorted = [...points].sort((a, b) => a.x - b.x);
    const after = sorted.findIndex((point) => point.x >= x);
    const [low, high] = [sorted[after - 1], sorted[after]];
    if (low === undefined || high === undefined || high.x === low.x) return [];
    const share = (along(x) - along(low.x)) / (along(high.x) - along(low.x));
    return [`${name} ${tickText(low.y + share * (high.y - low.y))}`];
  });
  return found.length === 0 ? "" : `at ${tickText(x)}: ${found.join(" · ")}`;
}

function svgText(box: HTMLElement | null): string | undefined {
  const svg = box?.querySelector("svg");
  if (svg === null || svg === undefined) return undefined;
  return new XMLSerializer().serializeToString(svg);
}

function saveSvg(box: HTMLElement | null, title: string): void {
  const text = svgText(box);
  if (text !== undefined) saveAs(`${title}.svg`, new Blob([text], { type: "image/svg+xml" }));
}

async function savePng(box: HTMLElement | null, title: string): Promise<void> {
  const text = svgText(box);
  const svg = box?.querySelector("svg");
  if (text === undefined || svg === null || svg === undefined) return;
  const image = new Image();
  const url = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
  image.src = url;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = 2 * svg.clientWidth;
  canvas.height = 2 * svg.clientHeight;
  canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
  URL.revokeObjectURL(url);
  canvas.toBlob((blob) => blob !== null && saveAs(`${title}.png`, blob));
}
