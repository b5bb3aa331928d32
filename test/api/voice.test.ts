/** On a simulated machine, tools, thought and the end of a text are those of whoever speaks. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseSettings } from "../../server/config.ts";
import { buildWorld } from "../../server/world/world.ts";
import { startServer, type TestServer } from "../support/server.ts";

const CHAT = "/v1/chat/completions";
const MODEL = ["meta-llama/Llama-3.1-8B-Instruct", "--device", "trainium", "--time-scale", "0.05"];
const TP = ["--tensor-parallel-size", "4"];
const messages = [{ role: "user", content: "What is the weather in Paris?" }];
const tool = (name: string, parameters: object) => ({
  type: "function",
  function: { name, description: "Tells the weather", parameters },
});
const text = { type: "string" };
const TOOLS = [
  tool("get_weather", { type: "object", properties: { city: text }, required: ["city"] }),
  tool("free", { type: "object" }),
];

describe("with borrowed words and the named model's own parsers", () => {
  let server: TestServer;
  beforeAll(async () => {
    const parsers = ["--tool-call-parser", "llama3_json", "--reasoning-parser", "qwen3"];
    server = await startServer([...MODEL, ...TP, ...parsers]);
  });
  afterAll(() => server.stop(0));

  it("says in the log what it does not do", () => {
    expect(server.world.notes).toEqual([
      expect.stringContaining("--tool-call-parser llama3_json is of meta-llama"),
      expect.stringContaining("--reasoning-parser qwen3 is of meta-llama"),
    ]);
  });

  it.each([
    ["auto", "auto"],
    ["required", "required"],
    ["named", { type: "function", function: { name: "get_weather" } }],
  ])("calls a tool: %s", async (_, tool_choice) => {
    const body = { messages, tools: TOOLS, tool_choice, temperature: 0 };
    const { status, json } = await server.post(CHAT, body);
    expect(status).toBe(200);
    const { message } = json.choices[0];
    const [call] = message.tool_calls;
    expect(call.function.name).toBe("get_weather");
    expect(JSON.parse(call.function.arguments)).toEqual({ city: "Paris" });
    expect([message.content || null, message.reasoning]).toEqual([null, null]);
  });

  it.each([
    ["of any object", { response_format: { type: "json_object" } }],
    ["an object of texts", { guided_json: { type: "object", additionalProperties: text } }],
    ["a list of texts", { guided_json: { type: "array", items: text, minItems: 2 } }],
    [
      "a tool of any object",
      { tools: TOOLS, tool_choice: { type: "function", function: { name: "free" } } },
    ],
  ])("ends %s within a few hundred tokens, whole", async (_, fields) => {
    const { json } = await server.post(CHAT, { messages, ...fields, temperature: 0 });
    const [{ message, finish_reason }] = json.choices;
    expect(finish_reason).toBe("stop");
    expect(json.usage.completion_tokens).toBeLessThan(400);
    const written = message.tool_calls?.[0]?.function.arguments ?? message.content;
    expect(typeof JSON.parse(written)).toBe("object");
  });
});

describe("the embedded model", () => {
  it("lets its tools be turned off, and keeps parsers it is given on its own device", async () => {
    const flags = ["--no-enable-auto-tool-choice", "--tool-call-parser", "mistral"];
    const own = ["models/bundled/trainyard-tiny", "--device", "null", ...flags];
    const world = await buildWorld(parseSettings(own).settings);
    expect(world.serving.settings).toMatchObject({
      "tool-call-parser": "mistral",
      "enable-auto-tool-choice": false,
    });
    expect(world.notes).toEqual([]);
    await world.close();
  });
});
