/** The talk's chart and its principles as pages, computed here: each with its waterfall of factors. */
import { useEffect } from "preact/hooks";
import {
  CLAIMED_USERS,
  INPUT,
  OUTPUT,
  type Point,
  READ_USERS,
  usersAt,
} from "../../../../scripts/commands/study/headline-points.ts";
import { SHAPES } from "../../../../scripts/commands/study/principles-times.ts";
import { frontier } from "../../../../scripts/report/frontier.ts";
import type { Figure } from "../../../../scripts/report/plot.ts";
import { Chart } from "../charts/chart.tsx";
import { Waterfall } from "../charts/waterfall.tsx";
import { query, remember } from "../route.ts";
import { Table } from "../table.tsx";
import { type HeadlineData, headline, principles, runStudies, studied } from "./studied.ts";

const NAMES = {
  two: "Trn2 UltraServer, 64 chips, BF16",
  three: "Trn3 Gen2 UltraServer, 144 chips, MXFP4",
};

export function Studies() {
  useEffect(runStudies, []);
  const { done, of, failure } = studied.value;
  return (
    <>
      {failure !== undefined && <p class="error">{failure}</p>}
      {done < of && (
        <p class="row note" role="status">
          computing in this page <progress value={done} max={of} />
        </p>
      )}
      {headline.value !== undefined && <Headline data={headline.value} />}
      {principles.value !== undefined && <Principles />}
    </>
  );
}

function Headline({ data }: { readonly data: HeadlineData }) {
  const { two, three, differences } = data;
  const pace = Number(query.value.get("pace") ?? READ_USERS[0]);
  const [a, b] = [usersAt(two, pace), usersAt(three, pace)];
  const line = (points: readonly Point[]) =>
    frontier(points.map(({ rate, users }) => ({ x: rate, y: users })));
  const figure: Figure = {
    title: "Users against tokens/s/user, gpt-oss-120b",
    subtitle: `${INPUT.toLocaleString("en-US")} in / ${OUTPUT.toLocaleString("en-US")} out; the best configuration of each machine at every point; Trainium3 extrapolated`,
    x: { label: "tokens/s/user" },
    y: { label: "users a system", type: "log10" },
    series: [
      { name: NAMES.two, points: line(two) },
      { name: NAMES.three, points: line(three) },
    ],
  };
  // A factor each: on a logarithmic scale they add up to the whole.
  const users = differences.map(({ name, points }) => ({ name, users: usersAt(points, pace) }));
  const steps = users.slice(1).map(({ name, users: its }, index) => ({
    name,
    value: Math.log(its / Math.max(1, users[index]?.users ?? 1)),
  }));
  return (
    <>
      <section class="panel" aria-labelledby="headline-title">
        <header>
          <h2 id="headline-title">
            At {pace} tokens/s/user: {a} users on Trainium2, {b} on Trainium3
            {a > 0 && `, ${(b / a).toFixed(2)}×`}
          </h2>
          <span class="note">
            claimed: {CLAIMED_USERS.map((claim) => `${claim}×`).join(" or ")}
          </span>
        </header>
        <label>
          <span>Read at {pace} tokens/s/user</span>
          <input
            type="range"
            min="5"
            max="250"
            step="5"
            value={pace}
            onInput={(event) => remember("pace", event.currentTarget.value)}
          />
        </label>
      </section>
      <div class="panels">
        <Chart figure={figure} cursor={pace} height={400} />
        {users.every(({ users: its }) => its > 0) ? (
          <Waterfall
            title="Factor by factor"
            note={`users at ${pace} tokens/s/user; each bar a factor`}
            from={{ name: "Trn2 UltraServer", value: 0 }}
            to={{ name: "Trn3 ÷ Trn2", value: steps.reduce((sum, step) => sum + step.value, 0) }}
            steps={steps}
            unsigned
            text={(value) => `×${Math.exp(value).toFixed(2)}`}
          />
        ) : (
          <p class="note">At this pace one of the steps serves nobody: there is no factor.</p>
        )}
        <Table
          title="Users, one difference after another"
          head={["with", `users at ${pace}`, "factor"]}
          rows={users.map(({ name, users: its }, index) => {
            const before = users[index - 1]?.users;
            const factor = before === undefined || before === 0 ? Number.NaN : its / before;
            return [
              name,
              { text: String(its), value: its },
              { text: Number.isFinite(factor) ? `×${factor.toFixed(2)}` : "", value: factor },
            ];
          })}
        />
      </div>
    </>
  );
}

function Principles() {
  const times = principles.value ?? [];
  const whole = times[0];
  return (
    <div class="panels">
      {SHAPES.map(([shape], index) => (
        <Table
          key={shape}
          title={`Principles: ${shape}`}
          note="Llama-3.1-8B, TP 4 on trn2.3xlarge"
          head={["principle", "ms of a step", "÷ all on"]}
          rows={times.map(({ name, ms }) => {
            const its = ms[index] ?? Number.NaN;
            const factor = its / (whole?.ms[index] ?? its);
            return [
              name,
              { text: its.toFixed(2), value: its },
              {
                text: `×${factor.toFixed(2)}`,
                value: factor,
                share:
                  factor /
                  Math.max(...times.map((one) => (one.ms[index] ?? 0) / (whole?.ms[index] ?? 1))),
              },
            ];
          })}
        />
      ))}
    </div>
  );
}
