/** Two runs point by point: what was set otherwise, what differs, and where the time went. */
import {
  chanceText,
  comparePoints,
  type PointPair,
} from "../../../../scripts/report/compare-points.ts";
import type { Point } from "../../../../scripts/report/point.ts";
import { seriesOf } from "../../../../scripts/report/point.ts";
import { Waterfall } from "../charts/waterfall.tsx";
import { digits } from "../figures.ts";
import { query, remember } from "../route.ts";
import { type Cell, Table } from "../table.tsx";
import { points, runs } from "./points.ts";

/** Runs as they came, and lines among all points. */
function sides(): ReadonlyMap<string, readonly Point[]> {
  const found = new Map<string, readonly Point[]>();
  for (const { name, points: its } of runs.value) found.set(name, its);
  for (const line of seriesOf(points.value)) {
    found.set(
      `line ${line}`,
      points.value.filter(({ series }) => series === line),
    );
  }
  return found;
}

export function CompareRuns() {
  const all = sides();
  const names = [...all.keys()];
  const side = (key: string, usual: number): string => {
    const said = query.value.get(key);
    return said !== null && all.has(said) ? said : (names[Math.min(usual, names.length - 1)] ?? "");
  };
  const first = runs.value.length > 1 ? 0 : runs.value.length;
  const [a, b] = [side("a", first), side("b", first + 1)];
  const { settings, pairs, alone } = comparePoints(all.get(a) ?? [], all.get(b) ?? []);
  const choice = (key: string, title: string, value: string) => (
    <label>
      {title}
      <select value={value} onChange={(event) => remember(key, event.currentTarget.value)}>
        {names.map((name) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
  const chosen = pairs.find(({ name }) => name === query.value.get("pair")) ?? pairs.at(-1);
  return (
    <>
      <section class="panel" aria-label="What is compared">
        <div class="pair">
          {choice("a", "This", a)}
          {choice("b", "Against", b)}
        </div>
        {alone > 0 && (
          <p class="note">{alone} points have no counterpart of the same load in the other.</p>
        )}
      </section>
      {settings.length > 0 && (
        <Table
          title="Set otherwise"
          head={["part", "this", "against"]}
          rows={settings.map((its) => [its.name, its.a, its.b])}
        />
      )}
      {pairs.length === 0 ? (
        <p class="note">No point of one has the load of a point of the other.</p>
      ) : (
        <Measures pairs={pairs} />
      )}
      {chosen !== undefined && chosen.parts.length > 0 && <Parts pairs={pairs} pair={chosen} />}
    </>
  );
}

function Measures({ pairs }: { readonly pairs: readonly PointPair[] }) {
  return (
    <Table
      title="Measured"
      note="grey: no more than chance would move it; too short: too few seconds to tell"
      head={["load", "measure", "this", "against", "change", "chance"]}
      rows={pairs.flatMap((pair) =>
        pair.measures.map((its): readonly Cell[] => {
          const better = its.better === "higher" ? its.change > 0 : its.change < 0;
          return [
            pair.name,
            its.title,
            { text: digits(its.a), value: its.a },
            { text: digits(its.b), value: its.b },
            {
              text: signed(its.change),
              value: its.change,
              mood: !its.differs || its.change === 0 ? undefined : better ? "good" : "bad",
            },
            { text: chanceText(its.noise), value: its.noise },
          ];
        }),
      )}
    />
  );
}

const signed = (share: number): string => `${share > 0 ? "+" : ""}${(100 * share).toFixed(2)} %`;

/** What the engines' time was spent on, from one run to the other, at the load that is chosen. */
export function Parts(parts: {
  readonly pairs: readonly PointPair[];
  readonly pair: PointPair;
  readonly names?: readonly [string, string];
}) {
  const { pairs, pair, names: [from, to] = ["this", "against"] } = parts;
  const sum = (side: "a" | "b"): number =>
    pair.parts.reduce((total, part) => total + part[side], 0);
  const shape = ({ a }: PointPair): string => `${a.inputLen}/${a.outputLen}`;
  const oneShape = new Set(pairs.map(shape)).size === 1;
  return (
    <>
      <div class="row">
        {oneShape && <span class="note">Users</span>}
        {pairs.map((its) => (
          <button
            key={its.name}
            type="button"
            aria-label={its.name}
            aria-pressed={its.name === pair.name}
            onClick={() => remember("pair", its.name)}
          >
            {oneShape ? its.a.concurrency : its.name}
          </button>
        ))}
      </div>
      <Waterfall
        title={`The engines' time, from ${from} to ${to}`}
        note={pair.name}
        from={{ name: from, value: sum("a") }}
        to={{ name: to, value: sum("b") }}
        steps={pair.parts.map(({ name, a, b }) => ({ name, value: b - a }))}
        text={(seconds) => `${digits(seconds)} s`}
      />
    </>
  );
}
