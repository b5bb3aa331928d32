/**
 * Output parts to output items and the events that tell of them, in vLLM's order and
 * bytes. An answer that does not stream keeps the items alone.
 */

import { entryAt } from "../../entry-at.ts";
import type { OutputDelta, OutputPart } from "../../generation/parts.ts";
import { hexId } from "../../hex-id.ts";
import type { TokenNames } from "../logprobs.ts";
import { customInput } from "./custom-input.ts";
import type { ResponseTools } from "./tools.ts";

/** Without its sequence number, which the stream gives. */
export type ItemEvent = Readonly<Record<string, unknown>> & { readonly type: string };

export interface ItemOptions {
  readonly tools: ResponseTools;
  readonly names: TokenNames;
  /** Alternatives told of each token; absent: no log-probabilities. */
  readonly top?: number | undefined;
}

interface Open {
  readonly kind: "message" | "reasoning" | "call";
  readonly id: string;
  readonly callId: string;
  readonly name: string;
  readonly namespace: string | null;
  readonly custom: boolean;
  text: string;
  /** Of a custom tool's text: what was told. */
  told: string;
  logprobs: object[];
}

export const newItemId = (kind: string): string => `${kind}_${hexId()}`;

export class ItemWriter {
  readonly items: object[] = [];
  readonly #options: ItemOptions;
  #open: Open | undefined;

  constructor(options: ItemOptions) {
    this.#options = options;
  }

  write(delta: OutputDelta): readonly ItemEvent[] {
    // Log-probabilities of a step go with its first text.
    let logprobs = this.#logprobs(delta);
    return delta.parts.flatMap((part) => {
      const events = this.#part(part, logprobs);
      if (part.type === "text-delta") logprobs = [];
      return events;
    });
  }

  #part(part: OutputPart, logprobs: readonly object[]): readonly ItemEvent[] {
    switch (part.type) {
      case "text-start":
        return this.#beginContent("message", { ...TEXT, logprobs: [] });
      case "reasoning-start":
        return this.#beginContent("reasoning", { text: "", type: "reasoning_text" });
      case "call-start":
        return this.#beginCall(part.id, part.name);
      case "text-delta":
        this.#grow(part.text, logprobs);
        return [
          this.#event("response.output_text.delta", {
            content_index: 0,
            delta: part.text,
            logprobs: logprobs.map(withoutBytes),
          }),
        ];
      case "reasoning-delta":
        this.#grow(part.text, []);
        return [
          this.#event("response.reasoning_text.delta", { content_index: 0, delta: part.text }),
        ];
      case "call-delta":
        this.#grow(part.text, []);
        return this.#open?.custom === true
          ? this.#customDelta(false)
          : [this.#event("response.function_call_arguments.delta", { delta: part.text })];
      case "text-end":
      case "reasoning-end":
        return this.#endContent();
      case "call-end":
        return this.#endCall();
      case "finish":
        return [];
    }
  }

  #grow(text: string, logprobs: readonly object[]): void {
    if (this.#open === undefined) return;
    this.#open.text += text;
    this.#open.logprobs.push(...logprobs);
  }

  #begin(open: Omit<Open, "text" | "told" | "logprobs">): ItemEvent {
    this.#open = { ...open, text: "", told: "", logprobs: [] };
    return this.#event("response.output_item.added", { item: this.#item("in_progress") }, false);
  }

  #beginContent(kind: "message" | "reasoning", part: object): readonly ItemEvent[] {
    const id = newItemId(kind === "message" ? "msg" : "rs");
    const added = this.#begin({
      ...{ kind, id, callId: "", name: "", namespace: null, custom: false },
    });
    return [added, this.#event("response.content_part.added", { content_index: 0, part })];
  }

  #beginCall(callId: string, called: string): readonly ItemEvent[] {
    const known = this.#options.tools.names.get(called);
    const { name, namespace, custom } = known ?? { name: called, namespace: null, custom: false };
    const id = newItemId(custom ? "ctc" : "fc");
    return [this.#begin({ kind: "call", id, callId, name, namespace, custom })];
  }

  #endContent(): readonly ItemEvent[] {
    const open = this.#open;
    if (open === undefined) return [];
    const part = this.#contentPart(open);
    const message = open.kind === "message";
    return [
      this.#event(message ? "response.output_text.done" : "response.reasoning_text.done", {
        content_index: 0,
        ...(message && { logprobs: [] }),
        text: open.text,
      }),
      this.#event("response.content_part.done", { content_index: 0, part }),
      ...this.#done("completed"),
    ];
  }

  #endCall(): readonly ItemEvent[] {
    const open = this.#open;
    if (open === undefined) return [];
    const said = open.custom
      ? [
          ...this.#customDelta(true),
          this.#event("response.custom_tool_call_input.done", { input: open.told }),
        ]
      : [
          this.#event("response.function_call_arguments.done", {
            arguments: open.text,
            name: open.name,
          }),
        ];
    return [...said, ...this.#done("completed")];
  }

  /** What of a custom tool's text can be read by now and was not told. */
  #customDelta(whole: boolean): readonly ItemEvent[] {
    const open = this.#open;
    if (open === undefined) return [];
    const input = customInput(open.text, whole);
    if (input === open.told) return [];
    const delta = input.startsWith(open.told) ? input.slice(open.told.length) : input;
    open.told = input;
    return [this.#event("response.custom_tool_call_input.delta", { delta })];
  }

  #done(status: string): readonly ItemEvent[] {
    const item = this.#item(status);
    const event = this.#event("response.output_item.done", { item }, false);
    this.items.push(item);
    this.#open = undefined;
    return [event];
  }

  #contentPart({ kind, text, logprobs }: Open): object {
    if (kind === "reasoning") return { text, type: "reasoning_text" };
    return { ...TEXT, text, logprobs: logprobs.length > 0 ? [...logprobs] : null };
  }

  #item(status: string): object {
    const open = this.#open;
    if (open === undefined) throw new Error("No item is open.");
    const { kind, id, text } = open;
    if (kind === "message") {
      const content = text === "" ? [] : [this.#contentPart(open)];
      return { id, content, role: "assistant", status, type: "message", phase: null };
    }
    if (kind === "reasoning") {
      const content = status === "in_progress" ? null : [this.#contentPart(open)];
      return { id, summary: [], type: "reasoning", content, encrypted_content: null, status };
    }
    const { callId, name, namespace, custom, told } = open;
    if (custom) return customCall({ id, call_id: callId, name, input: told });
    return functionCall({ id, call_id: callId, name, namespace, arguments: text, status });
  }

  /** Fields stand in the order of the alphabet, as OpenAI's types are printed; `type` is last. */
  #event(type: string, more: Readonly<Record<string, unknown>>, ofItem = true): ItemEvent {
    const fields: Record<string, unknown> = {
      ...more,
      ...(ofItem && { item_id: this.#open?.id ?? "" }),
      output_index: this.items.length,
      sequence_number: 0,
    };
    const { name, ...rest } = fields;
    const ordered = Object.fromEntries(
      Object.keys(rest)
        .sort()
        .map((key) => [key, rest[key]]),
    );
    return { ...ordered, type, ...(name !== undefined && { name }) };
  }

  /** As `include` asks for; of the drawn token first, then of the likeliest. */
  #logprobs({ ids, logprobs }: OutputDelta): readonly object[] {
    const { names, top } = this.#options;
    if (top === undefined) return [];
    const entry = (id: number, logprob: number) => {
      const token = names.name(id);
      return {
        token,
        bytes: [...Buffer.from(token)],
        logprob: Math.max(logprob, FLOOR),
      };
    };
    return logprobs.map((position, index) => {
      const chosen = entryAt(ids, index);
      const others = position.topIds
        .map((id, rank) => ({ id, logprob: entryAt(position.topLogprobs, rank) }))
        .filter(({ id }) => id !== chosen);
      const all = [{ id: chosen, logprob: position.chosen }, ...others].slice(0, top);
      return {
        ...entry(chosen, position.chosen),
        top_logprobs: all.map(({ id, logprob }) => entry(id, logprob)),
      };
    });
  }
}

/** vLLM's floor: JSON has no −∞. */
const FLOOR = -9999;

const TEXT = { annotations: [], text: "", type: "output_text" };

function withoutBytes(entry: object): object {
  const {
    token,
    logprob,
    top_logprobs: top,
  } = entry as {
    readonly token: string;
    readonly logprob: number;
    readonly top_logprobs: readonly { readonly token: string; readonly logprob: number }[];
  }; // made above
  const bare = top.map((one) => ({ token: one.token, logprob: one.logprob }));
  return { token, logprob, top_logprobs: bare };
}

function functionCall(call: Readonly<Record<string, unknown>>): object {
  const { arguments: text, call_id, name, id, namespace, status } = call;
  return {
    ...{ arguments: text, call_id, name, type: "function_call", id },
    ...{ async: null, caller: null, namespace, status },
  };
}

function customCall(call: Readonly<Record<string, unknown>>): object {
  const { call_id, input, name, id } = call;
  return {
    ...{ call_id, input, name, type: "custom_tool_call", id },
    ...{ async: null, caller: null, namespace: null },
  };
}
