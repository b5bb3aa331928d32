/**
 * `<think>…</think>` before the answer: qwen3 and deepseek_r1. The opening tag may
 * be in the prompt, so text counts as reasoning until the closing tag, even if that
 * never comes (as in vLLM).
 */
import { MarkerScan } from "../tools/output.ts";

export interface Split {
  readonly reasoning: string;
  readonly content: string;
}

/** Splits an output's text in two; where pieces are cut does not matter. */
export interface ReasoningSplitter {
  push(text: string): Split;
  end(): Split;
  /** The answer has begun. */
  readonly over: boolean;
}

const OPEN = "<think>";
const CLOSE = "</think>";

export class ThinkSplitter implements ReasoningSplitter {
  over = false;
  /** The opening tag counts only where nothing came before it. */
  #head: string | undefined = "";
  readonly #close = new MarkerScan(CLOSE);

  push(text: string): Split {
    let reasoning = "";
    let content = "";
    for (const char of text) {
      if (this.over) content += char;
      else reasoning += this.#thought(char);
    }
    return { reasoning, content };
  }

  end(): Split {
    const held = this.over ? "" : this.#headless() + this.#close.rest();
    return { reasoning: held, content: "" };
  }

  #thought(char: string): string {
    if (this.#head === undefined) return this.#scan(char);
    this.#head += char;
    const begun = this.#head.trimStart();
    if (begun === OPEN) {
      this.#head = undefined;
      return "";
    }
    return OPEN.startsWith(begun) ? "" : this.#headless();
  }

  /** What looked like the opening tag and is not. */
  #headless(): string {
    const head = this.#head ?? "";
    this.#head = undefined;
    return Array.from(head, (char) => this.#scan(char)).join("");
  }

  #scan(char: string): string {
    const { text, found } = this.#close.push(char);
    if (found !== undefined) this.over = true;
    return text;
  }
}
