import { describe, expect, it } from "vitest";
import { Conversation, type Item, readItem } from "../../../server/openai/realtime/conversation.ts";

const user = (id: string, text: string): Item =>
  readItem({ id, type: "message", role: "user", content: [{ type: "input_text", text }] });

describe("a realtime conversation", () => {
  it("keeps items where they are put", () => {
    const conversation = new Conversation();
    expect(conversation.add(user("a", "one"))).toBeNull();
    expect(conversation.add(user("b", "two"))).toBe("a");
    expect(conversation.add(user("c", "between"), "a")).toBe("a");
    expect(conversation.add(user("d", "first"), "root")).toBeNull();
    expect(conversation.messages("be kind").map((message) => message.content)).toEqual([
      "be kind",
      "first",
      "one",
      "between",
      "two",
    ]);
    conversation.delete("c");
    expect(() => conversation.get("c")).toThrow("does not exist");
    expect(() => conversation.add(user("a", "again"))).toThrow("already exists");
    expect(() => conversation.add(user("e", "x"), "nowhere")).toThrow("does not exist");
  });

  it("joins calls that follow each other into one message", () => {
    const conversation = new Conversation();
    conversation.add(readItem({ type: "function_call", call_id: "1", name: "f", arguments: "{}" }));
    conversation.add(readItem({ type: "function_call", call_id: "2", name: "g", arguments: "{}" }));
    conversation.add(readItem({ type: "function_call_output", call_id: "1", output: "ok" }));
    const [calls, result] = conversation.messages("");
    expect(calls?.tool_calls).toHaveLength(2);
    expect(result).toEqual({ role: "tool", tool_call_id: "1", content: "ok" });
  });

  it.each([
    [{ type: "message", role: "user", content: [{ type: "input_audio", audio: "" }] }, "text only"],
    [{ type: "message", role: "robot", content: [] }, "role"],
    [{ type: "message", role: "user", content: "hi" }, "list of parts"],
    [{ type: "video" }, "type"],
    [7, "must be an object"],
  ])("refuses %j", (item, message) => {
    expect(() => readItem(item)).toThrow(message);
  });
});
