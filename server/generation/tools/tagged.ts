/**
 * Calls as nested tags with plain values: Qwen3-Coder's, and MiniMax's with quoted
 * names in attributes.
 *
 *     <tool_call>                      <minimax:tool_call>
 *     <function=name>                  <invoke name="name">
 *     <parameter=key>                  <parameter name="key">value</parameter>
 *     value                            </invoke>
 *     </parameter>                     </minimax:tool_call>
 *     </function>
 *     </tool_call>
 *
 * The tool's schema says which values are JSON. A value goes out when it is
 * complete, since its type decides how it is written; it is complete, too, where
 * the model forgot its closing tag and the next parameter or the end of the call begins.
 */

import { isBlank, MarkerScan, type ToolOutput, type ToolParser } from "../tool-output.ts";
import { jsonArgument, type ParameterTypes } from "./arguments.ts";

export interface Tags {
  readonly open: string;
  readonly close: string;
  /** Up to the name, which ends at `>`. */
  readonly function: string;
  readonly functionEnd: string;
  /** Up to the key, which ends at `>`. */
  readonly parameter: string;
  readonly parameterEnd: string;
  /** Line breaks next to the tags of a value are layout. */
  readonly lines: boolean;
}

export const QWEN: Tags = {
  open: "<tool_call>",
  close: "</tool_call>",
  function: "<function=",
  functionEnd: "</function>",
  parameter: "<parameter=",
  parameterEnd: "</parameter>",
  lines: true,
};

/** Line breaks are the values' own. */
export const MIMO: Tags = { ...QWEN, lines: false };

export const SEED: Tags = { ...QWEN, open: "<seed:tool_call>", close: "</seed:tool_call>" };

export const MINIMAX: Tags = {
  open: "<minimax:tool_call>",
  close: "</minimax:tool_call>",
  function: "<invoke name=",
  functionEnd: "</invoke>",
  parameter: "<parameter name=",
  parameterEnd: "</parameter>",
  lines: false,
};

const MAX_NAME = 256;

export class TaggedParser implements ToolParser {
  readonly #output: ToolOutput;
  readonly #types: ParameterTypes;
  readonly #tags: Tags;
  /** `tag`: between tags, one of `#expected` comes next. */
  #state: "text" | "tag" | "function" | "key" | "value" = "text";
  #expected: readonly string[] = [];
  readonly #open: MarkerScan;
  #valueEnd: MarkerScan;
  #held = "";
  #since = "";
  #name = "";
  #key = "";
  #parameters = 0;

  constructor(output: ToolOutput, types: ParameterTypes, tags: Tags) {
    this.#output = output;
    this.#types = types;
    this.#tags = tags;
    this.#open = new MarkerScan(tags.open, tags.function);
    this.#valueEnd = this.#scanValue();
  }

  char(char: string): void {
    switch (this.#state) {
      case "text": {
        const { text, found } = this.#open.push(char);
        this.#output.text(text);
        if (found === undefined) return;
        this.#since = found;
        // The outer tag is sometimes left out.
        if (found === this.#tags.open) this.#expect(this.#tags.function);
        else this.#found(found);
        return;
      }
      case "tag":
        this.#tag(char);
        return;
      case "function":
      case "key":
        this.#since += char;
        if (char !== ">" && char !== "\n" && this.#held.length < MAX_NAME) this.#held += char;
        else if (char !== ">" || bare(this.#held) === "") this.#giveUp();
        else this.#named(bare(this.#held));
        return;
      case "value": {
        const { text, found } = this.#valueEnd.push(char);
        this.#held += text;
        if (found === undefined) return;
        this.#parameter();
        if (found !== this.#tags.parameterEnd) this.#found(found);
      }
    }
  }

  end(): void {
    if (this.#state === "text") this.#output.text(this.#open.rest());
    else if (this.#state !== "value") {
      if (this.#begun) this.#finish();
      else this.#output.text(this.#since);
    } else {
      // Cut off inside a value: what came of it counts, half a closing tag does not.
      this.#parameter();
      this.#finish();
    }
  }

  get #begun(): boolean {
    return this.#name !== "";
  }

  #scanValue(): MarkerScan {
    const { parameterEnd, parameter, functionEnd } = this.#tags;
    return new MarkerScan(parameterEnd, parameter, functionEnd);
  }

  #tag(char: string): void {
    if (this.#held === "" && isBlank(char)) return;
    if (this.#since !== "") this.#since += char;
    this.#held += char;
    if (this.#expected.includes(this.#held)) this.#found(this.#held);
    else if (!this.#expected.some((tag) => tag.startsWith(this.#held))) this.#giveUp();
  }

  #found(tag: string): void {
    this.#held = "";
    if (tag === this.#tags.function) this.#state = "function";
    else if (tag === this.#tags.parameter) this.#state = "key";
    else if (tag === this.#tags.functionEnd) {
      this.#finish();
      this.#expect(this.#tags.close, this.#tags.function);
    } else this.#state = "text";
  }

  #named(name: string): void {
    this.#held = "";
    if (this.#state === "key") {
      this.#key = name;
      this.#state = "value";
      this.#valueEnd = this.#scanValue();
      return;
    }
    this.#name = name;
    this.#parameters = 0;
    this.#output.call(name);
    this.#inCall();
  }

  #inCall(): void {
    const { parameter, functionEnd, close } = this.#tags;
    this.#expect(parameter, functionEnd, close);
  }

  #parameter(): void {
    // One line break after the opening tag and one before the closing one are layout.
    const value = this.#tags.lines
      ? this.#held.replace(/^\r?\n/, "").replace(/\r?\n$/, "")
      : this.#held;
    const types = this.#types.get(this.#name)?.get(this.#key);
    const json = jsonArgument(value, types);
    this.#output.arguments(
      `${this.#parameters++ === 0 ? "{" : ", "}${JSON.stringify(this.#key)}: ${json}`,
    );
    this.#inCall();
  }

  #finish(): void {
    if (this.#begun) this.#output.arguments(this.#parameters === 0 ? "{}" : "}");
    this.#name = "";
    this.#since = "";
  }

  #expect(...tags: readonly string[]): void {
    this.#state = "tag";
    this.#held = "";
    this.#expected = tags;
  }

  /** Not what the format says: a call begun is closed, other text is given back. */
  #giveUp(): void {
    const text = this.#begun || this.#since === "" ? this.#held : this.#since;
    if (this.#begun) this.#finish();
    this.#state = "text";
    this.#output.text(text);
  }
}

/** A name without blanks and quotes around it. */
function bare(name: string): string {
  return name
    .trim()
    .replace(/^(["'])(.*)\1$/, "$2")
    .trim();
}
