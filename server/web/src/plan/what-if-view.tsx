/** What if: sliders beside the curve. An estimate at once, marked as one; simulated points follow. */
import { useEffect, useState } from "preact/hooks";
import { INSTANCES } from "../../../../device/trainium/instances.ts";
import { comparePoints } from "../../../../scripts/report/compare-points.ts";
import type { Figure } from "../../../../scripts/report/plot.ts";
import { bandText, INTERACTIVITY, type Point } from "../../../../scripts/report/point.ts";
import { CATALOG_IDS } from "../catalog-ids.ts";
import { Chart } from "../charts/chart.tsx";
import { Parts } from "../curves/compare.tsx";
import { digits } from "../figures.ts";
import { Known } from "../known.tsx";
import { query, remember } from "../route.ts";
import { type Cell, Table } from "../table.tsx";
import { type Editing, Sliders } from "./sliders.tsx";
import { sliders, whatIf } from "./what-if.ts";
import { pairOf, WHAT_IF, type WhatIfAsk, whatIfOf } from "./what-if-ask.ts";
import type { Curve } from "./what-if-run.ts";

export function WhatIf() {
  const [ask, setAsk] = useState(() => whatIfOf(query.value));
  const [failure, setFailure] = useState<string>();
  useEffect(() => {
    try {
      sliders.show(pairOf(ask));
      setFailure(undefined);
    } catch (error) {
      setFailure(error instanceof Error ? error.message : String(error));
    }
  }, [ask]);
  const set = (part: Partial<WhatIfAsk>): void => {
    for (const [name, value] of Object.entries(part)) {
      remember(name, value === WHAT_IF[name as keyof WhatIfAsk] ? undefined : value);
    }
    setAsk({ ...ask, ...part });
  };
  return (
    <>
      <Base ask={ask} set={set} failure={failure} />
      <div class="beside">
        <Sliders ask={ask} set={set} />
        <Answer />
      </div>
    </>
  );
}

function Base({ ask, set, failure }: Editing & { readonly failure: string | undefined }) {
  const field = (name: keyof WhatIfAsk, title: string, wide = false, list?: string) => (
    <label class={wide ? "wide" : ""}>
      {title}
      <input
        value={ask[name]}
        list={list}
        placeholder={name === "weights" ? "as declared" : undefined}
        onChange={(event) => set({ [name]: event.currentTarget.value.trim() })}
      />
    </label>
  );
  return (
    <section class="panel" aria-label="The system as it is">
      <div class="spec">
        {field("model", "Model", true, "if-models")}
        {field("machine", "Machine", true, "if-machines")}
        {field("ranks", "TP")}
        {field("weights", "Weights")}
        {field("shape", "In / out")}
        {field("users", "Users")}
      </div>
      <Known id="if-models" values={CATALOG_IDS} />
      <Known id="if-machines" values={INSTANCES.map(({ name }) => name)} />
      {[...(failure === undefined ? [] : [failure]), ...whatIf.value.failed].map((text) => (
        <p class="error" role="alert" key={text}>
          {text}
        </p>
      ))}
    </section>
  );
}

function Answer() {
  const { asIs, otherwise, left } = whatIf.value;
  const [band] = [...otherwise.points, ...asIs.points].flatMap((point) => point.band ?? []);
  const { pairs } = comparePoints(asIs.points, otherwise.points);
  const chosen = pairs.find(({ name }) => name === query.value.get("pair")) ?? pairs.at(-1);
  return (
    <div class="column">
      <Chart figure={figureOf(asIs, otherwise)} height={400} />
      <p class="row note" role="status">
        {band !== undefined && (
          <span class={`tag ${band.tier === "calibrated" ? "good" : "warn"}`}>
            80 % band: {bandText(band)}
          </span>
        )}
        <span>Dashed: an estimate from the price of steps alone; dots: simulated.</span>
        {left > 0 && <span>{left} points to simulate</span>}
      </p>
      <Readings asIs={asIs} otherwise={otherwise} />
      {chosen !== undefined && chosen.parts.length > 0 && (
        <Parts pairs={pairs} pair={chosen} names={["as it is", "what if"]} />
      )}
    </div>
  );
}

const rate = INTERACTIVITY.inferencex;

function figureOf(asIs: Curve, otherwise: Curve): Figure {
  const simulated = (name: string, points: readonly Point[], colour: number) => ({
    name,
    colour,
    points: points.map((point) => ({
      x: rate.of(point),
      y: point.concurrency,
      label: String(point.concurrency),
    })),
  });
  const estimated = (name: string, { steady }: Curve, colour: number) => ({
    name,
    colour,
    dash: "5 4",
    points: steady.flatMap(({ concurrency, tokensPerUser }) =>
      tokensPerUser === undefined ? [] : [{ x: tokensPerUser, y: concurrency, bare: true }],
    ),
  });
  const series = [
    estimated("as it is, estimate", asIs, 0),
    simulated("as it is", asIs.points, 0),
    estimated("what if, estimate", otherwise, 1),
    simulated("what if", otherwise.points, 1),
  ];
  return {
    title: "Users against interactivity",
    subtitle: "simulated, and estimated from the price of steps",
    x: { label: `tokens/s/user = ${rate.formula}` },
    y: { label: "users", type: "log2" },
    series: series.filter(({ points }) => points.length > 0),
  };
}

function Readings({ asIs, otherwise }: { readonly asIs: Curve; readonly otherwise: Curve }) {
  const users = [...asIs.steady, ...asIs.points, ...otherwise.points].map(
    ({ concurrency }) => concurrency,
  );
  const at = (points: readonly Point[], of: (point: Point) => number, count: number): number => {
    const point = points.find(({ concurrency }) => concurrency === count);
    return point === undefined ? Number.NaN : of(point);
  };
  const steady = ({ steady }: Curve, count: number): number =>
    steady.find(({ concurrency }) => concurrency === count)?.tokensPerUser ?? Number.NaN;
  const changed = otherwise.steady.length + otherwise.points.length > 0;
  const output = ({ outputThroughput }: Point): number => outputThroughput;
  return (
    <Table
      title="Read at each number of users"
      note="tokens/s/user"
      head={[
        "users",
        "estimate",
        "simulated",
        ...(changed ? ["what if, estimate", "what if, simulated", "change"] : []),
        "output tokens/s",
        ...(changed ? ["what if"] : []),
      ]}
      rows={[...new Set(users)]
        .sort((a, b) => a - b)
        .map((count): readonly Cell[] => {
          const [plain, other] = [
            at(asIs.points, rate.of, count),
            at(otherwise.points, rate.of, count),
          ];
          const change = other / plain - 1;
          const moved = Number.isFinite(change) && Math.abs(change) >= 0.0005;
          return [
            figure(count),
            figure(steady(asIs, count)),
            figure(plain),
            ...(changed
              ? [
                  figure(steady(otherwise, count)),
                  figure(other),
                  {
                    text: Number.isFinite(change)
                      ? `${change > 0 ? "+" : ""}${(100 * change).toFixed(1)} %`
                      : "–",
                    value: change,
                    mood: moved ? (change > 0 ? ("good" as const) : ("bad" as const)) : undefined,
                  },
                ]
              : []),
            figure(at(asIs.points, output, count)),
            ...(changed ? [figure(at(otherwise.points, output, count))] : []),
          ];
        })}
    />
  );
}

const figure = (value: number): Cell => ({ text: digits(value), value });
