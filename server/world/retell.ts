/**
 * Words of a model whose tokenizer is not the one that counts: what is known of a
 * sequence becomes text, the model goes on with it in ids of its own, and what it
 * says is cut into counted ids again, whole words at a time:
 *
 *     counted ids ──text──▶ the model's ids ──model──▶ its next ids
 *          ▲                                               │ a word has ended
 *          └───────────────────────text────────────────────┘
 *
 * Told ids are kept by position, so a step that is asked again is told the same.
 * The engine's sampler is not asked: its parameters are of counted ids.
 */

import type {
  Batch,
  BatchRow,
  Device,
  DeviceLimits,
  Sampled,
  SequenceId,
  StepResult,
  TokenId,
} from "../../device/device.ts";
import type { Tokenizer } from "../../models/model.ts";
import type { Soon } from "../../models/soon.ts";

export interface Languages {
  /** Of the ids that the engine knows. */
  readonly counted: Tokenizer;
  /** Of the model that says the words. */
  readonly words: Tokenizer;
  /** Ends an answer in counted ids; absent: answers end by length. */
  readonly countedEnd: TokenId | undefined;
  /** Ids with which the model ends. */
  readonly wordsEnds: ReadonlySet<TokenId>;
  /** Called when a sequence is over. */
  readonly forget: (id: SequenceId) => void;
}

/** Counted ids of a prompt's end that become text. */
const TAIL = 2000;
/** Ids of the model for one counted, from which on it would spell the text, not say it: random ids, other scripts. */
const SPELT = 2;
/** What it goes on with then. */
const OPENING = "Once upon a time";
/** Told ids to have in hand before a story waits for others. */
const CUSHION = 6;
/** Ids that are cut off though no word has ended. */
const LONGEST = 12;

interface Story {
  /** Position of the first told id. */
  readonly base: number;
  readonly told: TokenId[];
  /** The model's ids of the prompt's end and of all that it said. */
  readonly context: TokenId[];
  /** How many of its last ids are not told yet. */
  fresh: number;
  ended: boolean;
}

export class RetoldWords implements Device {
  readonly name: string;
  readonly limits: DeviceLimits;
  readonly vocabSize: number;
  readonly can = {
    draft: false,
    promptLogprobs: false,
    grammar: false,
    hidden: false,
    adapters: false,
  } as const;
  readonly #inner: Device;
  readonly #languages: Languages;
  readonly #stories = new Map<SequenceId, Story>();
  /** Ends of the steps before: they run one after another. */
  #last: Promise<void> = Promise.resolve();
  #step = 0;
  /** Counted ids of the letter that texts are encoded after. */
  #letter: Soon<Int32Array> | undefined;

  /** `inner` samples its own ids and takes contexts of any length. */
  constructor(inner: Device, languages: Languages) {
    this.name = inner.name;
    this.limits = inner.limits;
    this.vocabSize = languages.counted.vocabSize;
    this.#inner = inner;
    this.#languages = languages;
  }

  execute(batch: Batch, done: (result: StepResult) => void): void {
    this.#last = this.#last.then(async () => {
      let result: StepResult;
      try {
        result = await this.#run(batch);
      } catch (error) {
        result = { ok: false, error: error as Error }; // what is thrown here are Errors
      }
      done(result);
    });
  }

  release(ids: readonly SequenceId[]): void {
    for (const id of ids) {
      this.#stories.delete(id);
      this.#languages.forget(id);
    }
    this.#inner.release(ids);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  async #run({ rows }: Batch): Promise<StepResult> {
    const refused = rows.filter((row) => row.want === "all" || row.want === "hidden");
    if (refused.length > 0) {
      const error = new Error("Words that are told again have no prompt log-probabilities.");
      return { ok: false, error, culprits: refused.map((row) => row.id) };
    }
    const wanted = rows.filter((row) => row.want === "last");
    await Promise.all(wanted.map((row) => this.#storyOf(row)));
    // Where one has nothing to tell, those that have little go on with it: fewer, fuller steps.
    while (wanted.some((row) => this.#ahead(row) < 1)) {
      const failed = await this.#goOn(wanted.filter((row) => this.#ahead(row) < CUSHION));
      if (failed !== undefined) return failed;
    }
    const sampled = new Map<SequenceId, Sampled>();
    for (const row of wanted) sampled.set(row.id, this.#answer(row));
    return { ok: true, sampled };
  }

  async #storyOf(row: BatchRow): Promise<void> {
    if (this.#stories.has(row.id)) return;
    const { counted, words } = this.#languages;
    const known = row.context.subarray(0, row.context.length - row.drafted);
    const tail = known.slice(-TAIL);
    const plain = { addSpecialTokens: false };
    const prompt = await words.encode(counted.decode(tail, { skipSpecial: true }), plain);
    const spelt = prompt.length === 0 || prompt.length > tail.length * SPELT;
    const context = Array.from(spelt ? await words.encode(OPENING, plain) : prompt);
    this.#stories.set(row.id, { base: known.length, told: [], context, fresh: 0, ended: false });
  }

  /** Ids told beyond the row's guesses. */
  #ahead({ id, context }: BatchRow): number {
    const story = this.#stories.get(id);
    if (story === undefined || story.ended) return Number.POSITIVE_INFINITY;
    return story.base + story.told.length - context.length;
  }

  /** One id more for each; a failed step otherwise. */
  async #goOn(hungry: readonly BatchRow[]): Promise<StepResult | undefined> {
    const rows = hungry.map(({ id, blocks }): BatchRow => {
      const context = Int32Array.from(this.#stories.get(id)?.context ?? []);
      return { id, context, start: 0, count: context.length, drafted: 0, blocks, want: "last" };
    });
    const step = this.#step++;
    const result = await new Promise<StepResult>((resolve) => {
      this.#inner.execute({ step, rows, copies: [] }, resolve);
    });
    if (!result.ok) return result;
    const heard = rows.map(({ id }) => {
      const story = this.#stories.get(id);
      return story && this.#heard(story, result.sampled.get(id)?.tokens[0]);
    });
    await Promise.all(heard);
    return undefined;
  }

  async #heard(story: Story, next: TokenId | undefined): Promise<void> {
    const { counted, words, wordsEnds, countedEnd } = this.#languages;
    if (next === undefined || wordsEnds.has(next)) {
      await this.#tell(story, story.fresh);
      story.ended = countedEnd !== undefined || next === undefined;
      if (countedEnd !== undefined) story.told.push(countedEnd);
      else {
        // A line between it and the text that begins now.
        story.told.push(...(await counted.encode("\n", { addSpecialTokens: false })));
        if (next !== undefined) story.context.push(next);
      }
      return;
    }
    const begins = /^\s/.test(words.decode([next]));
    if (begins || story.fresh >= LONGEST) await this.#tell(story, story.fresh);
    story.context.push(next);
    story.fresh++;
  }

  /** Cuts the last `count` ids into counted ones. */
  async #tell(story: Story, count: number): Promise<void> {
    if (count === 0) return;
    const { counted, words } = this.#languages;
    const text = words.decode(story.context.slice(-count));
    // After a letter, so that a tokenizer that puts a space before a text does not do so here.
    const plain = { addSpecialTokens: false };
    this.#letter ??= counted.encode("a", plain);
    const [before, both] = await Promise.all([this.#letter, counted.encode(`a${text}`, plain)]);
    const follows = before.every((id, index) => both[index] === id);
    story.told.push(...(follows ? both.slice(before.length) : await counted.encode(text, plain)));
    story.fresh = 0;
  }

  #answer(row: BatchRow): Sampled {
    const story = this.#stories.get(row.id);
    if (story === undefined) return { tokens: [], accepted: 0 }; // released during the step
    const position = row.context.length - row.drafted;
    const from = Math.max(0, position - story.base);
    let accepted = 0;
    while (
      accepted < row.drafted &&
      story.told[from + accepted] === row.context[position + accepted]
    ) {
      accepted++;
    }
    const tokens = story.told.slice(from, from + accepted + 1);
    const end = this.#languages.countedEnd;
    if (tokens.length === 0 && end !== undefined) tokens.push(end);
    return { tokens, accepted: Math.max(0, tokens.length - 1) };
  }
}
