/** SVG text to PNG bytes. Text needs a font on the machine (DejaVu or any other). */
import { Resvg } from "@resvg/resvg-js";

export function svgToPng(svg: string, scale = 2): Uint8Array {
  const picture = new Resvg(svg, {
    fitTo: { mode: "zoom", value: scale },
    font: {
      loadSystemFonts: true,
      defaultFontFamily: "DejaVu Sans",
      sansSerifFamily: "DejaVu Sans",
    },
    background: "#fff",
  });
  return picture.render().asPng();
}

/** Pictures of equal width beside one another, as one SVG. */
export function sideBySide(
  svgs: readonly string[],
  width: number,
  height: number,
  columns: number,
): string {
  const rows = Math.ceil(svgs.length / columns);
  const cells = svgs.map((svg, index) => {
    const x = (index % columns) * width;
    const y = Math.floor(index / columns) * height;
    return `<g transform="translate(${x} ${y})">${svg}</g>`;
  });
  const across = Math.min(columns, svgs.length) * width;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${across}" height="${rows * height}" viewBox="0 0 ${across} ${rows * height}">${cells.join("")}</svg>`;
}
