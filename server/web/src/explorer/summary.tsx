/** The step in tables: where its time goes, how busy what is, what to do about it. */
import { digits } from "../figures.ts";
import { Table } from "../table.tsx";
import type { Profile } from "./profile.ts";
import { timeText } from "./timeline-view.ts";

export function Summary({ profile }: { readonly profile: Profile }) {
  const { totals, duration } = profile;
  if (totals === undefined) {
    return <p class="note">This file holds spans only: see the timeline and the operations.</p>;
  }
  const { fields } = totals;
  const field = (name: string): number => Number(fields[name]);
  const percent = (share: number): string => `${digits(100 * share)} %`;
  const gib = (bytes: number): string => `${digits(bytes / 2 ** 30)} GiB`;
  const parts = Object.entries(totals.parts).sort(([, a], [, b]) => b - a);
  return (
    <>
      <dl class="facts">
        {(
          [
            ["Time", timeText(duration)],
            ["MFU", percent(field("mfu_estimated_percent"))],
            ["HFU", percent(field("hfu_estimated_percent"))],
            ["MBU", percent(field("mbu_estimated_percent"))],
            ["HBM read", gib(field("hbm_read_bytes"))],
            ["FLOP a byte", digits(field("mm_arithmetic_intensity"))],
          ] as const
        ).map(([name, text]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
      {totals.advice.length > 0 && (
        <section class="panel">
          <header>
            <h2>What would help</h2>
          </header>
          <ol class="advice">
            {totals.advice.map((text) => (
              <li key={text}>{text}</li>
            ))}
          </ol>
        </section>
      )}
      <div class="tables">
        <Table
          title="Where the time goes"
          head={["part", "time", "share"]}
          rows={parts.map(([part, nanos]) => [
            part,
            { text: timeText(nanos), value: nanos },
            { text: percent(nanos / duration), value: nanos, share: nanos / duration },
          ])}
        />
        <Table
          title="Engines"
          head={["engine", "active", "utilisation"]}
          rows={Object.entries(totals.engines).map(([engine, nanos]) => [
            engine,
            { text: timeText(nanos), value: nanos },
            { text: percent(nanos / duration), value: nanos, share: nanos / duration },
          ])}
        />
        <Table
          title="Collectives"
          head={["operation", "ranks", "size", "count", "each"]}
          rows={totals.collectives.map((row) => [
            row.operation,
            { text: String(row.ranks), value: row.ranks },
            { text: `${digits(row.bytes / 1024)} KiB`, value: row.bytes },
            { text: String(row.count), value: row.count },
            { text: timeText(row.nanos / row.count), value: row.nanos / row.count },
          ])}
        />
        <Table
          title="Memory of one logical core"
          head={["use", "size"]}
          rows={Object.entries(totals.memory).map(([use, bytes]) => [
            use === "kv" ? "KV pool" : use,
            { text: gib(bytes), value: bytes },
          ])}
        />
      </div>
    </>
  );
}
