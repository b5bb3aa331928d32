/**
 * gpt-oss writes in channels (openai_gptoss):
 *
 *     <|channel|>analysis<|message|>…<|end|><|start|>assistant<|channel|>final<|message|>…
 *     <|channel|>commentary to=functions.name <|constrain|>json<|message|>{…}<|call|>
 *
 * analysis is reasoning, final and commentary are content, a recipient
 * `functions.…` makes a call.
 */
import { MarkerScan, type ToolOutput } from "../tool-output.ts";

const CHANNEL = "<|channel|>";
const MESSAGE = "<|message|>";
const ENDS: readonly string[] = ["<|end|>", "<|return|>", "<|call|>"];
const START = "<|start|>";
const CONSTRAIN = "<|constrain|>";

export class HarmonyParser {
  /** The answer or a call has begun. */
  over = false;
  reasoning = "";
  readonly #output: ToolOutput;
  readonly #scan = new MarkerScan(CHANNEL, MESSAGE, START, CONSTRAIN, ...ENDS);
  #state: "header" | "body" | "between" = "header";
  #header = "";
  #kind: "reasoning" | "content" | "call" = "content";

  constructor(output: ToolOutput) {
    this.#output = output;
  }

  char(char: string): void {
    const { text, found } = this.#scan.push(char);
    this.#text(text);
    if (found === CHANNEL || found === START) {
      this.#state = "header";
      this.#header = found;
    } else if (found === CONSTRAIN) this.#header += " ";
    else if (found === MESSAGE) this.#message();
    else if (found !== undefined) this.#state = "between";
  }

  end(): void {
    this.#text(this.#scan.rest());
    // Not harmony at all: the text stands as it is.
    if (this.#state === "header" && !this.#header.startsWith("<|")) this.#output.text(this.#header);
  }

  /** Reasoning since the last time. */
  takeReasoning(): string {
    const reasoning = this.reasoning;
    this.reasoning = "";
    return reasoning;
  }

  #text(text: string): void {
    if (text === "" || this.#state === "between") return;
    if (this.#state === "header") this.#header += text;
    else if (this.#kind === "reasoning") this.reasoning += text;
    else if (this.#kind === "content") this.#output.text(text);
    else this.#output.arguments(text);
  }

  #message(): void {
    this.#state = "body";
    const tool = /to=functions\.([A-Za-z0-9_.-]+)/.exec(this.#header)?.[1];
    if (tool !== undefined) {
      this.#kind = "call";
      this.#output.call(tool);
    } else this.#kind = this.#header.includes("analysis") ? "reasoning" : "content";
    if (this.#kind !== "reasoning") this.over = true;
  }
}
