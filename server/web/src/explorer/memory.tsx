/** HBM of one logical core: what lies in it, and what grows with users. */
import { useRef } from "preact/hooks";
import type { ProfiledMemory } from "../../../../device/trainium/profile/profile.ts";
import type { Figure } from "../../../../scripts/report/plot.ts";
import { Chart } from "../charts/chart.tsx";
import { Exports, standalone } from "../exports.tsx";
import { digits } from "../figures.ts";
import { Table } from "../table.tsx";
import type { ShownProfile } from "./profile.ts";

const GIB = 2 ** 30;
const gib = (bytes: number): string => `${digits(bytes / GIB)} GiB`;

export function Memory({ profile }: { readonly profile: ShownProfile }) {
  const memory = profile.totals?.memory;
  if (memory === undefined) {
    return <p class="note">This profile does not say what lies in memory.</p>;
  }
  const { growth, capacity, weights, runtime } = memory;
  const fixed = weights + runtime;
  return (
    <>
      <Plan memory={memory} />
      <div class="panels">
        <Chart figure={growing(memory)} />
        <Table
          title="What grows with users"
          note={`${growth.context.toLocaleString("en-US")} tokens each; ${growth.mostUsers.toLocaleString("en-US")} fit at once`}
          head={["users", "their KV", "with weights", "of HBM"]}
          rows={growth.users.map((users, index) => {
            const kv = growth.kv[index] ?? 0;
            const share = (fixed + kv) / capacity;
            return [
              { text: users.toLocaleString("en-US"), value: users },
              { text: gib(kv), value: kv },
              { text: gib(fixed + kv), value: fixed + kv },
              {
                text: `${digits(100 * share)} %`,
                value: share,
                share,
                mood: users > growth.mostUsers ? ("bad" as const) : undefined,
              },
            ];
          })}
        />
      </div>
    </>
  );
}

function usesOf({ weights, runtime, kv, capacity }: ProfiledMemory) {
  return [
    ["weights", weights, "var(--blue)"],
    ["runtime and scratch", runtime, "var(--violet)"],
    ["KV pool", kv, "var(--green)"],
    ["free", Math.max(0, capacity - weights - runtime - kv), "var(--raised)"],
  ] as const;
}

function Plan({ memory }: { readonly memory: ProfiledMemory }) {
  const { capacity, blocks, blockTokens } = memory;
  const place = useRef<SVGSVGElement>(null);
  let left = 0;
  return (
    <section class="panel" aria-labelledby="hbm-title">
      <header>
        <h2 id="hbm-title">HBM of one logical core, {gib(capacity)}</h2>
        <span class="note">
          {blocks.toLocaleString("en-US")} blocks of {blockTokens} tokens
        </span>
        <Exports
          title="HBM of one logical core"
          head={["use", "bytes"]}
          rows={() => usesOf(memory).map(([name, bytes]) => [name, bytes])}
          drawing={() => standalone(place.current)}
        />
      </header>
      <svg
        ref={place}
        class="hbm"
        viewBox="0 0 1000 40"
        preserveAspectRatio="none"
        aria-hidden="true"
      >
        {usesOf(memory).map(([name, bytes, fill]) => {
          const x = left;
          const width = (1000 * bytes) / capacity;
          left += width;
          return (
            <rect key={name} x={x} width={Math.max(0, width - 2)} height="40" style={{ fill }} />
          );
        })}
      </svg>
      <dl class="uses">
        {usesOf(memory).map(([name, bytes, fill]) => (
          <div key={name}>
            <dt>
              <i style={{ background: fill }} />
              {name}
            </dt>
            <dd>
              {gib(bytes)} <small>{digits((100 * bytes) / capacity)} %</small>
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function growing({ growth, capacity, weights, runtime }: ProfiledMemory): Figure {
  const at = (users: number, bytes: number) => ({ x: users, y: bytes / GIB });
  const last = growth.users.at(-1) ?? 1;
  const level = (bytes: number) => [at(1, bytes), at(Math.max(2, last), bytes)].map(bare);
  return {
    title: "Memory against users",
    subtitle: `${growth.context.toLocaleString("en-US")} tokens each, one logical core`,
    x: { label: "users", type: "log2" },
    y: { label: "GiB of HBM" },
    series: [
      {
        name: "weights, runtime and KV",
        colour: 2,
        points: growth.users.map((users, index) =>
          at(users, weights + runtime + (growth.kv[index] ?? 0)),
        ),
      },
      { name: "weights and runtime", colour: 0, points: level(weights + runtime) },
      { name: "HBM", colour: 7, dash: "5 4", points: level(capacity) },
    ],
  };
}

const bare = <Point extends object>(point: Point) => ({ ...point, bare: true });
