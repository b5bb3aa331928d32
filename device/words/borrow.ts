/**
 * Words for a device that only keeps time: another, smaller model says what the
 * big one would. Rows come with the big model's ids, blocks and positions; here
 * each sequence has blocks of its own in the inner device's pool and a window
 * of its own on the context:
 *
 *     context   [0 ......... origin)[origin .... computed)[computed .... length)
 *               forgotten            in the inner cache     computed now
 *
 * When the window would outgrow the inner model's context it restarts with the
 * last half, so that a step recomputes half a window once in half a window.
 * Ids that the inner model does not have are folded into its vocabulary. The
 * sampler sees the row as the engine made it: positions, seeds and penalties
 * are those of the whole context. Prompt positions that are scored see at least
 * half a window before them.
 */
import type {
  Batch,
  BatchRow,
  BlockId,
  Device,
  DeviceAbilities,
  DeviceLimits,
  PositionLogprobs,
  Sampled,
  Sampler,
  SequenceId,
  StepResult,
  TokenId,
} from "../device.ts";
import { KeptContext } from "./kept-context.ts";

interface Step {
  readonly batch: Batch;
  readonly done: (result: StepResult) => void;
}

/** One sequence's view of its context. */
interface View {
  readonly context: KeptContext;
  origin: number;
  /** Positions from `origin` on whose K and V are in the inner cache. */
  computed: number;
  blocks: BlockId[];
  /** Last id sampled, for PENDING_TOKEN. */
  last: TokenId;
  /** Step in which it was used last: the longest unused gives its blocks up first. */
  used: number;
}

/** Makes the inner device with a sampler that is shown the engine's own rows. */
export async function borrowWords(
  sampler: Sampler,
  make: (sampler: Sampler) => Promise<Device>,
): Promise<Device> {
  const rows = new Map<SequenceId, Shown>();
  const shown: Sampler = {
    sample: (row, logits) => sampler.sample(rows.get(row.id)?.row ?? row, logits),
    prompt: (row, position, logits, width) => {
      const its = rows.get(row.id);
      return its === undefined ? [] : sampler.prompt(its.row, its.origin + position, logits, width);
    },
  };
  return new BorrowedWords(await make(shown), rows);
}

/** The engine's row of the step under way, and where the window on its context begins. */
interface Shown {
  readonly row: BatchRow;
  origin: number;
  /** Of a row that wants `all`: what its positions scored, and how many of them were asked. */
  readonly scores: PositionLogprobs[];
  scored: number;
}

class BorrowedWords implements Device {
  readonly name: string;
  readonly limits: DeviceLimits;
  readonly vocabSize: number;
  readonly can: DeviceAbilities;
  readonly #inner: Device;
  readonly #rows: Map<SequenceId, Shown>;
  readonly #views = new Map<SequenceId, View>();
  readonly #free: BlockId[];
  readonly #queue: Step[] = [];
  #innerStep = 0;

  constructor(inner: Device, rows: Map<SequenceId, Shown>) {
    this.#inner = inner;
    this.#rows = rows;
    this.name = inner.name;
    this.limits = inner.limits;
    this.vocabSize = inner.vocabSize;
    this.can = { ...inner.can, draft: false, hidden: false, adapters: false };
    this.#free = Array.from({ length: inner.limits.blocks }, (_, index) => index).reverse();
  }

  execute(batch: Batch, done: (result: StepResult) => void): void {
    this.#queue.push({ batch, done });
    if (this.#queue.length === 1) this.#next();
  }

  release(ids: readonly SequenceId[]): void {
    for (const id of ids) {
      const view = this.#views.get(id);
      if (view !== undefined) this.#free.push(...view.blocks);
      this.#views.delete(id);
    }
    this.#inner.release(ids);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  /** Steps run one after another: a pending id is known when its turn comes. */
  #next(): void {
    const first = this.#queue[0];
    if (first === undefined) return;
    const refused = first.batch.rows.filter((row) => row.want === "hidden");
    const sampled = new Map<SequenceId, Sampled>();
    const finish = (result: StepResult): void => {
      first.done(result); // it stands in the queue still: what is asked meanwhile waits its turn
      this.#queue.shift();
      this.#next();
    };
    if (refused.length > 0) {
      const error = new Error("Borrowed words have no hidden states.");
      finish({ ok: false, error, culprits: refused.map((row) => row.id) });
      return;
    }
    const wanted = first.batch.rows.filter((row) => row.want === "last" || row.want === "all");
    this.#rows.clear();
    for (const row of wanted) {
      const view = this.#viewOf(row);
      view.context.update(row, view.last);
      const context = row.want === "all" ? view.context.window(0) : view.context.ids;
      this.#rows.set(row.id, { row: { ...row, context }, origin: 0, scores: [], scored: 0 });
    }
    this.#run(wanted, sampled, finish);
  }

  /** Inner steps until every row is sampled: prompts go in pieces, as many rows at once as fit. */
  #run(
    rows: readonly BatchRow[],
    sampled: Map<SequenceId, Sampled>,
    finish: (result: StepResult) => void,
  ): void {
    const left = rows.filter((row) => !sampled.has(row.id));
    if (left.length === 0) {
      finish({ ok: true, sampled });
      return;
    }
    const step = this.#innerStep++;
    const plan: BatchRow[] = [];
    let room = this.#inner.limits.maxTokens;
    for (const row of left) {
      if (plan.length === this.#inner.limits.maxRows || room <= row.drafted) break;
      const inner = this.#plan(row, { step, room, busy: plan });
      if (inner === undefined) break;
      plan.push(inner);
      room -= inner.count;
    }
    if (plan.length === 0) {
      finish({ ok: false, error: new Error("The borrowed model's KV pool holds no row.") });
      return;
    }
    this.#inner.execute({ step, rows: plan, copies: [] }, (result) => {
      if (!result.ok) {
        // What the inner cache holds is unknown now; contexts are whole, so it is made again.
        for (const view of this.#views.values()) view.computed = 0;
        finish(result);
        return;
      }
      for (const row of plan) this.#took(row, result.sampled.get(row.id), sampled);
      this.#run(rows, sampled, finish);
    });
  }

  /** The inner row that brings `row` on, or undefined when no block is left for it. */
  #plan(
    row: BatchRow,
    at: { readonly step: number; readonly room: number; readonly busy: readonly BatchRow[] },
  ): BatchRow | undefined {
    if (row.want === "all") return this.#planScores(row, at);
    const view = this.#view(row, at.step);
    const context = view.context.window(view.origin);
    // The guesses and the id before them are computed together, whatever is cached.
    view.computed = Math.min(view.computed, context.length - row.drafted - 1);
    const missing = context.length - view.computed;
    const count = missing <= at.room ? missing : Math.min(at.room, missing - row.drafted - 1);
    if (count <= 0 || !this.#grow(view, view.computed + count, at)) return undefined;
    const reaches = count === missing;
    return {
      id: row.id,
      context,
      start: view.computed,
      count,
      drafted: reaches ? row.drafted : 0,
      blocks: view.blocks,
      want: reaches ? "last" : "none",
    };
  }

  /**
   * The same for a row whose prompt positions are scored: first up to its start, then
   * the positions themselves, in windows that each begin half a context before.
   */
  #planScores(
    row: BatchRow,
    at: { readonly step: number; readonly room: number; readonly busy: readonly BatchRow[] },
  ): BatchRow | undefined {
    const { maxContext } = this.#inner.limits;
    const shown = this.#rows.get(row.id);
    if (shown === undefined) return undefined;
    const view = this.#viewOf(row);
    view.used = at.step;
    const next = row.start + shown.scored;
    if (next < view.origin || next - view.origin >= maxContext) {
      view.origin = Math.max(0, next - (maxContext >> 1));
      view.computed = 0;
    }
    view.computed = Math.min(view.computed, next - view.origin);
    shown.origin = view.origin;
    const scored = view.computed === next - view.origin;
    const until = scored
      ? Math.min(row.start + row.count - view.origin, maxContext)
      : next - view.origin;
    const count = Math.min(at.room, until - view.computed);
    if (count <= 0 || !this.#grow(view, view.computed + count, at)) return undefined;
    return {
      id: row.id,
      // One id more than fits: a window that is cut there is not taken for the context's end.
      context: view.context.window(view.origin).subarray(0, maxContext + 1),
      start: view.computed,
      count,
      drafted: 0,
      blocks: view.blocks,
      want: scored ? "all" : "none",
    };
  }

  #took(row: BatchRow, gained: Sampled | undefined, sampled: Map<SequenceId, Sampled>): void {
    const view = this.#views.get(row.id);
    const over = view === undefined; // released during the step
    const shown = this.#rows.get(row.id);
    if (shown?.row.want === "all" && !over) {
      view.computed = row.start + row.count;
      if (row.want !== "all") return;
      shown.scores.push(...(gained?.prompt ?? []));
      shown.scored += row.count;
      if (shown.scored < shown.row.count) return;
      const { tokens, accepted, logprobs } = gained ?? { tokens: [], accepted: 0 };
      view.last = tokens.at(-1) ?? view.last;
      const prompt = shown.scores;
      sampled.set(row.id, { tokens, accepted, prompt, ...(logprobs && { logprobs }) });
      return;
    }
    if (over || row.want === "last") sampled.set(row.id, gained ?? { tokens: [], accepted: 0 });
    if (over) return;
    view.computed = row.start + row.count - row.drafted + (gained?.accepted ?? 0);
    view.last = gained?.tokens.at(-1) ?? view.last;
  }

  #viewOf(row: BatchRow): View {
    let view = this.#views.get(row.id);
    if (view === undefined) {
      const context = new KeptContext(this.vocabSize);
      view = { context, origin: 0, computed: 0, blocks: [], last: 0, used: -1 };
      this.#views.set(row.id, view);
    }
    return view;
  }

  /** The view, its window restarted when it would outgrow the inner context. */
  #view(row: BatchRow, step: number): View {
    const view = this.#viewOf(row);
    view.used = step;
    const { maxContext } = this.#inner.limits;
    if (row.context.length - view.origin > maxContext) {
      view.origin = row.context.length - (maxContext >> 1);
      view.computed = 0;
    }
    return view;
  }

  #grow(
    view: View,
    tokens: number,
    at: { readonly step: number; readonly busy: readonly BatchRow[] },
  ): boolean {
    const need = Math.ceil(tokens / this.#inner.limits.blockSize) - view.blocks.length;
    while (this.#free.length < need) {
      if (!this.#evict(at.step)) return false;
    }
    for (let i = 0; i < need; i++) {
      const block = this.#free.pop();
      if (block !== undefined) view.blocks.push(block);
    }
    return true;
  }

  /** Takes the blocks of the view unused for longest; false when all are of this step. */
  #evict(step: number): boolean {
    let oldest: View | undefined;
    for (const view of this.#views.values()) {
      if (view.used === step || view.blocks.length === 0) continue;
      if (oldest === undefined || view.used < oldest.used) oldest = view;
    }
    if (oldest === undefined) return false;
    this.#free.push(...oldest.blocks);
    oldest.blocks = [];
    oldest.computed = 0;
    return true;
  }
}
