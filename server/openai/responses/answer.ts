/** One response under way: its items, its events, its end. */

import type { StreamResponder } from "../../exchange/exchange.ts";
import type { ChatGeneration } from "../../generation/chat.ts";
import type { ChoiceDelta } from "../../generation/choice.ts";
import type { OutputDelta } from "../../generation/parts.ts";
import type { WholeOutput } from "../../generation/whole.ts";
import type { ApiError } from "../../http/errors.ts";
import { pythonJson } from "../../http/python-json.ts";
import type { SseEvent } from "../../http/sse.ts";
import type { Serving } from "../../serving.ts";
import { TokenNames } from "../logprobs.ts";
import {
  describe,
  outcomeOf,
  type ResponseHead,
  type ResponseObject,
  statusOf,
} from "./describe.ts";
import { type ItemEvent, ItemWriter, newItemId } from "./items.ts";

export interface ResponseAnswer {
  readonly serving: Serving;
  readonly head: ResponseHead;
  readonly chat: ChatGeneration;
  /** Told of the response once it has ended. */
  readonly ended: (response: ResponseObject) => void;
}

/** The whole answer of a response that does not stream. */
export function wholeResponse(
  answer: ResponseAnswer,
  deltas: readonly ChoiceDelta[],
): ResponseObject {
  const { serving, head, chat } = answer;
  const writer = itemWriter(answer);
  const read = chat.read(deltas);
  // Reasoning, then the text as one, then the calls: the order of vLLM where nothing streams.
  for (const delta of read) writer.write({ ...delta, parts: inOrder(chat.whole(delta)) });
  const items = writer.items.map(settled);
  const output = items.length > 0 || parses(serving) ? items : [emptyMessage()];
  const [first] = deltas;
  const outcome = outcomeOf(head, chat, {
    ...{ serving, output, text: first?.text ?? "", ids: first?.ids ?? [] },
  });
  const response = describe(head, statusOf(chat.generation), outcome);
  answer.ended(response);
  return response;
}

/** The events of a response, in vLLM's order. */
export function responseStream(answer: ResponseAnswer): StreamResponder {
  const { serving, head, chat } = answer;
  const writer = itemWriter(answer);
  let next = 0;
  const event = (one: ItemEvent): SseEvent => ({
    event: one.type,
    data: pythonJson({ ...one, sequence_number: next++ }),
  });
  const ofResponse = (type: string, response: ResponseObject): SseEvent =>
    event({ response, sequence_number: 0, type });
  let text = "";
  const ids: number[] = [];
  return {
    begin: () => {
      const response = describe(head, "in_progress", { output: [] });
      return [
        ofResponse("response.created", response),
        ofResponse("response.in_progress", response),
      ];
    },
    deltas: (deltas) => {
      for (const delta of deltas) {
        text += delta.text;
        ids.push(...delta.ids);
      }
      return chat.readStream(deltas).flatMap((delta) => writer.write(delta).map(event));
    },
    end: () => {
      const outcome = outcomeOf(head, chat, { serving, output: writer.items, text, ids });
      const response = describe(head, statusOf(chat.generation), outcome);
      answer.ended(response);
      return [ofResponse("response.completed", response)];
    },
    failed: (error: ApiError) => {
      const response = {
        ...describe(head, "failed", { output: writer.items }),
        error: failure(error),
      };
      answer.ended(response);
      return [ofResponse("response.failed", response)];
    },
  };
}

export function failure(error: ApiError): object {
  return { code: error.status < 500 ? "invalid_prompt" : "server_error", message: error.message };
}

function itemWriter({ serving, head }: ResponseAnswer): ItemWriter {
  const { body, tools, logprobs } = head;
  const hidden = body.include_reasoning === false && parses(serving);
  return new ItemWriter({
    tools,
    names: new TokenNames(serving.tokenizer, serving.settings["return-tokens-as-token-ids"]),
    top: logprobs === null || hidden ? undefined : logprobs,
  });
}

/** Whether vLLM would have a parser at all: without one an empty answer is a message without content. */
function parses({ settings }: Serving): boolean {
  const tools = settings["enable-auto-tool-choice"] && settings["tool-call-parser"];
  return Boolean(tools || settings["reasoning-parser"]);
}

function emptyMessage(): object {
  return {
    ...{ id: newItemId("msg"), content: [], role: "assistant" },
    ...{ status: "completed", type: "message", phase: null },
  };
}

function inOrder({ reasoning, text, calls }: WholeOutput): OutputDelta["parts"] {
  return [
    ...(reasoning === undefined
      ? []
      : [
          { type: "reasoning-start" as const },
          { type: "reasoning-delta" as const, text: reasoning },
          { type: "reasoning-end" as const },
        ]),
    ...(text === undefined
      ? []
      : [
          { type: "text-start" as const },
          { type: "text-delta" as const, text },
          { type: "text-end" as const },
        ]),
    ...calls.flatMap(({ id, name, arguments: args }, call) => [
      { type: "call-start" as const, call, id, name },
      { type: "call-delta" as const, call, text: args },
      { type: "call-end" as const, call },
    ]),
  ];
}

/** A thought has no status where nothing streams, as in vLLM. */
function settled(item: object): object {
  return "summary" in item ? { ...item, status: null } : item;
}
