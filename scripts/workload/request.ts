/** What a load generator sends: prompts with their lengths and, when timed, their arrival. */

export interface IdsPrompt {
  readonly type: "ids";
  readonly ids: Int32Array;
  /** The first ids, so many at most, where they can be had without all. */
  readonly beginning?: (count: number) => Int32Array;
}

export type Prompt =
  | IdsPrompt
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "messages"; readonly messages: readonly unknown[] };

export interface WorkRequest {
  readonly prompt: Prompt;
  /** Prompt tokens as the generator counts them. */
  readonly promptTokens: number;
  /** Output tokens wanted (`max_tokens`). */
  readonly outputTokens: number;
  /**
   * Names of the prompt's full blocks of so many tokens, equal where their ids and all before are;
   * undefined where only the ids tell. Absent: never known without them.
   */
  readonly names?: (blockTokens: number) => readonly number[] | undefined;
  /** Seconds from the start of the run; absent: the arrival process decides. */
  readonly arrival?: number;
}

/**
 * Where prompts get their tokens. `ids` is the alphabet that random prompts draw
 * from: every id of a known vocabulary, or the ids seen in a sample of text.
 */
export interface Words {
  readonly ids: { readonly length: number; at(index: number): number };
  /** Absent: the words are ids only. */
  readonly encode?: (text: string) => Promise<Int32Array>;
  readonly decode?: (ids: Int32Array) => Promise<string>;
}

/** All ids in [first, vocabSize). */
export function idRange(first: number, vocabSize: number): Words["ids"] {
  return { length: vocabSize - first, at: (index) => first + index };
}

/** All ids in [0, vocabSize) but the special ones. */
export function plainIds(vocabSize: number, special: ReadonlySet<number>): Words["ids"] {
  const ids: number[] = [];
  for (let id = 0; id < vocabSize; id++) if (!special.has(id)) ids.push(id);
  return { length: ids.length, at: (index) => ids[index] ?? 0 };
}
