/** What the last step computed, and where its time went. */
import { digits, duration } from "../figures.ts";
import { Table } from "../table.tsx";
import type { Step } from "./track.ts";

/** Its tokens: those of prompts, those of answers, guesses among them, and padding. */
export function Batch({ step }: { readonly step: Step }) {
  const decodes = step.rows - step.prompt_rows;
  const padding = step.padded_tokens ?? 0;
  const pieces = [
    ["prompts", step.prompt_rows, step.prompt_tokens],
    ["answers", decodes, step.tokens - step.prompt_tokens],
    ["padding", step.padded_rows ?? 0, padding],
  ] as const;
  const whole = Math.max(1, step.tokens + padding);
  return (
    <Table
      title="Batch of the last step"
      note={`${digits(step.tokens)} tokens in ${digits(step.rows)} rows`}
      head={["of", "rows", "tokens", "share"]}
      rows={pieces.map(([name, rows, tokens]) => [
        name,
        { text: digits(rows), value: rows },
        { text: digits(tokens), value: tokens },
        {
          text: `${digits((100 * tokens) / whole)} %`,
          value: tokens / whole,
          share: tokens / whole,
        },
      ])}
    />
  );
}

export function Parts({ step }: { readonly step: Step }) {
  if (step.parts_ms === undefined) return null;
  const whole = step.duration_ms;
  const parts: readonly (readonly [string, number])[] = [
    ...Object.entries(step.parts_ms).sort(([, a], [, b]) => b - a),
    ["lateness", step.lateness_ms ?? 0],
  ];
  return (
    <Table
      title="Where its time went"
      note={duration(whole)}
      head={["part", "time", "share"]}
      rows={parts.map(([part, ms]) => [
        part,
        { text: duration(ms), value: ms },
        { text: `${digits((100 * ms) / whole)} %`, value: ms / whole, share: ms / whole },
      ])}
    />
  );
}
