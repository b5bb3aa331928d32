/**
 * Drafting heads that are priced but not computed, over a device whose words are
 * another model's: nobody knows the words before they are said, so a draft is a mark,
 * and holds where the mark is its position's own. Of a row with drafts
 *
 *     [start ......... position)[marks that hold)[one that does not, and all after it)
 *
 * as many words are said, one after another, as marks hold, and the one that follows.
 * The inner device sees no drafts: its words are those that it says without them.
 */
import type {
  Batch,
  BatchRow,
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
import { keyOfSequence, uniform } from "../random.ts";

/** One row of a step under way. */
interface Told {
  /** Without drafts, and with the words said so far. */
  row: BatchRow;
  /** Words to say yet. */
  left: number;
  readonly tokens: TokenId[];
  readonly logprobs: PositionLogprobs[];
  /** What the first round gave. */
  first: Sampled | undefined;
}

export class MarkedDrafts implements Device {
  readonly name: string;
  readonly limits: DeviceLimits;
  readonly vocabSize: number;
  readonly can: DeviceAbilities;
  readonly #inner: Device;
  readonly #sampler: Sampler;
  readonly #seed: number;
  /** Sequences let go of while a step is under way. */
  readonly #released = new Set<SequenceId>();
  #underWay = 0;

  constructor(inner: Device, of: { readonly sampler: Sampler; readonly seed: number }) {
    this.#inner = inner;
    this.#sampler = of.sampler;
    this.#seed = of.seed;
    this.name = inner.name;
    this.limits = inner.limits;
    this.vocabSize = inner.vocabSize;
    this.can = { ...inner.can, draft: true };
  }

  draft(
    rows: readonly BatchRow[],
    count: number,
    done: (drafts: ReadonlyMap<SequenceId, readonly TokenId[]>) => void,
  ): void {
    done(
      new Map(
        rows.map(({ id, context }) => [
          id,
          Array.from({ length: count }, (_, index) => this.#mark(id, context.length + index)),
        ]),
      ),
    );
  }

  execute(batch: Batch, done: (result: StepResult) => void): void {
    const told = batch.rows.map((row): Told => {
      const known = row.context.subarray(0, row.context.length - row.drafted);
      return {
        row: { ...row, context: known, count: row.count - row.drafted, drafted: 0 },
        left: row.want === "last" ? this.#holding(row) + 1 : 1,
        tokens: [],
        logprobs: [],
        first: undefined,
      };
    });
    this.#underWay++;
    this.#round(batch, told, (result) => {
      if (--this.#underWay === 0) this.#released.clear();
      done(result);
    });
  }

  release(ids: readonly SequenceId[]): void {
    if (this.#underWay > 0) for (const id of ids) this.#released.add(id);
    this.#inner.release(ids);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  /** One word of each row that has any left. */
  #round(batch: Batch, told: readonly Told[], finish: (result: StepResult) => void): void {
    const rows = told.filter(({ left, row }) => left > 0 && !this.#released.has(row.id));
    if (rows.length === 0) {
      const sampled = new Map(
        told.flatMap((its) => {
          const all = sampledOf(its);
          return all === undefined ? [] : [[its.row.id, all] as const];
        }),
      );
      finish({ ok: true, sampled });
      return;
    }
    this.#inner.execute({ ...batch, rows: rows.map(({ row }) => row) }, (result) => {
      if (!result.ok) {
        finish(result);
        return;
      }
      for (const its of rows) this.#said(its, result.sampled.get(its.row.id));
      this.#round({ step: batch.step, rows: [], copies: [] }, told, finish);
    });
  }

  #said(its: Told, sampled: Sampled | undefined): void {
    its.first ??= sampled;
    its.left--;
    const [token] = sampled?.tokens ?? [];
    if (token === undefined) {
      its.left = 0;
      return;
    }
    its.tokens.push(token);
    its.logprobs.push(...(sampled?.logprobs ?? []));
    // What follows an end is never said, nor asked of a grammar that has ended.
    if (this.#sampler.ends?.(its.row.id, token) === true) its.left = 0;
    if (its.left === 0) return;
    const { row } = its;
    const context = new Int32Array(row.context.length + 1);
    context.set(row.context);
    context[row.context.length] = token;
    its.row = { ...row, context, start: row.context.length, count: 1 };
  }

  /** How many of the row's drafts hold. */
  #holding({ id, context, drafted }: BatchRow): number {
    const position = context.length - drafted;
    let holding = 0;
    while (
      holding < drafted &&
      context[position + holding] === this.#mark(id, position + holding)
    ) {
      holding++;
    }
    return holding;
  }

  #mark(id: SequenceId, position: number): TokenId {
    const at = uniform(keyOfSequence(this.#seed, id), position);
    return Math.floor(at * this.vocabSize);
  }
}

function sampledOf({ first, tokens, logprobs }: Told): Sampled | undefined {
  if (first === undefined) return undefined;
  return {
    ...first,
    tokens,
    accepted: Math.max(0, tokens.length - 1),
    ...(first.logprobs === undefined ? {} : { logprobs }),
  };
}
