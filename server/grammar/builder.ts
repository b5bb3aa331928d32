/**
 * Builds grammars in guarded threads, under a time limit, and finds the first mask of
 * each there, as well as the vocabulary's trie. Requests that already run hold finished
 * grammars and notice nothing when a thread must be replaced.
 */
import { GuardedThread, type ThreadLimits, ThreadTaskError } from "../guarded-thread.ts";
import type { ThreadBudget } from "./budget.ts";
import type { BuildAnswer, BuildTask } from "./builder-thread.ts";
import { CompiledGrammar } from "./constraint.ts";
import { GrammarError } from "./grammar.ts";
import { type GrammarSpec, specText } from "./spec.ts";
import { type TokenTexts, Vocabulary } from "./vocabulary.ts";

/** For a vocabulary, which the server has chosen: half a second for 150,000 tokens. */
const LAY_OUT_MS = 60_000;

export class GrammarBuilder {
  readonly #thread: GuardedThread<BuildTask, BuildAnswer>;
  readonly #words: () => TokenTexts;
  readonly #budget: ThreadBudget | undefined;
  #vocabulary: Promise<Vocabulary> | undefined;

  /** `words` is called with the first grammar; `budget`: of the thread that will ask for masks. */
  constructor(words: () => TokenTexts, limits: ThreadLimits, budget?: ThreadBudget) {
    this.#words = words;
    this.#budget = budget;
    this.#thread = new GuardedThread("./builder-thread", import.meta.url, limits);
  }

  /** Threads that had to be replaced. */
  get replaced(): number {
    return this.#thread.replaced;
  }

  /** Rejects with GrammarError where the client is at fault. */
  async build(spec: GrammarSpec): Promise<CompiledGrammar> {
    const text = specText(spec);
    const vocabulary = await this.#laidOut();
    let answer: BuildAnswer;
    try {
      answer = await this.#thread.run({ text, vocabulary: vocabulary.data }, text);
    } catch (error) {
      throw error instanceof ThreadTaskError
        ? new GrammarError(`${error.message} to compile`)
        : error;
    }
    if (!("grammar" in answer)) throw failure(answer);
    const grammar = new CompiledGrammar(answer.grammar, vocabulary, this.#budget);
    grammar.seed(answer.mask);
    return grammar;
  }

  /** With the first grammar, in a time that is not its own: a slow machine takes seconds. */
  #laidOut(): Promise<Vocabulary> {
    this.#vocabulary ??= this.#layOut().catch((error: unknown) => {
      this.#vocabulary = undefined;
      throw error;
    });
    return this.#vocabulary;
  }

  async #layOut(): Promise<Vocabulary> {
    const answer = await this.#thread.run({ words: this.#words() }, undefined, LAY_OUT_MS);
    if (!("vocabulary" in answer)) throw failure(answer);
    return new Vocabulary(answer.vocabulary);
  }

  close(): Promise<void> {
    return this.#thread.close();
  }
}

function failure(answer: BuildAnswer): Error {
  const { refused = false, message = "The builder's thread took one task for another." } =
    "message" in answer ? answer : {};
  return refused ? new GrammarError(message) : new Error(message);
}
