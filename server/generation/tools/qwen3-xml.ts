/**
 * Qwen3-Coder's calls:
 *
 *     <tool_call>
 *     <function=name>
 *     <parameter=key>
 *     value
 *     </parameter>
 *     </function>
 *     </tool_call>
 *
 * Values are plain text; the tool's schema says which are JSON. A value goes out
 * when it is complete, since its type decides how it is written.
 */
import { jsonArgument, type ParameterTypes } from "./arguments.ts";
import { isBlank, MarkerScan, type ToolOutput, type ToolParser } from "./output.ts";

const OPEN = "<tool_call>";
const FUNCTION = "<function=";
const PARAMETER = "<parameter=";
const PARAMETER_END = "</parameter>";
const FUNCTION_END = "</function>";
const CLOSE = "</tool_call>";
const MAX_NAME = 256;

export class Qwen3XmlParser implements ToolParser {
  readonly #output: ToolOutput;
  readonly #types: ParameterTypes;
  /** `tag`: between tags, one of `#expected` comes next. */
  #state: "text" | "tag" | "function" | "key" | "value" = "text";
  #expected: readonly string[] = [];
  readonly #open = new MarkerScan(OPEN, FUNCTION);
  #valueEnd = new MarkerScan(PARAMETER_END);
  #held = "";
  #since = "";
  #name = "";
  #key = "";
  #parameters = 0;

  constructor(output: ToolOutput, types: ParameterTypes) {
    this.#output = output;
    this.#types = types;
  }

  char(char: string): void {
    switch (this.#state) {
      case "text": {
        const { text, found } = this.#open.push(char);
        this.#output.text(text);
        if (found === undefined) return;
        this.#since = found;
        // The outer tag is sometimes left out.
        if (found === OPEN) this.#expect(FUNCTION);
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
        else if (char !== ">" || this.#held.trim() === "") this.#giveUp();
        else this.#named(this.#held.trim());
        return;
      case "value": {
        const { text, found } = this.#valueEnd.push(char);
        this.#held += text;
        if (found !== undefined) this.#parameter();
      }
    }
  }

  end(): void {
    if (this.#state === "text") this.#output.text(this.#open.rest());
    else if (this.#state !== "value") {
      if (this.#begun) this.#finish();
      else this.#output.text(this.#since);
    } else {
      // Cut off inside a value: what came of it counts.
      this.#held += this.#valueEnd.rest();
      this.#parameter();
      this.#finish();
    }
  }

  get #begun(): boolean {
    return this.#name !== "";
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
    if (tag === FUNCTION) this.#state = "function";
    else if (tag === PARAMETER) this.#state = "key";
    else if (tag === FUNCTION_END) {
      this.#finish();
      this.#expect(CLOSE, FUNCTION);
    } else this.#state = "text";
  }

  #named(name: string): void {
    this.#held = "";
    if (this.#state === "key") {
      this.#key = name;
      this.#state = "value";
      this.#valueEnd = new MarkerScan(PARAMETER_END);
      return;
    }
    this.#name = name;
    this.#parameters = 0;
    this.#output.call(name);
    this.#expect(PARAMETER, FUNCTION_END, CLOSE);
  }

  #parameter(): void {
    // One line break after the opening tag and one before the closing one are layout.
    const value = this.#held.replace(/^\r?\n/, "").replace(/\r?\n$/, "");
    const types = this.#types.get(this.#name)?.get(this.#key);
    const json = jsonArgument(value, types);
    this.#output.arguments(
      `${this.#parameters++ === 0 ? "{" : ", "}${JSON.stringify(this.#key)}: ${json}`,
    );
    this.#expect(PARAMETER, FUNCTION_END, CLOSE);
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
