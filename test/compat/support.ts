/** The server as the clients meet it: a real model on the CPU, over HTTP, in this process. */
import { expect } from "vitest";
import { startServer, type TestServer } from "../support/server.ts";

export interface CompatServer extends TestServer {
  readonly model: string;
}

export async function compatServer(further: readonly string[] = []): Promise<CompatServer> {
  const server = await startServer([
    "--device",
    "cpu",
    "--enable-auto-tool-choice",
    "--tool-call-parser",
    "hermes",
    ...further,
  ]);
  return { ...server, model: server.world.serving.names[0] };
}

export const WEATHER = {
  type: "function" as const,
  function: {
    name: "get_weather",
    description: "The weather of a city.",
    parameters: {
      type: "object",
      properties: {
        city: { type: "string", maxLength: 16 },
        days: { type: "integer", minimum: 1, maximum: 9 },
      },
      required: ["city", "days"],
      additionalProperties: false,
    },
  },
};

export const PERSON = {
  type: "object",
  properties: {
    name: { type: "string", maxLength: 16 },
    age: { type: "integer", minimum: 0, maximum: 120 },
  },
  required: ["name", "age"],
  additionalProperties: false,
};

/** No request runs and no KV block is held. */
export async function untilIdle(server: TestServer): Promise<void> {
  await expect
    .poll(() =>
      server.world.serving.engines.all.every((engine) => engine.running + engine.waiting === 0),
    )
    .toBe(true);
  // A step under way still holds its blocks until it lands.
  await expect.poll(() => server.world.serving.engines.kvUsage).toBe(0);
}
