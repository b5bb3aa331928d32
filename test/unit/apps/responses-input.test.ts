/** Items of /v1/responses as chat messages, and tools by their names. */
import { describe, expect, it } from "vitest";
import { inputMessages, outputMessages } from "../../../server/openai/responses/input.ts";
import { responseTools } from "../../../server/openai/responses/tools.ts";

type Body = Parameters<typeof inputMessages>[0];

const read = (input: unknown, more: object = {}) =>
  inputMessages({ input, ...more } as Body, [], { item: () => undefined });

describe("items", () => {
  it("are messages: those of one answer together", () => {
    const input = [
      { role: "user", content: [{ type: "input_text", text: "What is it like?" }] },
      { type: "reasoning", content: [{ text: "Hm." }] },
      { type: "function_call", call_id: "c1", name: "look", arguments: "{}" },
      { type: "custom_tool_call", call_id: "c2", name: "shell", input: "ls" },
      { type: "function_call_output", call_id: "c1", output: "rain" },
      { type: "message", role: "assistant", content: [{ type: "refusal", refusal: "No." }] },
      { type: "message", role: "assistant", content: [] },
      { type: "reasoning", summary: [{}] },
    ];
    const call = (id: string, name: string, args: string) => ({
      ...{ id, type: "function", function: { name, arguments: args } },
    });
    expect(read(input, { instructions: "Be brief." })).toEqual([
      { role: "system", content: "Be brief." },
      { role: "user", content: [{ type: "input_text", text: "What is it like?" }] },
      {
        ...{ role: "assistant", reasoning: "Hm." },
        tool_calls: [call("c1", "look", "{}"), call("c2", "shell", '{"input":"ls"}')],
      },
      { role: "tool", tool_call_id: "c1", content: "rain" },
      { role: "assistant", content: "No." },
      { role: "assistant", content: "", reasoning: "" },
    ]);
    // Of what was answered thoughts are left out.
    expect(outputMessages(input.slice(1, 2))).toEqual([]);
  });

  it.each([
    [["text"], "list of items"],
    [[{ role: "user", content: ["text"] }], "list of items"],
    [[{ role: "user", content: [{ type: "video" }] }], "list of items"],
    [[{ role: "nobody", content: "x" }], "list of items"],
    [[{ type: "function_call", call_id: "c", name: "look" }], "list of items"],
    [[{ type: "function_call_output", call_id: "c" }], "list of items"],
    [[{ type: "reasoning" }], "list of items"],
    [[{ type: "no_such_item" }], "list of items"],
    [[{ type: "reasoning", encrypted_content: "x", summary: [] }], "Encrypted content"],
    [[{ type: "mcp_call" }], "Unsupported input item type: mcp_call"],
    [[{ type: "item_reference", id: "i" }], "Unsupported input item type: item_reference"],
    [[{ id: "i" }], "Unsupported input item type: None"],
    [[], "empty conversation"],
  ])("%j are refused", (input, why) => {
    expect(() => read(input)).toThrow(why);
  });
});

describe("tools", () => {
  const of = (tools: readonly unknown[], choice?: unknown) =>
    responseTools({ tools, tool_choice: choice } as Parameters<typeof responseTools>[0]);
  const look = { type: "function", name: "look", parameters: { type: "object" } };
  const space = (name: string) => ({ type: "namespace", name, tools: [{ ...look, strict: true }] });

  it("of a namespace go by both names, and may be chosen by their own if it is one's alone", () => {
    const named = { type: "function", name: "look" };
    const { shown, choice, names } = of([space("a")], named);
    expect(shown).toMatchObject([{ function: { name: "a__look", strict: true } }]);
    expect(choice).toEqual({ type: "function", function: { name: "a__look" } });
    expect(names.get("a__look")).toEqual({ name: "look", namespace: "a", custom: false });
    expect(() => of([space("a"), space("b")], named)).toThrow(
      "Tool choice 'look' is ambiguous: it is defined in more than one namespace (a__look, b__look).",
    );
    expect(() => of([look], { type: "function", name: 3 })).toThrow();
    expect(() => of([look], { type: "custom", name: "other" })).toThrow();
  });

  it("that are allowed are shown alone, by the mode of the choice or of the model's own accord", () => {
    const other = { ...look, name: "other" };
    const allowed = { type: "allowed_tools", tools: [{ name: "other" }, "text"] };
    const { shown, choice, echoedChoice } = of([look, other], allowed);
    expect(shown).toMatchObject([{ function: { name: "other" } }]);
    expect([choice, echoedChoice]).toEqual(["auto", { ...allowed, mode: undefined }]);
    expect(of([look, other], { ...allowed, mode: "required" }).choice).toBe("required");
    expect(of([look], { type: "allowed_tools", tools: "text" }).shown).toEqual([]);
  });

  it("that run nowhere here are echoed, and chosen as none", () => {
    const hosted = { type: "code_interpreter", container: { memory_limit: "1g" } };
    const { shown, echoed, choice } = of([look, hosted], { type: "code_interpreter" });
    expect(shown).toHaveLength(1);
    expect(choice).toBe("auto");
    expect(echoed[1]).toEqual({
      ...{ type: "code_interpreter", allowed_callers: null },
      container: { type: "auto", file_ids: null, memory_limit: "1g", network_policy: null },
    });
  });

  it.each([
    [3, "valid dictionary"],
    [{ type: "function" }, "Field required"],
    [{ name: "x" }, "Field required"],
    [{ type: "strange", name: "x" }, "type of this tool is unknown"],
    [{ ...look, parameters: "x" }, "valid dictionary"],
    [{ type: "custom", name: "x", format: { type: "grammar" } }, "grammar format"],
  ])("%j is refused", (tool, why) => {
    expect(() => of([tool])).toThrow(why);
  });
});
