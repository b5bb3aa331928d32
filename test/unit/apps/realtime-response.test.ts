import { expect, it } from "vitest";
import type { ChoiceDelta, ChoiceFinish } from "../../../server/generation/choice.ts";
import { PLAIN } from "../../../server/generation/parser.ts";
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
    outputTokens: 3,
    cachedTokens: 0,
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

function start(conversation?: Conversation) {
  const script = scripted();
  const sent: Sent[] = [];
  const socket = { blocked: false, ended: 0 };
  const response = new RealtimeResponse({
    generation: script.generation,
    parser: PLAIN,
    ...(conversation !== undefined && { conversation }),
    promptTokens: 5,
    maxOutputTokens: "inf",
    metadata: null,
    send: (event) => sent.push(event as Sent), // our own events
    blocked: () => socket.blocked,
    ended: () => {
      socket.ended++;
    },
  });
  const texts = () =>
    sent.flatMap((event) => (event.type === "response.output_text.delta" ? [event.delta] : []));
  return { ...script, response, sent, socket, texts };
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
