/** One request's life (GET /requests/:number), in ms since its submission. */
import { getJson } from "../api.ts";
import type { Told } from "./list.ts";

export type Causes = Readonly<Record<string, number>>;

export interface Completion {
  readonly choice: number;
  readonly engine: number;
  /** Its times were given up for those of newer requests. */
  readonly forgotten: boolean;
  readonly scheduled_ms: readonly number[];
  readonly preempted_ms: readonly number[];
  readonly pieces: readonly {
    readonly end_ms: number;
    readonly duration_ms: number;
    readonly tokens: number;
  }[];
  readonly emitted_ms: readonly number[];
  readonly emitted_tokens: readonly number[] | null;
  /** null: its steps are no longer remembered. */
  readonly receipt_ns: {
    readonly time_to_first_token: Causes | null;
    readonly end_to_end: Causes | null;
  } | null;
}

export interface LifeOf extends Told {
  readonly completions: readonly Completion[];
  readonly writes_ms: readonly number[];
  /** Of its engine while it lived, in columns; null: no longer remembered. */
  readonly steps: {
    readonly end_ms: readonly number[];
    readonly duration_ms: readonly number[];
    readonly rows: readonly number[];
    readonly tokens: readonly number[];
    readonly own: readonly boolean[];
  } | null;
  readonly receipt_bands?: {
    readonly serving: { readonly tier: string; readonly factor: number };
  };
}

export const readLife = (number: number): Promise<LifeOf> => getJson<LifeOf>(`requests/${number}`);

export interface Stretch {
  readonly name: "queued" | "prompt" | "answer" | "preempted";
  readonly from: number;
  readonly to: number;
}

/** What it was doing when: waiting, its prompt, its answer, or computing again what it had lost. */
export function stretchesOf(its: Completion, end: number): readonly Stretch[] {
  const marks: { readonly at: number; readonly name: Stretch["name"] }[] = [
    { at: 0, name: "queued" },
    ...its.scheduled_ms.slice(0, 1).map((at) => ({ at, name: "prompt" as const })),
    ...its.emitted_ms.slice(0, 1).map((at) => ({ at, name: "answer" as const })),
  ];
  for (const at of its.preempted_ms) {
    marks.push({ at, name: "preempted" });
    const back = its.emitted_ms.find((when) => when > at);
    if (back !== undefined) marks.push({ at: back, name: "answer" });
  }
  marks.sort((a, b) => a.at - b.at);
  return marks
    .map(({ at, name }, index) => ({ name, from: at, to: marks[index + 1]?.at ?? end }))
    .filter(({ from, to }) => to > from);
}

/** The longest wait between two of its tokens. */
export function stallOf({ emitted_ms: ends }: Completion): Omit<Stretch, "name"> | undefined {
  let longest: Omit<Stretch, "name"> | undefined;
  for (let index = 1; index < ends.length; index++) {
    const [from = 0, to = 0] = [ends[index - 1], ends[index]];
    if (longest === undefined || to - from > longest.to - longest.from) longest = { from, to };
  }
  return longest;
}
