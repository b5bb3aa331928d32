/** What a client got, whatever its library and wire format: whole or as a stream, with the times of its pieces. */

export interface OutputCall {
  readonly name: string;
  /** JSON text. */
  readonly arguments: string;
}

export interface Output {
  readonly text: string;
  readonly reasoning: string;
  readonly calls: readonly OutputCall[];
  /** As the format names it: stop, length, tool_calls, end_turn, completed, … */
  readonly finish: string | undefined;
  /** Milliseconds from the begin to each piece of text, thought or call; of a whole answer its end alone. */
  readonly times: readonly number[];
  /** Milliseconds from the begin to the end. */
  readonly ms: number;
  /** What it broke off with. */
  readonly error?: unknown;
}

type Fields = Readonly<Record<string, unknown>>;

/** A stream or an answer, the promise of one, or what asks for one: then time counts from the request. */
export type Received = unknown;

const read = new WeakMap<object, Promise<Output>>();

/** A stream is read to its end once, whoever asks how often. Never rejects for what the server did. */
export function readOutput(received: Received): Promise<Output> {
  if (typeof received !== "object" && typeof received !== "function") {
    throw new TypeError(`Neither an answer nor a stream: ${String(received)}`);
  }
  if (received === null) throw new TypeError("Neither an answer nor a stream: null");
  const known = read.get(received);
  if (known !== undefined) return known;
  const made = gather(received);
  read.set(received, made);
  return made;
}

async function gather(received: object): Promise<Output> {
  const began = performance.now();
  const since = (): number => performance.now() - began;
  const gathered = new Gathered();
  const times: number[] = [];
  let error: unknown;
  try {
    const answer: unknown = await (typeof received === "function" ? received() : received);
    if (isStream(answer)) {
      for await (const event of answer) if (gathered.add(event)) times.push(since());
    } else {
      gathered.add(answer);
      times.push(since());
    }
  } catch (thrown) {
    error = thrown ?? new Error("It broke off.");
  }
  const { text, reasoning, finish } = gathered;
  const calls = gathered.calls.filter(({ name }) => name !== "");
  return {
    ...{ text, reasoning, calls, finish, times, ms: since() },
    ...(error !== undefined && { error }),
  };
}

function isStream(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value;
}

/** Events of /v1/chat/completions, /v1/completions, /v1/responses and /v1/messages, and their whole answers. */
class Gathered {
  text = "";
  reasoning = "";
  finish: string | undefined;
  readonly calls: { name: string; arguments: string }[] = [];

  /** True: it brought something. */
  add(event: unknown): boolean {
    if (typeof event === "string") return this.#grow({ text: event });
    const fields = fieldsOf(event);
    const type = String(fields["type"] ?? "");
    if (Array.isArray(fields["choices"])) return this.#choice(fieldsOf(fields["choices"][0]));
    if (type.startsWith("response.")) return this.#responseEvent(type, fields);
    if (fields["object"] === "response") return this.#response(fields);
    if (type === "message" || type.startsWith("content_block_") || type.startsWith("message_")) {
      return this.#message(type, fields);
    }
    return false;
  }

  #choice(choice: Fields): boolean {
    const message = fieldsOf(choice["delta"] ?? choice["message"]);
    this.#end(choice["finish_reason"]);
    let grew = this.#grow({
      text: choice["text"] ?? message["content"],
      reasoning: message["reasoning"] ?? message["reasoning_content"],
    });
    for (const [at, call] of listOf(message["tool_calls"]).entries()) {
      const { name, arguments: given } = fieldsOf(call["function"]);
      grew = this.#call(Number(call["index"] ?? at), name, given) || grew;
    }
    return grew;
  }

  #responseEvent(type: string, event: Fields): boolean {
    const { delta, item, output_index: index } = event;
    if (type === "response.output_text.delta") return this.#grow({ text: delta });
    if (/^response\.reasoning(?:_summary)?_text\.delta$/.test(type)) {
      return this.#grow({ reasoning: delta });
    }
    if (type === "response.output_item.added" && fieldsOf(item)["type"] === "function_call") {
      return this.#call(Number(index), fieldsOf(item)["name"], "");
    }
    if (type === "response.function_call_arguments.delta") {
      return this.#call(Number(index), "", delta);
    }
    if (/^response\.(?:completed|incomplete|failed)$/.test(type)) {
      this.#end(fieldsOf(event["response"])["status"]);
    }
    return false;
  }

  #response(response: Fields): boolean {
    this.#end(response["status"]);
    for (const [at, item] of listOf(response["output"]).entries()) {
      const text = listOf(item["content"]).map((part) => part["text"] ?? "");
      if (item["type"] === "function_call") this.#call(at, item["name"], item["arguments"]);
      else this.#grow({ [item["type"] === "reasoning" ? "reasoning" : "text"]: text.join("") });
    }
    return true;
  }

  #message(type: string, event: Fields): boolean {
    const delta = fieldsOf(event["delta"]);
    const at = Number(event["index"] ?? 0);
    if (type === "message_delta") this.#end(delta["stop_reason"]);
    if (type === "content_block_start") {
      const block = fieldsOf(event["content_block"]);
      return block["type"] === "tool_use" && this.#call(at, block["name"], "");
    }
    if (type === "content_block_delta") {
      if (delta["type"] === "input_json_delta") return this.#call(at, "", delta["partial_json"]);
      return this.#grow({ text: delta["text"], reasoning: delta["thinking"] });
    }
    if (type !== "message") return false;
    this.#end(event["stop_reason"]);
    for (const [place, block] of listOf(event["content"]).entries()) {
      if (block["type"] === "tool_use") {
        this.#call(place, block["name"], JSON.stringify(block["input"]));
      } else this.#grow({ text: block["text"], reasoning: block["thinking"] });
    }
    return true;
  }

  #grow({ text, reasoning }: { readonly text?: unknown; readonly reasoning?: unknown }): boolean {
    if (typeof text === "string") this.text += text;
    if (typeof reasoning === "string") this.reasoning += reasoning;
    return Boolean(text) || Boolean(reasoning);
  }

  #call(at: number, name: unknown, given: unknown): boolean {
    const call = this.calls[at] ?? { name: "", arguments: "" };
    for (let place = this.calls.length; place < at; place++) {
      this.calls[place] = { name: "", arguments: "" }; // items that are no calls
    }
    this.calls[at] = call;
    call.name += typeof name === "string" ? name : "";
    call.arguments += typeof given === "string" ? given : "";
    return true;
  }

  #end(reason: unknown): void {
    if (typeof reason === "string") this.finish = reason;
  }
}

function fieldsOf(value: unknown): Fields {
  return typeof value === "object" && value !== null ? (value as Fields) : {}; // an object by the line
}

function listOf(value: unknown): readonly Fields[] {
  return Array.isArray(value) ? value.map(fieldsOf) : [];
}
