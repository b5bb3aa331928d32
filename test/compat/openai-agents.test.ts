/** OpenAI's agents, which speak /v1/responses by default. */
import { Agent, OpenAIProvider, Runner, tool } from "@openai/agents";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type CompatServer, compatServer, untilIdle, WEATHER } from "./support.ts";

let server: CompatServer;
let runner: Runner;
beforeAll(async () => {
  server = await compatServer();
  const baseURL = `${server.url}/v1`;
  runner = new Runner({
    modelProvider: new OpenAIProvider({ apiKey: "none", baseURL, useResponses: true }),
    tracingDisabled: true,
  });
});
afterAll(() => server.stop(0));

const settings = { maxTokens: 100, temperature: 0 };

// A streamed run ends in an error of theirs: their schema wants numbers where vLLM 0.32, and
// so this server, tells lists (`input_tokens_per_turn`).
it("answers", async () => {
  const agent = new Agent({
    ...{ name: "teller", instructions: "Tell stories.", model: server.model },
    modelSettings: { ...settings, maxTokens: 16 },
  });
  const { finalOutput } = await runner.run(agent, "A cat.");
  expect(String(finalOutput).length).toBeGreaterThan(0);
});

it("runs a tool and gives its result back to the model", async () => {
  const asked: unknown[] = [];
  const weather = tool({
    ...{ name: "get_weather", description: "Weather.", strict: true },
    parameters: { ...WEATHER.function.parameters, additionalProperties: false } as never, // JSON schema, as it stands
    execute: (input: unknown) => {
      asked.push(input);
      return "sunny";
    },
  });
  const agent = new Agent({
    ...{ name: "helper", model: server.model, tools: [weather] },
    modelSettings: { ...settings, toolChoice: "required" },
  });
  const { finalOutput, history } = await runner.run(agent, "What is the weather in Paris?");
  expect(asked[0]).toMatchObject({ city: expect.any(String), days: expect.any(Number) });
  expect(history.map((item) => item.type ?? "message")).toContain("function_call_result");
  expect(finalOutput).toBeDefined();
  await untilIdle(server);
});
