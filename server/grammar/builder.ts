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

export class GrammarBuilder {
  readonly #thread: GuardedThread<BuildTask, BuildAnswer>;
  readonly #words: () => TokenTexts;
  readonly #budget: ThreadBudget | undefined;
  #texts: TokenTexts | undefined;
  #vocabulary: Vocabulary | undefined;

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
    this.#texts ??= this.#words();
    const vocabulary =
      this.#vocabulary === undefined ? { words: this.#texts } : { data: this.#vocabulary.data };
    let answer: BuildAnswer;
    try {
      answer = await this.#thread.run({ text, vocabulary }, text);
    } catch (error) {
      throw error instanceof ThreadTaskError
        ? new GrammarError(`${error.message} to compile`)
        : error;
    }
    if (!answer.ok) {
      throw answer.refused ? new GrammarError(answer.message) : new Error(answer.message);
    }
    this.#vocabulary ??= new Vocabulary(answer.vocabulary);
    const grammar = new CompiledGrammar(answer.grammar, this.#vocabulary, this.#budget);
    grammar.seed(answer.mask);
    return grammar;
  }

  close(): Promise<void> {
    return this.#thread.close();
  }
}
