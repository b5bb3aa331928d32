import { expect, it } from "vitest";
import { RealtimeBytes } from "../../../server/openai/realtime/bytes.ts";
import { Conversation, type Item, readItem } from "../../../server/openai/realtime/conversation.ts";

const user = (text: string): Item =>
  readItem({ type: "message", role: "user", content: [{ type: "input_text", text }] });

/** Adds until it is refused. */
function fill(conversation: Conversation, make: () => Item): { added: number; code: string } {
  for (let added = 0; ; added++) {
    try {
      conversation.add(make());
    } catch (error) {
      return { added, code: (error as { code: string }).code }; // a RealtimeError
    }
  }
}

it.each<[string, () => Item]>([
  ["long texts", () => user("x".repeat(50_000))],
  [
    "long outputs of calls",
    () => readItem({ type: "function_call_output", call_id: "c", output: "é".repeat(50_000) }),
  ],
  [
    "long arguments",
    () => readItem({ type: "function_call", name: "f", arguments: "1".repeat(50_000) }),
  ],
  [
    "many parts",
    () =>
      readItem({
        type: "message",
        role: "system",
        content: Array.from({ length: 300 }, () => ({ type: "input_text", text: "" })),
      }),
  ],
  ["long ids", () => ({ ...user(""), id: `${Math.random()}`.padEnd(50_000, "i") })],
])("a conversation of %s is bounded by its bytes", (_, make) => {
  const bytes = new RealtimeBytes(1_000_000, 10_000_000);
  const { added, code } = fill(new Conversation(bytes.open()), make);
  expect(code).toBe("conversation_too_large");
  expect(added).toBeGreaterThan(3);
  expect(added).toBeLessThan(40);
  expect(bytes.held).toBeLessThanOrEqual(1_000_000);
});

it("all conversations together are bounded, and give back what they held", () => {
  const bytes = new RealtimeBytes(1_000_000, 2_500_000);
  const sockets = Array.from({ length: 5 }, () => bytes.open());
  const conversations = sockets.map((socket) => new Conversation(socket));
  const added = conversations.map((one) => fill(one, () => user("x".repeat(10_000))).added);
  expect(bytes.held).toBeLessThanOrEqual(2_500_000);
  expect(added.at(-1)).toBe(0);
  sockets[0]?.release();
  expect(fill(conversations[4] ?? new Conversation(), () => user("x".repeat(10_000))).added).toBe(
    added[0],
  );
  for (const socket of sockets) socket.release();
  expect(bytes.held).toBe(0);
});

it("a deleted item makes room, as much as it took, whatever it has become", () => {
  const bytes = new RealtimeBytes(100_000, 100_000);
  const conversation = new Conversation(bytes.open());
  const item = user("short");
  conversation.add(item);
  if (item.type === "message") item.content = [{ type: "output_text", text: "x".repeat(90_000) }];
  conversation.delete(item.id);
  expect(bytes.held).toBe(0);
});
