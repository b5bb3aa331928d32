/** What the live page keeps of an engine. */

/** A step as the feed tells it; others between two may have been left out (`skipped`). */
export interface Step {
  readonly at_seconds: number;
  readonly engine: number;
  readonly duration_ms: number;
  readonly rows: number;
  readonly tokens: number;
  /** Rows that compute a piece of a prompt, and its tokens. */
  readonly prompt_rows: number;
  readonly prompt_tokens: number;
  readonly running: number;
  readonly waiting: number;
  readonly kv_usage: number;
  readonly preemptions: number;
  readonly skipped: number;
  /** Since the step told before: tokens given out, guesses and those of them that held. */
  readonly output_tokens: number;
  readonly drafted: number;
  readonly accepted: number;
  /** Of a priced device, in wall time. */
  readonly padded_tokens?: number;
  readonly padded_rows?: number;
  readonly parts_ms?: Readonly<Record<string, number>>;
  /** How much later than priced it ended. */
  readonly lateness_ms?: number;
}

/** What the KV blocks are; a digit of `cells` is 0 blank, 1 cached, 2 held, 3 shared. */
export interface KvMap {
  readonly at_seconds: number;
  readonly engine: number;
  readonly blocks: number;
  readonly blocks_a_cell: number;
  readonly held: number;
  readonly shared: number;
  readonly cached: number;
  readonly blank: number;
  readonly cells: string;
}

/** What half a second brought. */
export interface Bin {
  /** Its beginning. */
  readonly at_seconds: number;
  tokens: number;
  /** Seconds of steps, and requests running in them times seconds. */
  busy: number;
  running: number;
  drafted: number;
  accepted: number;
}

export const KEPT_SECONDS = 600;
export const BIN_SECONDS = 0.5;

/** What is kept of an engine, oldest first. */
export class EngineTrack {
  readonly steps: Step[] = [];
  readonly maps: KvMap[] = [];
  readonly bins: Bin[] = [];

  step(step: Step): void {
    this.steps.push(step);
    const at = BIN_SECONDS * Math.floor(step.at_seconds / BIN_SECONDS);
    let bin = this.bins.at(-1);
    if (bin === undefined || bin.at_seconds < at) {
      bin = { at_seconds: at, tokens: 0, busy: 0, running: 0, drafted: 0, accepted: 0 };
      this.bins.push(bin);
    }
    const seconds = (step.duration_ms / 1000) * (1 + step.skipped);
    bin.tokens += step.output_tokens;
    bin.busy += seconds;
    bin.running += seconds * Math.max(1, step.running, step.rows);
    bin.drafted += step.drafted;
    bin.accepted += step.accepted;
    drop(this.steps, step.at_seconds);
    drop(this.bins, step.at_seconds);
  }

  /** Those of which a part lies between: what came first stands in one that began before anybody looked. */
  binsOf(from: number, to: number): readonly Bin[] {
    return this.bins.slice(before(this.bins, from - BIN_SECONDS), before(this.bins, to));
  }

  map(map: KvMap): void {
    this.maps.push(map);
    drop(this.maps, map.at_seconds);
  }
}

/** Lets go of what is too old, a while's worth at once. */
function drop(list: { readonly at_seconds: number }[], now: number): void {
  const oldest = now - KEPT_SECONDS;
  if ((list[0]?.at_seconds ?? oldest) >= oldest - 30) return;
  list.splice(0, before(list, oldest));
}

/** How many of a list came until then. */
export function before(list: readonly { readonly at_seconds: number }[], when: number): number {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((list[middle]?.at_seconds ?? 0) <= when) low = middle + 1;
    else high = middle;
  }
  return low;
}
