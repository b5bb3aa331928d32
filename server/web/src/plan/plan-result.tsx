/** What a plan found: the first of the ranking, all of it, and why not where nothing keeps the promise. */
import {
  type PlanRow,
  planColumns,
  type RankedRow,
} from "../../../../scripts/commands/plan/columns.ts";
import { commandLine, systemText } from "../../../../scripts/commands/plan/command-line.ts";
import { OTHER_SEEDS, type PlanOptions } from "../../../../scripts/commands/plan/options.ts";
import type { Planned } from "../../../../scripts/commands/plan/planned.ts";
import type { WhyNot } from "../../../../scripts/commands/plan/why-not.ts";
import { type Column, cellText } from "../../../../scripts/load/column.ts";
import type { Figure } from "../../../../scripts/report/plot.ts";
import { bandText } from "../../../../scripts/report/point.ts";
import { Chart } from "../charts/chart.tsx";
import { Command } from "../command.tsx";
import { digits } from "../figures.ts";
import { query, remember } from "../route.ts";
import { type Cell, Table } from "../table.tsx";
import { planning } from "./planning.ts";

export function PlanResult() {
  const state = planning.value;
  if (state?.kind === "failed") {
    return (
      <p class="error" role="alert">
        {state.reason}
      </p>
    );
  }
  if (state?.kind !== "made") return null;
  const { planned, options, busyMs } = state;
  return (
    <>
      {planned.why === undefined ? (
        <Ranking planned={planned} options={options} />
      ) : (
        <Why why={planned.why} />
      )}
      <Sentences
        title="What was looked at"
        lines={[
          ...planned.leftOut.map((line) => `Left out: ${line}`),
          ...planned.notes,
          `${digits(busyMs / 1000)} s in this page.`,
        ]}
      />
    </>
  );
}

function Ranking({
  planned,
  options,
}: {
  readonly planned: Planned;
  readonly options: PlanOptions;
}) {
  const place = Number(query.value.get("place") ?? 1);
  const { rows, remarks } = planned;
  const chosen = rows.find((row) => row.place === place) ?? rows[0];
  if (chosen === undefined) return null;
  const columns = planColumns(options.goal.slo.percentile).filter(
    ({ title }) => title !== undefined,
  );
  return (
    <>
      <Chosen row={chosen} options={options} remarks={chosen.place === 1 ? remarks : []} />
      <Chart
        figure={figureOf(rows, options)}
        cursor={options.goal.slo.tokensPerUser}
        height={300}
      />
      <Table
        title="Ranking"
        note={planned.goal}
        head={columns.map(({ title }) => title ?? "")}
        rows={rows.map((row) =>
          columns.map((column) =>
            cellOf(column, row, () =>
              remember("place", row.place === 1 ? undefined : String(row.place)),
            ),
          ),
        )}
      />
    </>
  );
}

/** The system's name shows it above. */
function cellOf(column: Column<PlanRow>, row: RankedRow, choose: () => void): Cell {
  const text = cellText(column, row);
  if (column.key === "name") return { text, act: choose };
  const value = column.of(row);
  return typeof value === "number" ? { text, value } : text;
}

function Chosen(parts: {
  readonly row: RankedRow;
  readonly options: PlanOptions;
  readonly remarks: readonly string[];
}) {
  const { row, options, remarks } = parts;
  const { plan, assessed } = row;
  const band = assessed?.band;
  const facts = planColumns(options.goal.slo.percentile).filter(({ key }) => FACTS.has(key));
  return (
    <section class="panel chosen" aria-labelledby="chosen-title">
      <header>
        <h2 id="chosen-title">
          <span class="place number">{row.place}</span> {plan.instances} × {systemText(plan)}{" "}
          {plan.candidate.format}
        </h2>
        <div class="row">
          {band !== undefined && (
            <span class={`tag ${band.tier === "calibrated" ? "good" : "warn"}`}>
              {bandText(band)}
            </span>
          )}
          <button type="button" onClick={() => askWhatIf(row, options)}>
            What if
          </button>
        </div>
      </header>
      <dl class="facts">
        {facts.map((column) => (
          <div key={column.key} title={column.formula}>
            <dt>{column.title}</dt>
            <dd>{cellText(column, row)}</dd>
          </div>
        ))}
      </dl>
      <Command
        title={
          row.place === 1
            ? `Keeps its promise for ${OTHER_SEEDS.length} other seeds. To serve it:`
            : "To serve it:"
        }
        text={commandLine(plan)}
      />
      {remarks.map((line) => (
        <p class="note" key={line}>
          {line}
        </p>
      ))}
    </section>
  );
}

const FACTS = new Set([
  "dollarsPerHour",
  "chips",
  "usersPerReplica",
  "ttftSeconds",
  "tokensPerUser",
  "outputThroughput",
  "headroom",
]);

/** The same system among the sliders. */
function askWhatIf({ plan }: RankedRow, { goal, model }: PlanOptions): void {
  const { spec } = plan.candidate;
  const link = {
    view: "whatif",
    model,
    machine: spec.instance,
    ranks: String(spec.tensorParallel),
    weights: spec.quantization,
    shape: `${goal.workload.inputLen}/${goal.workload.outputLen}`,
    users: `1..${Math.max(1, plan.usersPerReplica)}`,
  };
  for (const [name, value] of Object.entries(link)) remember(name, value);
}

/** What a faster promise would cost: a dot a plan. */
function figureOf(rows: readonly RankedRow[], { goal }: PlanOptions): Figure {
  const priced = rows.every(({ plan }) => plan.dollarsPerHour !== undefined);
  const machines = [...new Set(rows.map(({ plan }) => plan.candidate.spec.instance))];
  return {
    title: priced ? "Dollars an hour against pace" : "Chips against pace",
    subtitle: `the plans of the ranking by place, with their 80 % bands; ${goal.users} users; simulated`,
    x: { label: `tokens/s/user at p${goal.slo.percentile}` },
    y: { label: priced ? "$/h" : "chips" },
    radius: 4,
    series: machines.map((name) => ({
      name,
      loose: true,
      points: rows
        .filter(({ plan }) => plan.candidate.spec.instance === name)
        .map(({ plan, place, assessed }) => {
          const x = plan.run.kept.tokensPerUser;
          const y = (priced ? plan.dollarsPerHour : plan.chips) ?? Number.NaN;
          const { low = 1, high = 1 } = assessed?.band ?? {};
          const ends = { low: { x: x / high, y }, high: { x: x / low, y } };
          return { x, y, label: String(place), ...ends };
        }),
    })),
  };
}

function Why({ why }: { readonly why: WhyNot }) {
  const { says, nearest, helps } = why;
  return (
    <>
      <Sentences title="Why not" lines={[...says, ...helps]} />
      {nearest !== undefined && (
        <Table title={nearest.title} head={nearest.head} rows={nearest.rows} />
      )}
    </>
  );
}

function Sentences({
  title,
  lines,
}: {
  readonly title: string;
  readonly lines: readonly string[];
}) {
  return (
    <section class="panel" aria-label={title}>
      <header>
        <h2>{title}</h2>
      </header>
      {lines.map((line) => (
        <p class="sentence" key={line}>
          {line}
        </p>
      ))}
    </section>
  );
}
