/** What a chat's fields come to: a parser that sees the marks it needs, the tools a template is shown. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { readTokenizer } from "../../../models/tokenizer/tokenizer.ts";
import { callsOf } from "../../../server/generation/parts.ts";
import { createPlanner } from "../../../server/generation/planning.ts";
import { finishReason } from "../../../server/generation/tool-plan.ts";

const NAMED = { type: "function", function: { name: "f" } };
const tokenizer = readTokenizer(readFileSync("models/tiny/llama/tokenizer.json", "utf8"), "t");
const TOOLS = [{ type: "function", function: { name: "f", parameters: { type: "object" } } }];

async function planned(
  fields: object,
  options: Partial<Parameters<typeof createPlanner>[0]> = {},
  kind: "chat" | "completion" = "chat",
) {
  const planner = createPlanner({
    ...{ vocabSize: 8, samples: false, endIds: [], autoTools: true, hideUnusedTools: false },
    ...{ templateDefaults: {}, ...options },
  });
  try {
    return await planner.plan(fields, kind);
  } finally {
    await planner.close();
  }
}

describe("an output's plan", () => {
  it("keeps special tokens in the text where the marks of calls or thoughts are such, and there alone", async () => {
    const kept = async (...of: Parameters<typeof planned>) =>
      (await planned(...of)).skipSpecialTokens;
    const auto = { tools: TOOLS, tool_choice: "auto" };
    expect(await kept(auto, { toolParser: "llama3_json" })).toBe(false);
    expect(await kept({}, { toolParser: "llama3_json" })).toBeUndefined();
    expect(
      await kept({ ...auto, tool_choice: "none" }, { toolParser: "llama3_json" }),
    ).toBeUndefined();
    expect(await kept(auto, { toolParser: "hermes" })).toBeUndefined();
    expect(await kept({}, { reasoningParser: "openai_gptoss" })).toBe(false);
    expect(await kept({}, { reasoningParser: "openai_gptoss" }, "completion")).toBeUndefined();
    expect(await kept({}, { reasoningParser: "qwen3" })).toBeUndefined();
  });

  it("shows a template the tools, unless unused ones are hidden", async () => {
    const shown = async (choice: string, hideUnusedTools: boolean) =>
      (
        await planned(
          { tools: TOOLS, tool_choice: choice },
          { toolParser: "hermes", hideUnusedTools },
        )
      ).tools;
    expect(await shown("auto", true)).toEqual(TOOLS);
    expect(await shown("none", false)).toEqual(TOOLS);
    expect(await shown("none", true)).toBeUndefined();
  });

  it("of a completion knows no tools", async () => {
    const plan = await planned({ tools: TOOLS }, { toolParser: "hermes" }, "completion");
    expect(plan).not.toHaveProperty("tools");
    expect(plan).not.toHaveProperty("parser");
  });

  it("ends with tool_calls as vLLM does: by the choice, by what came, and by whether it streams", () => {
    const wishes = ["auto", "required", { name: "f" }].map(
      (choice) => ({ choice }) as Parameters<typeof finishReason>[0], // no more of it is read
    );
    const end = (reason: "stop" | "length", toolCalls: number, streamed: boolean) =>
      wishes.map((wish) => finishReason(wish, { reason, toolCalls, streamed }));
    expect(end("stop", 1, true)).toEqual(["tool_calls", "tool_calls", "stop"]);
    expect(end("stop", 0, true)).toEqual(["stop", "stop", "stop"]);
    expect(end("length", 1, true)).toEqual(["length", "length", "length"]);
    expect(end("stop", 1, false)).toEqual(["tool_calls", "tool_calls", "stop"]);
    expect(end("stop", 0, false)).toEqual(["stop", "tool_calls", "stop"]);
    expect(end("length", 1, false)).toEqual(["tool_calls", "length", "length"]);
  });

  it("lets a grammar wait for the end of the thought, unless the prompt has ended it", async () => {
    const { vocabSize } = tokenizer;
    const { constraints } = await planned(
      { structured_outputs: { choice: ["yes"] } },
      { tokenizer, vocabSize, samples: true, endIds: [0], reasoningParser: "qwen3" },
    );
    const held = async (prompt: string) => {
      const [constraint] = (await constraints?.(1, prompt)) ?? [];
      if (constraint === undefined) throw new Error("nothing holds");
      return constraint;
    };
    const mask = new Int32Array((vocabSize + 31) >> 5);
    const ended = await held("<think>\n\n</think>\n\n");
    expect(ended.mask(mask)).toBe(true);
    const allowed = Array.from({ length: vocabSize }, (_, id) => id).filter(
      (id) => ((mask[id >> 5] ?? 0) >> (id & 31)) & 1,
    );
    expect(allowed.map((id) => Buffer.from(tokenizer.bytes(id)).toString())).toContain("y");
    for (const id of allowed) {
      expect("yes".startsWith(Buffer.from(tokenizer.bytes(id)).toString())).toBe(true);
    }
    const open = await held("<think>\n");
    expect(open.mask(mask)).toBe(false);
    for (const id of await tokenizer.encode("</think>", { addSpecialTokens: false })) {
      expect(open.mask(mask)).toBe(false);
      open.accept(id);
    }
    expect(open.mask(mask)).toBe(true);
  });

  it.each([
    [
      { structured_outputs: { choice: ["a"] }, tools: TOOLS, tool_choice: NAMED },
      {},
      "either use constraints for structured outputs or tools, not both",
    ],
    [{ tools: TOOLS, tool_choice: "auto" }, { autoTools: false }, "--enable-auto-tool-choice"],
    [{ tools: TOOLS, tool_choice: "auto" }, {}, "--tool-call-parser to be set"],
    [{ thinking_token_budget: -2 }, { reasoningParser: "qwen3" }, "must be a non-negative integer"],
    [{ thinking_token_budget: 3 }, {}, "Please set --reasoning-parser"],
    [{ structured_outputs: { choice: ["a"] } }, { samples: true }, "has no tokenizer"],
  ])("refuses %j with %j", async (fields, options, why) => {
    const error = await planned(fields, options).catch((thrown) => thrown);
    expect([error.status, error.message]).toEqual([400, expect.stringContaining(why)]);
  });

  it("takes a choice of null as the server lets models choose", async () => {
    const fields = { tools: TOOLS, tool_choice: null };
    expect((await planned(fields, { autoTools: false })).finishReason).toBeDefined();
    const hidden = { autoTools: false, hideUnusedTools: true };
    expect((await planned(fields, hidden)).tools).toBeUndefined();
    expect((await planned(fields, { toolParser: "hermes" })).tools).toEqual(TOOLS);
  });

  it("reads a named call as its bare arguments, required ones as a list, each by the parser's ids", async () => {
    const calls = async (choice: unknown, text: string, toolParser?: string) => {
      const { parser } = await planned(
        { tools: TOOLS, tool_choice: choice },
        {
          tokenizer,
          vocabSize: tokenizer.vocabSize,
          samples: true,
          ...(toolParser && { toolParser }),
        },
      );
      const one = parser?.(undefined);
      const parts = [...(one?.push(text, []) ?? []), ...(one?.end() ?? [])];
      return callsOf(parts).map(({ name, arguments: given, id }) => [name, given, id]);
    };
    const random = expect.stringMatching(/^chatcmpl-tool-[0-9a-f]+$/);
    expect(await calls(NAMED, '{"a": 1}')).toEqual([["f", '{"a": 1}', random]]);
    const list = '[{"name": "f", "parameters": {}}, {"name": "f", "parameters": {"a": 2}}]';
    expect(await calls("required", list)).toEqual([
      ["f", "{}", random],
      ["f", '{"a": 2}', random],
    ]);
    const [[, , short] = []] = await calls(NAMED, "{}", "mistral");
    expect(short).toMatch(/^[A-Za-z0-9]{9}$/);
  });

  it("refuses unknown parsers with the known ones, and what cannot be held", async () => {
    await expect(planned({}, { toolParser: "hermse" })).rejects.toThrow(
      /hermse is unknown.*hermes/,
    );
    await expect(planned({}, { reasoningParser: "think" })).rejects.toThrow(
      /think is unknown.*qwen3/,
    );
    const { status } = await planned({ structured_outputs: { choice: ["a"] } }).catch(
      (error) => error,
    );
    expect(status).toBe(400);
  });
});
