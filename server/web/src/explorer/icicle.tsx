/** A tree drawn as rows of shares, the root on top. What is narrower than a pixel is not drawn. */
import type { RefObject } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { SpanNode } from "../../../../device/span-tree.ts";
import { Exports, standalone } from "../exports.tsx";
import { digits } from "../figures.ts";
import { useWidth } from "../use-width.ts";
import { hueOf } from "./hues.ts";
import { timeText } from "./time-text.ts";

const ROW = 26;
const LEAST_PIXELS = 1;

interface Bar {
  readonly node: SpanNode;
  /** Names from the root, itself left out. */
  readonly at: readonly string[];
  readonly depth: number;
  /** px */
  readonly left: number;
  readonly width: number;
}

export function Icicle(parts: {
  readonly node: SpanNode;
  /** ns that shares are of. */
  readonly whole: number;
  readonly search: string;
  readonly open: (at: readonly string[]) => void;
}) {
  const { node, whole, search, open } = parts;
  const place = useRef<HTMLDivElement>(null);
  const width = useWidth(place, 0);
  const [over, setOver] = useState<SpanNode>();
  const bars = barsOf(node, width);
  usePointed(place, { bars, over: setOver, open }, [node, width, open]);
  const depth = Math.max(0, ...bars.map((bar) => bar.depth));
  return (
    <>
      <div ref={place} class="icicle">
        <svg width={width} height={(depth + 1) * ROW} role="img">
          <title>{`Shares of ${node.name === "" ? "the whole" : node.name}; the table below says the same`}</title>
          {bars.map((bar) => (
            <BarShape
              key={bar.at.join("\n")}
              bar={bar}
              whole={whole}
              dim={!isLit(bar.node, search)}
            />
          ))}
        </svg>
      </div>
      <div class="row">
        <Said node={over ?? node} whole={whole} />
        <Exports
          title={`hierarchy of ${node.name === "" ? "all" : node.name}`}
          head={["path", "count", "time (ns)", "bytes read", "FLOP", "mostly"]}
          rows={() => flat(node)}
          drawing={() => standalone(place.current?.querySelector("svg") ?? null)}
        />
      </div>
    </>
  );
}

/** Listens on the whole drawing: by keyboard the table below does the same. */
function usePointed(
  place: RefObject<HTMLElement | null>,
  does: {
    readonly bars: readonly Bar[];
    readonly over: (node: SpanNode | undefined) => void;
    readonly open: (at: readonly string[]) => void;
  },
  drawn: readonly unknown[],
): void {
  useEffect(() => {
    const box = place.current;
    if (box === null) return;
    const end = new AbortController();
    const barAt = (event: Event): Bar | undefined => {
      const group = event.target instanceof Element ? event.target.closest("[data-at]") : null;
      const at = group?.getAttribute("data-at");
      return does.bars.find((bar) => bar.at.join("\n") === at);
    };
    const { signal } = end;
    box.addEventListener("pointermove", (event) => does.over(barAt(event)?.node), { signal });
    box.addEventListener("pointerleave", () => does.over(undefined), { signal });
    box.addEventListener(
      "click",
      (event) => {
        const bar = barAt(event);
        if (bar !== undefined && bar.node.children.length > 0) does.open(bar.at);
      },
      { signal },
    );
    return () => end.abort();
  }, drawn);
}

function BarShape(parts: { readonly bar: Bar; readonly whole: number; readonly dim: boolean }) {
  const { bar, whole, dim } = parts;
  return (
    <g
      class={dim ? "bar dim" : "bar"}
      data-at={bar.at.join("\n")}
      transform={`translate(${bar.left} ${bar.depth * ROW})`}
    >
      <rect
        width={Math.max(0.5, bar.width - 1)}
        height={ROW - 2}
        rx="3"
        fill={hueOf(bar.node.name)}
      />
      {bar.width > 40 && (
        <text x="7" y={ROW / 2 + 3}>
          {clipped(bar, whole)}
        </text>
      )}
    </g>
  );
}

/** A part in words: what is under the pointer, or the whole drawing. */
function Said({ node, whole }: { readonly node: SpanNode; readonly whole: number }) {
  return (
    <p class="note number">
      {node.name === "" ? "all" : node.name}: {timeText(node.nanos)},{" "}
      {digits((100 * node.nanos) / whole)} % of the whole
      {node.count > 1 && `, ${node.count.toLocaleString("en-US")} times`}
      {node.bytes > 0 && `, ${digits(node.bytes / 1e6)} MB read`}
      {node.cause !== "" && `, mostly ${node.cause}`}
    </p>
  );
}

function barsOf(root: SpanNode, width: number): readonly Bar[] {
  const bars: Bar[] = [];
  const lay = (node: SpanNode, at: readonly string[], depth: number, left: number): void => {
    const wide = (node.nanos / root.nanos) * width;
    if (!(wide >= LEAST_PIXELS)) return; // no number either
    bars.push({ node, at, depth, left, width: wide });
    let from = left;
    for (const child of node.children) {
      lay(child, [...at, child.name], depth + 1, from);
      from += (child.nanos / root.nanos) * width;
    }
  };
  if (root.nanos > 0 && width > 0) lay(root, [], 0, 0);
  return bars;
}

/** Every part, by its path. */
function flat(root: SpanNode): readonly (readonly (string | number)[])[] {
  const rows: (readonly (string | number)[])[] = [];
  const walk = (node: SpanNode, path: string): void => {
    rows.push([path, node.count, node.nanos, node.bytes, node.flops, node.cause]);
    for (const child of node.children)
      walk(child, path === "" ? child.name : `${path}/${child.name}`);
  };
  walk(root, root.name);
  return rows;
}

const isLit = (node: SpanNode, search: string): boolean =>
  search === "" ||
  node.name.toLowerCase().includes(search.toLowerCase()) ||
  node.children.some((child) => isLit(child, search));

function clipped({ node, width }: Bar, whole: number): string {
  const room = Math.floor((width - 12) / 6.4);
  const name = node.name === "" ? "all" : node.name;
  const long = `${name}  ${timeText(node.nanos)}  ${digits((100 * node.nanos) / whole)} %`;
  if (long.length <= room) return long;
  return name.length <= room ? name : room < 4 ? "" : `${name.slice(0, room - 1)}…`;
}
