/** Blocks of /v1/messages as chat messages. */
import { describe, expect, it } from "vitest";
import { chatMessages } from "../../../server/anthropic/blocks.ts";

type Body = Parameters<typeof chatMessages>[0];

/** Messages of any shape: what they hold is looked at block by block. */
const read = (
  messages: readonly object[],
  { merged = false, ...more }: { readonly merged?: boolean; readonly system?: unknown } = {},
) => chatMessages({ model: "m", messages, ...more } as unknown as Body, { merged, model: "m" });

describe("blocks", () => {
  it("of an assistant are its text, its thought and its calls, in one message", () => {
    const content = [
      { type: "thinking", thinking: "H" },
      { type: "thinking", thinking: "m." },
      { type: "text", text: "One moment." },
      { type: "tool_use", id: "t1", name: "look", input: { at: 1 } },
      { type: "tool_use" },
    ];
    expect(read([{ role: "assistant", content }])).toEqual([
      {
        ...{ role: "assistant", reasoning: "Hm.", content: "One moment." },
        tool_calls: [
          { id: "t1", type: "function", function: { name: "look", arguments: '{"at":1}' } },
          { id: "call_0", type: "function", function: { name: "", arguments: "{}" } },
        ],
      },
    ]);
  });

  it("of a user are results of tools, each a message before the text", () => {
    const content = [
      { type: "text", text: "And?" },
      { type: "tool_result", tool_use_id: "t1", content: "rain" },
      { type: "tool_result", content: [{ type: "text", text: "a" }, null, { type: "text" }] },
      { type: "tool_result", tool_use_id: "t3" },
      { type: "text", text: "" },
    ];
    expect(read([{ role: "user", content }])).toEqual([
      { role: "tool", tool_call_id: "t1", content: "rain" },
      { role: "tool", tool_call_id: "", content: "a\n" },
      { role: "tool", tool_call_id: "t3", content: "" },
      { role: "user", content: "And?" },
    ]);
    const only = [{ type: "tool_result", tool_use_id: "t1", content: "rain" }];
    expect(read([{ role: "user", content: only }])).toHaveLength(1);
  });

  it("of results that an assistant repeats are text", () => {
    const content = [
      { type: "tool_result", content: "rain" },
      { type: "tool_result", content: null },
    ];
    expect(read([{ role: "assistant", content }])).toEqual([
      {
        role: "assistant",
        content: [
          { type: "text", text: "Tool result: rain" },
          { type: "text", text: "Tool result: " },
        ],
      },
    ]);
  });

  it("of the system stand where they are, or all in front where the template wants that", () => {
    const billing = "x-anthropic-billing-header: abc";
    const messages = [
      { role: "user", content: "one" },
      { role: "system", content: "Be brief." },
      { role: "system", content: billing },
      {
        role: "system",
        content: [
          { type: "text", text: billing },
          { type: "text", text: " Now." },
        ],
      },
      { role: "user", content: "two" },
    ];
    const system = [{ type: "text", text: "You are." }];
    expect(read(messages, { system })).toEqual([
      { role: "system", content: "You are." },
      { role: "user", content: "one" },
      { role: "system", content: "Be brief." },
      { role: "system", content: " Now." },
      { role: "user", content: "two" },
    ]);
    expect(read(messages, { system, merged: true })).toEqual([
      { role: "system", content: "You are.Be brief. Now." },
      { role: "user", content: "one" },
      { role: "user", content: "two" },
    ]);
    // Of the field itself it goes as a block alone.
    expect(read([{ role: "user", content: "x" }], { system: billing })[0]?.content).toBe(billing);
  });

  it.each([
    [[], "empty conversation"],
    [[{ role: "user", content: [{ type: "image" }] }], "m is not a multimodal model"],
    [
      [{ role: "user", content: [{ type: "tool_result", content: [{ type: "image" }] }] }],
      "m is not a multimodal model",
    ],
    [
      [{ role: "user", content: [{ type: "tool_removal" }] }],
      'tool_removal blocks are only allowed in messages with role "system"',
    ],
  ])("%j are refused", (messages, why) => {
    expect(() => read(messages)).toThrow(why);
  });
});
