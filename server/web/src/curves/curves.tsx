/** Sweeps, looked at: users against interactivity, the best of all systems, two of them compared. */
import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import { paretoFigure, sweepFigures } from "../../../../scripts/report/figures.ts";
import type { Figure } from "../../../../scripts/report/plot.ts";
import { INTERACTIVITY, type Point } from "../../../../scripts/report/point.ts";
import { Chart } from "../charts/chart.tsx";
import { digits } from "../figures.ts";
import { dropped, FileButton } from "../file-button.tsx";
import { query, remember } from "../route.ts";
import { type Cell, Table } from "../table.tsx";
import { TabPanel, Tabs } from "../tabs.tsx";
import { CompareRuns } from "./compare.tsx";
import "./curves.css";
import { PointTable } from "./point-table.tsx";
import { failures, forget, openFiles, openLinked, points, readAt, runs } from "./points.ts";
import { Studies } from "./studies.tsx";
import { SweepForm } from "./sweep-form.tsx";

const TABS = {
  overview: "Overview",
  pareto: "Pareto",
  latency: "Latency",
  definitions: "Definitions",
  compare: "Compare",
  points: "Points",
  studies: "Studies",
} as const;

export function Curves() {
  const all = points.value;
  useEffect(() => {
    const linked = query.value.getAll("open");
    if (linked.length > 0 && runs.value.length === 0) void openLinked(linked);
  }, []);
  const asked = query.value.get("view") ?? "overview";
  const tab = Object.hasOwn(TABS, asked) ? asked : "overview";
  return (
    <>
      <header>
        <p class="eyebrow">Curves</p>
        <h1>{all.length === 0 ? "Tokens/s against concurrency" : titleOf(all)}</h1>
        <p class="lead">
          Points of <code>trainyard sweep</code>, results of <code>bench serve</code>, or a sweep of
          this page.{" "}
          {all.some(({ simulated }) => simulated) &&
            "Full dots are simulated, hollow ones measured; "}
          {all.some(({ band }) => band !== undefined) && "shaded: 80 % band."}
        </p>
      </header>
      <Sources />
      <Tabs label="Views" tabs={TABS} chosen={tab} choose={(key) => remember("view", key)} />
      <TabPanel tab={tab}>
        {tab === "studies" ? (
          <Studies />
        ) : all.length === 0 ? (
          <p class="note empty">Nothing is loaded yet: run a sweep above, or open files of one.</p>
        ) : (
          <View tab={tab} all={all} />
        )}
      </TabPanel>
    </>
  );
}

function titleOf(all: readonly Point[]): string {
  const names = [...new Set(all.map(({ model }) => model))];
  return names.length > 2 ? `${names.length} models` : names.join(" and ");
}

function Sources() {
  const take = (files: readonly File[]): void => void openFiles(files);
  return (
    <section class="panel" aria-label="Where points come from" {...dropped(take)}>
      <SweepForm>
        <FileButton
          text="Open files"
          accept=".json,.html,application/json,text/html"
          multiple
          take={take}
        />
        {runs.value.length > 0 && (
          <button type="button" onClick={forget}>
            Begin anew
          </button>
        )}
      </SweepForm>
      {failures.value.map((text) => (
        <p class="error" role="alert" key={text}>
          {text}
        </p>
      ))}
    </section>
  );
}

function View({ tab, all }: { readonly tab: string; readonly all: readonly Point[] }) {
  const figures = sweepFigures(all);
  const those = (pattern: RegExp): readonly Figure[] =>
    figures.filter(({ title }) => pattern.test(title));
  const pace = paceOf(all);
  switch (tab) {
    case "pareto":
      return (
        <>
          <Chart figure={paretoFigure(all)} cursor={pace} height={430} />
          <Answer all={all} />
        </>
      );
    case "latency":
      return <Charts figures={those(/^(Time|Inter|End)/)} />;
    case "definitions":
      return <Charts figures={those(/^Throughput/)} />;
    case "compare":
      return <CompareRuns />;
    case "points":
      return <PointTable all={all} />;
    default:
      return (
        <Charts figures={those(/^(Users|Output)/)} cursor={pace}>
          <Answer all={all} />
        </Charts>
      );
  }
}

/** `cursor` is a pace: only figures with it along x have the line. */
function Charts(parts: {
  readonly figures: readonly Figure[];
  readonly cursor?: number;
  readonly children?: ComponentChildren;
}) {
  return (
    <div class="charts">
      {parts.figures.map((figure) => (
        <Chart
          key={figure.title}
          figure={figure}
          cursor={figure.x.label.startsWith("tokens/s/user") ? parts.cursor : undefined}
        />
      ))}
      {parts.children}
    </div>
  );
}

function paceOf(all: readonly Point[]): number {
  const rates = all.map(INTERACTIVITY.inferencex.of).filter(Number.isFinite);
  return Number(query.value.get("pace") ?? Math.round(Math.max(1, ...rates) / 2));
}

/** Two promises as sliders, and who keeps them. */
function Answer({ all }: { readonly all: readonly Point[] }) {
  const rates = all.map(INTERACTIVITY.inferencex.of).filter(Number.isFinite);
  const slowest = Math.max(
    1,
    ...all.map(({ latency }) => latency.ttft.p99).filter(Number.isFinite),
  );
  const pace = paceOf(all);
  const ttft = Number(query.value.get("ttft") ?? Math.ceil(slowest));
  return (
    <section class="panel at-pace" aria-labelledby="answer-title">
      <header>
        <h2 id="answer-title">At a pace</h2>
        <span class="note">tokens/s/user = {INTERACTIVITY.inferencex.formula}</span>
      </header>
      <div class="sliders">
        <label>
          <span>
            At least <b class="number">{pace}</b> tokens/s/user
          </span>
          <input
            type="range"
            min="1"
            max={Math.ceil(Math.max(2, ...rates))}
            value={pace}
            onInput={(event) => remember("pace", event.currentTarget.value)}
          />
        </label>
        <label>
          <span>
            First token within <b class="number">{ttft}</b> ms at p99
          </span>
          <input
            type="range"
            min="1"
            max={Math.ceil(slowest)}
            value={ttft}
            onInput={(event) => remember("ttft", event.currentTarget.value)}
          />
        </label>
      </div>
      <Table
        title="Read there"
        head={["system", "users at the pace", "output tokens/s there", "most users that keep both"]}
        rows={readAt(all, { pace, ttft }).map((row) => [
          row.series,
          figure(row.users),
          figure(row.outputThroughput),
          figure(row.keeps?.concurrency),
        ])}
      />
    </section>
  );
}

const figure = (value: number | undefined): Cell =>
  value === undefined
    ? { text: "–", value: Number.NEGATIVE_INFINITY }
    : { text: digits(value), value };
