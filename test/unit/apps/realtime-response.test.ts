import { expect, it } from "vitest";
import type { ChoiceDelta, ChoiceFinish } from "../../../server/generation/choice.ts";
import { ChoiceReader, type OutputParser, PLAIN } from "../../../server/generation/parser.ts";
import { Conversation } from "../../../server/openai/realtime/conversation.ts";
import { RealtimeResponse } from "../../../server/openai/realtime/response.ts";

interface Sent {
  readonly type: string;
  readonly delta?: string;
  readonly response?: { readonly status: string; readonly status_details: unknown };
}

/** A generation by hand: texts wait, joined, until they are taken. */
function scripted() {
  let text = "";
  let finish: ChoiceFinish | undefined;
  const generation = {
    onChange: () => {},
    onFail: (_error: Error) => {},
    outputTokens: 3,
    cachedTokens: 0,
    choices: [],
    aborted: false,
    abort: () => {
      generation.aborted = true;
      end("abort");
    },
    take: (): readonly ChoiceDelta[] => {
      if (text === "" && finish === undefined) return [];
      const delta = {
        index: 0,
        text,
        ids: [],
        logprobs: [],
        ...(finish !== undefined && { finish }),
      };
      text = "";
      return [delta];
    },
  };
  const say = (piece: string) => {
    text += piece;
    generation.onChange();
  };
  const end = (reason: ChoiceFinish["reason"]) => {
    finish = { reason, stopReason: null };
    generation.onChange();
  };
  return { generation, say, end };
}

function start(conversation?: Conversation, parser: OutputParser = PLAIN) {
  const script = scripted();
  const reader = new ChoiceReader(parser);
  const sent: Sent[] = [];
  const reports: string[] = [];
  const socket = { blocked: false, ended: 0 };
  const response = new RealtimeResponse({
    chat: {
      generation: script.generation,
      read: (deltas) => deltas.map((delta) => reader.read(delta)),
    },
    ...(conversation !== undefined && { conversation }),
    promptTokens: 5,
    maxOutputTokens: "inf",
    metadata: null,
    send: (event) => sent.push(event as Sent), // our own events
    blocked: () => socket.blocked,
    ended: () => {
      socket.ended++;
    },
    report: (error) => reports.push(error.message),
  });
  const texts = () =>
    sent.flatMap((event) => (event.type === "response.output_text.delta" ? [event.delta] : []));
  return { ...script, response, sent, socket, texts, reports };
}

it("takes nothing while the socket is behind, and then all at once", () => {
  const { say, end, response, socket, sent, texts } = start();
  say("one ");
  socket.blocked = true;
  for (const piece of ["two ", "three ", "four"]) say(piece);
  end("stop");
  expect(texts()).toEqual(["one "]);
  expect(socket.ended).toBe(0);
  socket.blocked = false;
  response.pump();
  expect(texts()).toEqual(["one ", "two three four"]);
  expect(sent.at(-1)).toMatchObject({ type: "response.done", response: { status: "completed" } });
  expect(socket.ended).toBe(1);
});

it("says nothing more once it is cancelled, and keeps what was said", () => {
  const conversation = new Conversation();
  const { say, generation, response, sent, texts } = start(conversation);
  say("half a ");
  response.cancel();
  say("sentence");
  expect(generation.aborted).toBe(true);
  expect(texts()).toEqual(["half a "]);
  expect(sent.at(-1)?.response).toMatchObject({
    status: "cancelled",
    status_details: { reason: "client_cancelled" },
  });
  expect(conversation.messages("").at(-1)?.content).toBe("half a ");
});

it.each([
  ["length", "incomplete"],
  ["error", "failed"],
  ["abort", "cancelled"],
] as const)("an end by %s is %s", (reason, status) => {
  const { end, sent } = start();
  end(reason);
  expect(sent.at(-1)?.response?.status).toBe(status);
});

/** As many items as a conversation holds. */
function fill(conversation: Conversation): void {
  try {
    for (let i = 0; ; i++)
      conversation.add({
        id: `item_${i}`,
        object: "realtime.item",
        status: "completed",
        type: "function_call_output",
        call_id: "call_1",
        output: "",
      });
  } catch {
    // Full.
  }
}

it("a conversation that is full fails the response, and the client is told why", () => {
  const conversation = new Conversation();
  fill(conversation);
  const { say, generation, sent, socket, reports } = start(conversation);
  say("hello");
  expect(generation.aborted).toBe(true);
  expect(socket.ended).toBe(1);
  expect(sent.at(-1)?.response).toMatchObject({
    status: "failed",
    status_details: { error: { type: "invalid_request_error", code: "too_many_items" } },
  });
  expect(reports).toEqual([]);
});

it.each(["push", "end"] as const)("a parser that throws in %s fails the response", (where) => {
  const parser: OutputParser = {
    ...PLAIN,
    [where]: () => {
      throw new TypeError("a bug");
    },
  };
  const { say, end, sent, socket, reports } = start(undefined, parser);
  say("hello");
  end("stop");
  expect(socket.ended).toBe(1);
  const last = sent.at(-1);
  expect(last?.response).toMatchObject({
    status: "failed",
    status_details: { error: { type: "server_error", message: "Internal server error" } },
  });
  expect(reports).toEqual(["a bug"]);
});
