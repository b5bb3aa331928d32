/** All fixed answers of a server, and whose turn it is. */
import type { TokenId } from "../../device/device.ts";
import type { Tokenizer } from "../../models/model.ts";
import type { FixedReply, PreparedChat } from "../generation/chat.ts";
import type { FaultSpec } from "../settings/fault-spec.ts";
import type { AnswerError, CheckedLine, Match } from "../settings/match-lines.ts";
import { FixedAnswer } from "./answer.ts";
import { type Asked, holds } from "./asked.ts";

/** What was chosen for a request. */
export interface Chosen {
  /** Of the file, from 1. */
  readonly line: number;
  readonly faults: readonly FaultSpec[];
  readonly reply: FixedReply | AnswerError;
}

/** Lines with the same match, in their order. */
interface Group {
  readonly match: Match;
  readonly answers: Chosen[];
  taken: number;
}

export class FixedAnswers {
  readonly #tokenizer: Tokenizer;
  /** Ends an output; undefined: the model has no such id, and answers end by their length. */
  readonly #end: TokenId | undefined;
  #groups: Group[] = [];
  #lines = 0;
  /** Told of each request that looks for its answer. */
  onAsked: (asked: Asked) => void = () => {};

  constructor(tokenizer: Tokenizer, end: TokenId | undefined) {
    this.#tokenizer = tokenizer;
    this.#end = end;
  }

  /** Behind those that are there, or in front of them. Rejects with an Error that names the line. */
  async add(lines: readonly CheckedLine[], where: "front" | "back" = "back"): Promise<void> {
    const added = new Map<string, Group>();
    const there = where === "back" ? this.#groups : [];
    for (const { match, answer, faults } of lines) {
      const line = ++this.#lines;
      const key = JSON.stringify(match);
      const known = there.find((group) => JSON.stringify(group.match) === key) ?? added.get(key);
      const group: Group = known ?? { match, answers: [], taken: 0 };
      if (known === undefined) added.set(key, group);
      const { error } = answer;
      try {
        const reply = error ?? this.#reply(await FixedAnswer.of(answer, this.#tokenizer));
        group.answers.push({ line, faults, reply });
      } catch (thrown) {
        throw new Error(`line ${line}: ${(thrown as Error).message}`); // tokenizers throw Errors
      }
    }
    const fresh = [...added.values()];
    this.#groups = where === "front" ? [...fresh, ...this.#groups] : [...this.#groups, ...fresh];
  }

  clear(): void {
    this.#groups = [];
    this.#lines = 0;
  }

  /** The first that holds takes its turn; undefined: none does. */
  choose(asked: Asked): Chosen | undefined {
    this.onAsked(asked);
    for (const group of this.#groups) {
      if (!holds(group.match, asked)) continue;
      const last = group.answers.length - 1;
      return group.answers[Math.min(group.taken++, last)];
    }
    return undefined;
  }

  #reply(answer: FixedAnswer): FixedReply {
    return {
      chat: (prepared: PreparedChat) => answer.chat(prepared, this.#end),
      force: (task) => answer.force(task, this.#end),
    };
  }
}
