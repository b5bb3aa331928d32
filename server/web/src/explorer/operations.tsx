/** Every operation, with its time, bytes and what it mostly waits for. */
import { opRows } from "../../../../device/trainium/profile/compare.ts";
import { digits } from "../figures.ts";
import { Table } from "../table.tsx";
import type { ShownProfile } from "./profile.ts";
import { timeText } from "./time-text.ts";

export function Operations({ profile }: { readonly profile: ShownProfile }) {
  const { duration } = profile;
  const rows = opRows(profile);
  return (
    <Table
      title="Operations"
      note={`${rows.length} kinds, of one rank`}
      head={["operation", "count", "time", "share", "read", "FLOP", "mostly"]}
      rows={rows.map((row) => [
        row.name,
        { text: row.count.toLocaleString("en-US"), value: row.count },
        { text: timeText(row.nanos), value: row.nanos },
        {
          text: `${digits((100 * row.nanos) / duration)} %`,
          value: row.nanos / duration,
          share: row.nanos / duration,
        },
        { text: row.bytes > 0 ? `${digits(row.bytes / 1e6)} MB` : "–", value: row.bytes },
        { text: row.flops > 0 ? `${digits(row.flops / 1e9)} G` : "–", value: row.flops },
        row.cause,
      ])}
    />
  );
}
