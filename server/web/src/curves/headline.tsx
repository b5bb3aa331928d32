/** The talk's chart read at a pace, with its waterfall of factors. */
import {
  CLAIMED_USERS,
  INPUT,
  OUTPUT,
  type Point,
  READ_USERS,
  usersAt,
} from "../../../../scripts/commands/study/headline-points.ts";
import { frontier } from "../../../../scripts/report/frontier.ts";
import type { Figure } from "../../../../scripts/report/plot.ts";
import { Chart } from "../charts/chart.tsx";
import { Waterfall } from "../charts/waterfall.tsx";
import { query, remember } from "../route.ts";
import { Table } from "../table.tsx";
import type { HeadlineData } from "./studied.ts";

const NAMES = {
  two: "Trn2 UltraServer, 64 chips, BF16",
  three: "Trn3 Gen2 UltraServer, 144 chips, MXFP4",
};

/** Users served at the pace that is read, with one more difference of the machines each. */
interface Served {
  readonly name: string;
  readonly users: number;
}

export function Headline({ data }: { readonly data: HeadlineData }) {
  const pace = Number(query.value.get("pace") ?? READ_USERS[0]);
  const served = data.differences.map(({ name, points }) => ({
    name,
    users: usersAt(points, pace),
  }));
  return (
    <>
      <PacePanel data={data} pace={pace} />
      <div class="panels">
        <Chart figure={figureOf(data)} cursor={pace} height={400} />
        <Factors served={served} pace={pace} />
        <Table
          title="Users, one difference after another"
          head={["with", `users at ${pace}`, "factor"]}
          rows={served.map(({ name, users }, index) => {
            const before = served[index - 1]?.users;
            const factor = before === undefined || before === 0 ? Number.NaN : users / before;
            return [
              name,
              { text: String(users), value: users },
              { text: Number.isFinite(factor) ? `×${factor.toFixed(2)}` : "", value: factor },
            ];
          })}
        />
      </div>
    </>
  );
}

function PacePanel({ data, pace }: { readonly data: HeadlineData; readonly pace: number }) {
  const [a, b] = [usersAt(data.two, pace), usersAt(data.three, pace)];
  return (
    <section class="panel" aria-labelledby="headline-title">
      <header>
        <h2 id="headline-title">
          At {pace} tokens/s/user: {a} users on Trainium2, {b} on Trainium3
          {a > 0 && `, ${(b / a).toFixed(2)}×`}
        </h2>
        <span class="note">claimed: {CLAIMED_USERS.map((claim) => `${claim}×`).join(" or ")}</span>
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
  );
}

/** A factor each: on a logarithmic scale they add up to the whole. */
function Factors({ served, pace }: { readonly served: readonly Served[]; readonly pace: number }) {
  if (!served.every(({ users }) => users > 0)) {
    return <p class="note">At this pace one of the steps serves nobody: there is no factor.</p>;
  }
  const steps = served.slice(1).map(({ name, users }, index) => ({
    name,
    value: Math.log(users / Math.max(1, served[index]?.users ?? 1)),
  }));
  return (
    <Waterfall
      title="Factor by factor"
      note={`users at ${pace} tokens/s/user; each bar a factor`}
      from={{ name: "Trn2 UltraServer", value: 0 }}
      to={{ name: "Trn3 ÷ Trn2", value: steps.reduce((sum, step) => sum + step.value, 0) }}
      steps={steps}
      unsigned
      text={(value) => `×${Math.exp(value).toFixed(2)}`}
    />
  );
}

function figureOf({ two, three }: HeadlineData): Figure {
  const line = (points: readonly Point[]) =>
    frontier(points.map(({ rate, users }) => ({ x: rate, y: users })));
  return {
    title: "Users against tokens/s/user, gpt-oss-120b",
    subtitle: `${INPUT.toLocaleString("en-US")} in / ${OUTPUT.toLocaleString("en-US")} out; the best configuration of each machine at every point; Trainium3 extrapolated`,
    x: { label: "tokens/s/user" },
    y: { label: "users a system", type: "log10" },
    series: [
      { name: NAMES.two, points: line(two) },
      { name: NAMES.three, points: line(three) },
    ],
  };
}
