/** Every operation, with its time, bytes and what it mostly waits for. */
import { digits } from "../figures.ts";
import { Table } from "../table.tsx";
import type { Profile } from "./profile.ts";
import { timeText } from "./timeline-view.ts";

export function Operations({ profile }: { readonly profile: Profile }) {
  const { totals, duration } = profile;
  const rows = totals?.ops ?? byName(profile);
  return (
    <Table
      title="Operations"
      head={["operation", "count", "time", "share", "read", "mostly"]}
      rows={rows.map((row) => [
        row.name,
        { text: String(row.count), value: row.count },
        { text: timeText(row.nanos), value: row.nanos },
        {
          text: `${digits((100 * row.nanos) / duration)} %`,
          value: row.nanos,
          share: row.nanos / duration,
        },
        { text: row.bytes > 0 ? `${digits(row.bytes / 1e6)} MB` : "", value: row.bytes },
        row.cause,
      ])}
    />
  );
}

/** Spans of a file that has no ops of its own. */
function byName({ spans }: Profile) {
  const sums = spans.names.map((name) => ({ name, cause: "", count: 0, nanos: 0, bytes: 0 }));
  for (let span = 0; span < spans.start.length; span++) {
    const row = sums[spans.name[span] ?? 0];
    if (row === undefined) continue;
    row.count++;
    row.nanos += spans.duration[span] ?? 0;
  }
  return sums.sort((a, b) => b.nanos - a.nanos).slice(0, 200);
}
