/**
 * Arguments of calls in a conversation: JSON inside texts, of which the count of what a body is
 * made of sees nothing. It is bounded likewise, over all of a request.
 */
import { badRequest } from "../http/errors.ts";
import { type JsonLimits, JsonMeter } from "../http/json-meter.ts";

const MOST: JsonLimits = { depth: 1_000, values: 1_000_000, keys: 50_000 };
/** Characters of all of them that are parsed uncounted: in so few nothing nests too deeply. */
const SMALL = 2 * MOST.depth;

export class CallArguments {
  #left = MOST;
  #characters = 0;

  /** As vLLM: what is no object is an empty one, so that a conversation with a bad call can go on. */
  read(given: unknown): object {
    const value = typeof given === "string" ? this.#parsed(given) : given;
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value : {};
  }

  #parsed(text: string): unknown {
    this.#characters += text.length;
    if (this.#characters > SMALL) this.#count(text);
    try {
      return JSON.parse(text);
    } catch {
      return undefined;
    }
  }

  /** Throws ApiError. */
  #count(text: string): void {
    const meter = new JsonMeter(this.#left);
    if (meter.read(Buffer.from(text)) !== undefined) {
      const { depth, values, keys } = MOST;
      throw badRequest(
        `The arguments of \`tool_calls\` nest deeper than ${depth} levels, or have more than ${values} values or ${keys} keys together.`,
        "tool_calls",
      );
    }
    const { depth, values, keys } = this.#left;
    this.#left = { depth, values: values - meter.values, keys: keys - meter.keys };
  }
}
