/** Sweeps, looked at: users against interactivity, and the answer at a pace. */

import { COLUMNS } from "../../../../scripts/report/columns.ts";
import { sweepFigures } from "../../../../scripts/report/figures.ts";
import { INTERACTIVITY, type Point } from "../../../../scripts/report/point.ts";
import { Chart } from "../charts/chart.tsx";
import { digits } from "../figures.ts";
import { query, remember } from "../route.ts";
import { type Cell, Table } from "../table.tsx";
import "./curves.css";
import { failures, forget, openFiles, points, readAt } from "./points.ts";

export function Curves() {
  const all = points.value;
  return (
    <>
      <header>
        <p class="eyebrow">Curves</p>
        <h1>{all.length === 0 ? "Tokens/s against concurrency" : titleOf(all)}</h1>
        <p class="lead">
          Files of <code>trainyard sweep</code> (its folder's points/*.json), simulated or of a live
          server; several together are several lines.
        </p>
      </header>
      <Drop />
      {all.length > 0 && (
        <>
          <Answer all={all} />
          <div class="charts">
            {sweepFigures(all).map((figure) => (
              <Chart key={figure.title} figure={figure} />
            ))}
          </div>
          <Points all={all} />
        </>
      )}
    </>
  );
}

function titleOf(all: readonly Point[]): string {
  const names = [...new Set(all.map(({ model }) => model))];
  return names.length > 2 ? `${names.length} models` : names.join(" and ");
}

function Drop() {
  return (
    <section
      class="panel drop"
      aria-label="Files"
      onDragOver={(event) => event.preventDefault()}
      onDrop={(event) => {
        event.preventDefault();
        void openFiles(event.dataTransfer?.files ?? []);
      }}
    >
      <div class="row">
        <label>
          Drop points here, or choose them
          <input
            type="file"
            multiple
            accept=".json,application/json"
            onChange={(event) => void openFiles(event.currentTarget.files ?? [])}
          />
        </label>
        {points.value.length > 0 && (
          <button type="button" onClick={forget}>
            Begin anew
          </button>
        )}
      </div>
      {failures.value.map((text) => (
        <p class="error" role="alert" key={text}>
          {text}
        </p>
      ))}
    </section>
  );
}

/** Two promises as sliders, and who keeps them. */
function Answer({ all }: { readonly all: readonly Point[] }) {
  const rates = all.map(INTERACTIVITY.inferencex.of).filter(Number.isFinite);
  const slowest = Math.max(0, ...all.map(({ latency }) => latency.ttft.p99));
  const pace = Number(query.value.get("pace") ?? Math.round(Math.max(1, ...rates) / 2));
  const ttft = Number(query.value.get("ttft") ?? Math.ceil(slowest));
  return (
    <section class="panel" aria-labelledby="answer-title">
      <header>
        <h2 id="answer-title">At a pace</h2>
        <span class="note">{INTERACTIVITY.inferencex.formula}</span>
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

function Points({ all }: { readonly all: readonly Point[] }) {
  const columns = COLUMNS.filter(({ tables }) => tables?.includes("html"));
  return (
    <Table
      title="Points"
      head={columns.map(({ title, key }) => title ?? key)}
      rows={all.map((point) =>
        columns.map((column): Cell => {
          const value = column.of(point);
          if (typeof value !== "number") return String(value ?? "");
          return { text: value.toFixed(column.digits ?? 0), value };
        }),
      )}
    />
  );
}
