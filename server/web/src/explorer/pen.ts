/** What the timeline draws with: a canvas, or a text of SVG that looks the same. */
import type { Drawing } from "../exports.tsx";

export type Pen = Pick<
  CanvasRenderingContext2D,
  | "fillStyle"
  | "strokeStyle"
  | "lineWidth"
  | "globalAlpha"
  | "font"
  | "textBaseline"
  | "clearRect"
  | "fillRect"
  | "strokeRect"
  | "fillText"
>;

const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");

export class SvgPen implements Pen {
  fillStyle: string = "#000";
  strokeStyle: string = "#000";
  lineWidth = 1;
  globalAlpha = 1;
  font = "";
  textBaseline: CanvasTextBaseline = "middle";
  readonly #shapes: string[] = [];

  clearRect(): void {
    this.#shapes.length = 0;
  }

  fillRect(x: number, y: number, width: number, height: number): void {
    this.#rect({ x, y, width, height }, `fill="${escaped(this.fillStyle)}"`);
  }

  strokeRect(x: number, y: number, width: number, height: number): void {
    const stroke = `fill="none" stroke="${escaped(this.strokeStyle)}" stroke-width="${this.lineWidth}"`;
    this.#rect({ x, y, width, height }, stroke);
  }

  fillText(text: string, x: number, y: number): void {
    const fill = `fill="${escaped(this.fillStyle)}" dominant-baseline="middle"`;
    this.#shapes.push(`<text x="${short(x)}" y="${short(y)}" ${fill}>${escaped(text)}</text>`);
  }

  drawing(size: { readonly width: number; readonly height: number }, ground: string): Drawing {
    const [, points = "11px", family = "monospace"] = /(\S+px) (.*)/.exec(this.font) ?? [];
    const { width, height } = size;
    const svg = [
      `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-size="${points}" font-family="${escaped(family)}">`,
      `<rect width="100%" height="100%" fill="${escaped(ground)}"/>`,
      ...this.#shapes,
      "</svg>",
    ].join("");
    return { svg, size };
  }

  #rect(
    { x, y, width, height }: Readonly<Record<"x" | "y" | "width" | "height", number>>,
    look: string,
  ): void {
    const alpha = this.globalAlpha === 1 ? "" : ` opacity="${this.globalAlpha}"`;
    this.#shapes.push(
      `<rect x="${short(x)}" y="${short(y)}" width="${short(Math.max(0, width))}" height="${short(height)}" ${look}${alpha}/>`,
    );
  }
}

const short = (value: number): string => String(Math.round(100 * value) / 100);
