/** Cases that are asked whole and as a stream. */
import { chat, completion, type VllmCase } from "./case.ts";

/** `whole`: not as a stream; else what a stream tells of its usage. */
type How = "whole" | "plain" | "usage" | "all along";

export type Row = readonly [name: string, fields: object, how: How, messages?: unknown];

const USAGE = {
  plain: {},
  usage: { stream_options: { include_usage: true } },
  "all along": { stream_options: { include_usage: true, continuous_usage_stats: true } },
} as const;

const rabbit = [{ role: "user", content: "Write about a small rabbit." }];

export function eachWay(rows: readonly Row[], kind: "chat" | "completion"): readonly VllmCase[] {
  const make = (name: string, fields: object, messages: unknown) =>
    kind === "chat"
      ? chat(`together: ${name}`, { max_tokens: 10, ...fields }, messages)
      : completion(`together: ${name}`, {
          ...{ prompt: "A little girl named", max_tokens: 10 },
          ...fields,
        });
  return rows.flatMap(([name, fields, how, messages = rabbit]) => [
    make(name, fields, messages),
    // How the chunks of several choices alternate is a matter of pace.
    ...(how === "whole" || "n" in fields
      ? []
      : [make(`${name}, streamed`, { ...fields, stream: true, ...USAGE[how] }, messages)]),
  ]);
}
