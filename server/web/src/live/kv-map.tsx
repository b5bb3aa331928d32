/** The blocks of the KV cache as a map: one path a kind, however many blocks there are. */
import { useMemo, useRef } from "preact/hooks";
import { Exports, standalone } from "../exports.tsx";
import { digits } from "../figures.ts";
import { useWidth } from "../use-width.ts";
import type { KvMap } from "./track.ts";

/** There is much of it, and nobody needs it now. */
const CACHED = "color-mix(in srgb, var(--green) 46%, var(--panel))";

const KINDS = [
  { key: "blank", name: "free", colour: "var(--raised)" },
  { key: "cached", name: "cached, free to be taken", colour: CACHED },
  { key: "held", name: "held by one", colour: "var(--blue)" },
  { key: "shared", name: "shared", colour: "var(--accent)" },
] as const;

const HIGHEST = 112;

export function KvBlocks({ map, blockSize }: { readonly map: KvMap; readonly blockSize: number }) {
  const place = useRef<SVGSVGElement>(null);
  const width = Math.max(120, useWidth(place, 480));
  const cell = cellFor(map.cells.length, width);
  const across = Math.floor(width / cell);
  const height = Math.ceil(map.cells.length / across) * cell;
  const paths = useMemo(() => pathsOf(map.cells, across, cell), [map.cells, across, cell]);
  const share = (count: number): string => `${digits((100 * count) / map.blocks)} %`;
  const title = "KV blocks";
  return (
    <section class="panel kv-map" aria-label={title}>
      <header>
        <h2>{title}</h2>
        <span class="note">
          {map.blocks.toLocaleString("en-US")} of {blockSize} tokens
          {map.blocks_a_cell > 1 && `, ${map.blocks_a_cell} a cell`}
        </span>
        <Exports
          title={title}
          head={["cell", "kind"]}
          rows={() => [...map.cells].map((kind, index) => [index, KINDS[Number(kind)]?.key ?? ""])}
          drawing={() => standalone(place.current)}
        />
      </header>
      <svg ref={place} height={height} role="img">
        <title>
          {KINDS.map(({ key, name }) => `${map[key].toLocaleString("en-US")} ${name}`).join(", ")}
        </title>
        {KINDS.map(({ key, colour }, kind) => (
          <path key={key} d={paths[kind]} style={{ fill: colour }} />
        ))}
      </svg>
      <ul class="legend">
        {[...KINDS].reverse().map(({ key, name, colour }) => (
          <li key={key}>
            <i style={{ background: colour }} />
            {name}{" "}
            <b class="number" data-kind={key}>
              {map[key].toLocaleString("en-US")}
            </b>
            <small>{share(map[key])}</small>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** The largest cell, px, at which all fit. */
function cellFor(cells: number, width: number): number {
  for (let cell = 14; cell > 3; cell--) {
    if (Math.ceil(cells / Math.floor(width / cell)) * cell <= HIGHEST) return cell;
  }
  return 3;
}

/** A path a kind; neighbours of one kind in a row are one shape where cells touch. */
function pathsOf(cells: string, across: number, cell: number): readonly string[] {
  const paths = KINDS.map(() => "");
  const gap = cell > 5 ? 1.5 : cell > 3 ? 1 : 0;
  const side = cell - gap;
  for (let index = 0; index < cells.length; index++) {
    const kind = Number(cells[index]);
    const x = (index % across) * cell;
    const y = Math.floor(index / across) * cell;
    paths[kind] = `${paths[kind] ?? ""}M${x} ${y}h${side}v${side}h${-side}z`;
  }
  return paths;
}
