/** What a match looks at in a request of any wire format, and when it holds. */
import { describe, expect, it } from "vitest";
import { type Asked, askedOf, holds } from "../../../server/fixed/asked.ts";
import type { Match } from "../../../server/settings/match-lines.ts";

const tool = { type: "function", function: { name: "look" } };
const body = {
  model: "gpt-4o",
  messages: [
    { role: "system", content: "Be brief." },
    { role: "user", content: [{ type: "text", text: "What is the weather?" }] },
    { role: "assistant", content: "Let me see." },
    { role: "tool", content: "rain", tool_call_id: "c" },
  ],
  tools: [tool],
  stream: true,
};
const asked = askedOf("/v1/chat/completions", body, { "x-test": "mine" });

describe("what is asked", () => {
  it("is told alike for messages, items and prompts", () => {
    expect(asked).toMatchObject({
      ...{ model: "gpt-4o", user: "What is the weather?", system: "Be brief.", tool: "rain" },
      ...{ tools: ["look"], stream: true },
    });
    expect(askedOf("/v1/completions", { prompt: "Once" }, {})).toMatchObject({
      ...{ user: "Once", system: "", tool: undefined, tools: [], turns: 1, stream: false },
    });
    expect(askedOf("/v1/responses", { input: "Hello" }, {}).user).toBe("Hello");
    expect(askedOf("/v1/x", "no object", {})).toMatchObject({ user: "", model: "", turns: 0 });
  });

  it("is the same request streamed or not, and another where anything else differs", () => {
    const of = (more: object): string =>
      askedOf("/v1/chat/completions", { ...body, ...more }, {}).request;
    expect(of({ stream: false, stream_options: { include_usage: true } })).toBe(asked.request);
    expect(of({ temperature: 0 })).not.toBe(asked.request);
  });
});

describe("a match", () => {
  it.each<[Match, Match]>([
    [{ route: asked.route }, { route: "/v1/completions" }],
    [{ model: "gpt-4o" }, { model: "gpt" }],
    [{ model: { regex: "^gpt" } }, { model: { regex: "^o" } }],
    [{ user: { regex: "WEATHER", flags: "i" } }, { user: { regex: "WEATHER" } }],
    [{ system: "Be brief." }, { system: "brief" }],
    [{ tool: "rain" }, { tool: "sun" }],
    [{ tools: ["look"] }, { tools: ["look", "call"] }],
    [{ turns: asked.turns }, { turns: asked.turns + 1 }],
    [{ stream: true }, { stream: false }],
    [{ request: asked.request }, { request: "0".repeat(64) }],
    [{ headers: { "X-Test": "mine" } }, { headers: { "x-test": "yours" } }],
    [{ headers: { "x-test": { regex: "m" } } }, { headers: { "x-none": { regex: "" } } }],
  ])("%j holds, and %j does not", (right, wrong) => {
    expect(holds(right, asked)).toBe(true);
    expect(holds(wrong, asked)).toBe(false);
    // All parts of a match must hold.
    expect(holds({ ...right, user: "no" }, asked)).toBe(false);
  });

  it("that says nothing holds for all; one of a tool's answer for none that ends otherwise", () => {
    expect(holds({}, asked)).toBe(true);
    const plain: Asked = askedOf("/v1/completions", { prompt: "a" }, {});
    expect(holds({ tool: { regex: "" } }, plain)).toBe(false);
  });
});
