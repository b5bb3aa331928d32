/** Runs rows on a device without an engine: one promise a step, logits kept. */
import type {
  Batch,
  BatchRow,
  Device,
  PositionLogprobs,
  Sampled,
  Sampler,
  StepResult,
} from "../../device/device.ts";

/** Greedy, and keeps a copy of the logits it saw: by row id, one array a call. */
export class RecordingSampler implements Sampler {
  readonly logits = new Map<number, Float32Array[]>();
  readonly promptLogits = new Map<number, Float32Array[]>();

  sample(row: BatchRow, logits: Float32Array): Sampled {
    keep(this.logits, row.id, logits);
    const width = logits.length / (row.drafted + 1);
    const tokens: number[] = [];
    for (let place = 0; place <= row.drafted; place++) {
      const id = argmax(logits.subarray(place * width, (place + 1) * width));
      tokens.push(id);
      if (row.context[row.start + row.count - row.drafted + place] !== id) break;
    }
    return { tokens, accepted: tokens.length - 1 };
  }

  prompt(row: BatchRow, position: number, logits: Float32Array): readonly PositionLogprobs[] {
    keep(this.promptLogits, row.id, logits);
    const count = logits.length / 1;
    return count > 0 ? [{ chosen: position, rank: 1, topIds: [], topLogprobs: [] }] : [];
  }
}

export function argmax(values: Float32Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) {
    if ((values[i] ?? 0) > (values[best] ?? 0)) best = i;
  }
  return best;
}

function keep(map: Map<number, Float32Array[]>, id: number, logits: Float32Array): void {
  const list = map.get(id) ?? [];
  list.push(Float32Array.from(logits));
  map.set(id, list);
}

export function row(
  id: number,
  tokens: readonly number[],
  part: Partial<BatchRow> & { readonly blocks: readonly number[] },
): BatchRow {
  const start = part.start ?? 0;
  return {
    id,
    context: Int32Array.from(tokens),
    start,
    count: tokens.length - start,
    drafted: 0,
    want: "last",
    ...part,
  };
}

let steps = 0;

export function execute(
  device: Device,
  rows: readonly BatchRow[],
  copies: Batch["copies"] = [],
): Promise<StepResult> {
  return new Promise((resolve) => device.execute({ step: steps++, rows, copies }, resolve));
}

/** The next ids of rows that decode, one a step, all rows together; fails on a failed step. */
export async function decode(
  device: Device,
  sequences: readonly {
    readonly id: number;
    readonly tokens: number[];
    readonly blocks: readonly number[];
  }[],
  count: number,
): Promise<void> {
  for (let step = 0; step < count; step++) {
    const rows = sequences.map(({ id, tokens, blocks }) =>
      row(id, tokens, { start: step === 0 ? 0 : tokens.length - 1, blocks }),
    );
    const result = await execute(device, rows);
    if (!result.ok) throw result.error;
    for (const sequence of sequences) {
      sequence.tokens.push(...(result.sampled.get(sequence.id)?.tokens ?? []));
    }
  }
}

/** Block ids [first, first + count). */
export function blockRange(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => first + index);
}
