/** One span in words: its name and times, and the arguments that the worker keeps. */
import { useEffect, useState } from "preact/hooks";
import { NO_DETAIL } from "../../../../device/columns.ts";
import type { SpanArgs } from "../../../../device/trace.ts";
import type { ShownProfile } from "./profile.ts";
import { detailOf } from "./profiles.ts";
import { timeText } from "./time-text.ts";

export function SpanFacts(parts: {
  readonly profile: ShownProfile;
  readonly span: number | undefined;
}) {
  const { profile, span } = parts;
  const { spans, key } = profile;
  const [args, setArgs] = useState<{ readonly span: number; readonly args: SpanArgs }>();
  useEffect(() => {
    const detail = span === undefined ? NO_DETAIL : (spans.detail[span] ?? NO_DETAIL);
    if (span === undefined || detail === NO_DETAIL) return;
    let left = false;
    void detailOf(key, detail).then((found) => {
      if (!left && found !== undefined) setArgs({ span, args: found });
    });
    return () => {
      left = true;
    };
  }, [span, key]);
  if (span === undefined) return <p class="note">Nothing.</p>;
  const said = args?.span === span ? args.args : {};
  const facts: readonly (readonly [string, string])[] = [
    ["name", spans.names[spans.name[span] ?? 0] ?? ""],
    ["time", timeText(spans.duration[span] ?? 0)],
    ["from", timeText(spans.start[span] ?? 0)],
    ...Object.entries(said).map(
      ([name, value]) =>
        [name, typeof value === "number" ? value.toLocaleString("en-US") : String(value)] as const,
    ),
  ];
  return (
    <dl>
      {facts.map(([name, value]) => (
        <>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </>
      ))}
    </dl>
  );
}
