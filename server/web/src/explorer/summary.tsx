/** The step in tables: where its time goes, how busy what is, what to do about it. */
import type { Advice } from "../../../../device/trainium/profile/advice.ts";
import type { Totals } from "../../../../device/trainium/profile/profile.ts";
import { digits } from "../figures.ts";
import { Table } from "../table.tsx";
import type { ShownProfile } from "./profile.ts";
import { timeText } from "./time-text.ts";

const percent = (share: number): string => `${digits(100 * share)} %`;
const gib = (bytes: number): string => `${digits(bytes / 2 ** 30)} GiB`;

export function Summary({ profile }: { readonly profile: ShownProfile }) {
  const { totals, duration } = profile;
  if (totals === undefined) {
    return <p class="note">This file holds spans only: see the timeline and the operations.</p>;
  }
  const parts = Object.entries(totals.parts).sort(([, a], [, b]) => b - a);
  return (
    <>
      <KeyFigures totals={totals} duration={duration} />
      {totals.advice.length > 0 && <WhatWouldHelp advice={totals.advice} />}
      <div class="panels">
        {parts.length > 0 && (
          <Table
            title="Where the time goes"
            head={["part", "time", "share"]}
            rows={parts.map(([part, nanos]) => shareRow(part, nanos, duration))}
          />
        )}
        <Table
          title="Engines"
          head={["engine", "active", "utilisation"]}
          rows={Object.entries(totals.engines).map(([engine, nanos]) =>
            shareRow(engine, nanos, duration),
          )}
        />
        {totals.collectives.length > 0 && <Collectives totals={totals} />}
        <Table
          title="As Neuron Explorer names it"
          head={["field", "value"]}
          rows={Object.entries(totals.fields).map(([name, value]) => [
            name,
            typeof value === "number"
              ? { text: String(Number(value.toPrecision(6))), value }
              : String(value),
          ])}
        />
      </div>
    </>
  );
}

function shareRow(name: string, nanos: number, duration: number) {
  const share = nanos / duration;
  return [
    name,
    { text: timeText(nanos), value: nanos },
    { text: percent(share), value: share, share },
  ];
}

function KeyFigures({ totals, duration }: { readonly totals: Totals; readonly duration: number }) {
  const field = (name: string): number => Number(totals.fields[name]);
  const facts = [
    ["Time", timeText(duration), "one rank"],
    ["MFU", percent(field("mfu_estimated_percent")), "model FLOP of peak"],
    ["HFU", percent(field("hfu_estimated_percent")), "padding included"],
    ["MBU", percent(field("mbu_estimated_percent")), "HBM bandwidth"],
    ["HBM read", gib(field("hbm_read_bytes")), ""],
    [
      "FLOP a byte",
      digits(field("mm_arithmetic_intensity")),
      `ridge ${digits(field("peak_flops_bandwidth_ratio"))}`,
    ],
  ] as const;
  return (
    <dl class="facts">
      {facts.map(([name, text, note]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>
            {text} <small>{note}</small>
          </dd>
        </div>
      ))}
    </dl>
  );
}

/** Ranked by what each would gain, priced by the same model. */
function WhatWouldHelp({ advice }: { readonly advice: readonly Advice[] }) {
  return (
    <section class="panel" aria-labelledby="advice-title">
      <header>
        <h2 id="advice-title">What would help</h2>
        <span class="note">each priced alone, on the same chips</span>
      </header>
      <ol class="advice">
        {advice.map(({ text, gain }) => (
          <li key={text}>
            <span>{text}</span>
            {gain !== undefined && (
              <span class="gain number">
                <b>×{gain.tokens.toFixed(2)}</b> tokens/s
                <small>
                  {gain.change}: {timeText(gain.nanos)}
                </small>
              </span>
            )}
          </li>
        ))}
      </ol>
    </section>
  );
}

function Collectives({ totals }: { readonly totals: Totals }) {
  const { engines, collectives } = totals;
  return (
    <Table
      title="Collectives"
      note={`${timeText(engines["cc"] ?? 0)} in all; alike in size, alike in time: a simulated one has no outliers`}
      head={["operation", "ranks", "size", "count", "each", "all"]}
      rows={collectives.map((row) => [
        row.operation,
        { text: String(row.ranks), value: row.ranks },
        { text: `${digits(row.bytes / 1024)} KiB`, value: row.bytes },
        { text: String(row.count), value: row.count },
        { text: timeText(row.nanos / row.count), value: row.nanos / row.count },
        { text: timeText(row.nanos), value: row.nanos },
      ])}
    />
  );
}
