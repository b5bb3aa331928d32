/** The three small buttons of whatever is drawn: its numbers as CSV, itself as SVG and PNG. */
import { type Field, type Size, saveCsv, savePng, saveSvg } from "./download.ts";

export interface Drawing {
  readonly svg: string;
  readonly size: Size;
}

export function Exports(parts: {
  /** Names the files. */
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: () => readonly (readonly Field[])[];
  /** Undefined: nothing is drawn yet. */
  readonly drawing: () => Drawing | undefined;
}) {
  const { title, head, rows, drawing } = parts;
  const drawn = (save: (its: Drawing) => void): void => {
    const its = drawing();
    if (its !== undefined) save(its);
  };
  return (
    <div class="actions">
      <button type="button" onClick={() => saveCsv(title, head, rows())}>
        CSV
      </button>
      <button type="button" onClick={() => drawn(({ svg }) => saveSvg(title, svg))}>
        SVG
      </button>
      <button
        type="button"
        onClick={() => drawn(({ svg, size }) => void savePng(title, svg, size))}
      >
        PNG
      </button>
    </div>
  );
}

const COPIED = [
  ...["fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "opacity"],
  ...["stroke-linecap", "stroke-linejoin"],
  ...["font-family", "font-size", "font-weight", "text-anchor"],
];

/** A drawing of the page as a file of its own: what style sheets say of it is written on it. */
export function standalone(svg: SVGSVGElement | null): Drawing | undefined {
  if (svg === null) return undefined;
  const { width, height } = svg.getBoundingClientRect();
  const copy = svg.cloneNode(true) as SVGSVGElement; // a clone is of its kind
  const copies = copy.querySelectorAll("*");
  for (const [index, from] of svg.querySelectorAll("*").entries()) {
    const style = getComputedStyle(from);
    // What stands in the element itself wins over attributes, and names the page's colours.
    copies[index]?.removeAttribute("style");
    for (const name of COPIED) copies[index]?.setAttribute(name, style.getPropertyValue(name));
  }
  const ground = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  ground.setAttribute("width", "100%");
  ground.setAttribute("height", "100%");
  const panel = getComputedStyle(document.documentElement).getPropertyValue("--panel");
  ground.setAttribute("fill", panel.trim());
  copy.prepend(ground);
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.setAttribute("width", String(width));
  copy.setAttribute("height", String(height));
  return { svg: copy.outerHTML, size: { width, height } };
}
