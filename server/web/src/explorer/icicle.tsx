/** A tree drawn as rows of shares, the root on top. What is narrower than a pixel is not drawn. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { SpanNode } from "../../../../device/span-tree.ts";
import { digits } from "../figures.ts";
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
  const [width, setWidth] = useState(0);
  const [over, setOver] = useState<SpanNode>();
  useEffect(() => {
    if (place.current === null) return;
    const watch = new ResizeObserver(([entry]) => setWidth(entry?.contentRect.width ?? 0));
    watch.observe(place.current);
    return () => watch.disconnect();
  }, []);
  const bars = barsOf(node, width);
  // On the whole drawing: by keyboard the table below does the same.
  useEffect(() => {
    const box = place.current;
    if (box === null) return;
    const end = new AbortController();
    const barAt = (event: Event): Bar | undefined => {
      const group = event.target instanceof Element ? event.target.closest("[data-at]") : null;
      const at = group?.getAttribute("data-at");
      return bars.find((bar) => bar.at.join("\n") === at);
    };
    const { signal } = end;
    box.addEventListener("pointermove", (event) => setOver(barAt(event)?.node), { signal });
    box.addEventListener("pointerleave", () => setOver(undefined), { signal });
    box.addEventListener(
      "click",
      (event) => {
        const bar = barAt(event);
        if (bar !== undefined && bar.node.children.length > 0) open(bar.at);
      },
      { signal },
    );
    return () => end.abort();
  }, [node, width, open]);
  const depth = Math.max(0, ...bars.map((bar) => bar.depth));
  const said = over ?? node;
  return (
    <>
      <div ref={place} class="icicle">
        <svg width={width} height={(depth + 1) * ROW} role="img">
          <title>{`Shares of ${node.name === "" ? "the whole" : node.name}; the table below says the same`}</title>
          {bars.map((bar) => (
            <g
              key={bar.at.join("\n")}
              class={isLit(bar.node, search) ? "bar" : "bar dim"}
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
          ))}
        </svg>
      </div>
      <p class="note number">
        {said.name === "" ? "all" : said.name}: {timeText(said.nanos)},{" "}
        {digits((100 * said.nanos) / whole)} % of the whole
        {said.count > 1 && `, ${said.count.toLocaleString("en-US")} times`}
        {said.bytes > 0 && `, ${digits(said.bytes / 1e6)} MB read`}
        {said.cause !== "" && `, mostly ${said.cause}`}
      </p>
    </>
  );
}

function barsOf(root: SpanNode, width: number): readonly Bar[] {
  const bars: Bar[] = [];
  const lay = (node: SpanNode, at: readonly string[], depth: number, left: number): void => {
    const wide = (node.nanos / root.nanos) * width;
    if (wide < LEAST_PIXELS) return;
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
