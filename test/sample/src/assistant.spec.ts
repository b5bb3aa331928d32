/** The application against a server of its own: what models say, and what goes wrong on the way. */
import OpenAI, { APIError, RateLimitError } from "openai";
import {
  startServer,
  type TestServer,
  type TrainyardMatchers,
  trainyardMatchers,
} from "trainyard/testing";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { assistant, TOOLS } from "./assistant.ts";

declare module "vitest" {
  interface Matchers<T> extends TrainyardMatchers<Promise<void>> {}
}

expect.extend(trainyardMatchers);

let server: TestServer;
const clientOf = (options: object = {}) =>
  new OpenAI({
    baseURL: server.baseURL,
    apiKey: "none",
    maxRetries: 0,
    logLevel: "off",
    ...options,
  });

beforeAll(async () => {
  server = await startServer({
    names: ["gpt-4o"],
    matchesOnly: true,
    matches: [
      { match: { user: "Hi" }, answer: "Hello there." },
      {
        match: { user: { regex: "weather" }, turns: 1 },
        answer: { calls: [{ name: "get_weather", arguments: { city: "Rome" } }] },
      },
      { match: { tool: { regex: "rain" } }, answer: "Take an umbrella." },
      { match: { tool: "sun" }, answer: "Leave it at home." },
      { match: { user: { regex: "^Extract: .*Ada" } }, answer: '{"name": "Ada", "age": 36}' },
      { match: { user: { regex: "^Extract: " } }, answer: "I would rather not." },
      { match: { user: "Think" }, answer: { reasoning: "Well, well.", text: "Done." } },
      { match: { user: "Long" }, answer: { text: "one two three", finish: "length" } },
    ],
  });
});
afterAll(() => server.close());
afterEach(() => server.reset());

const app = (options?: object) => assistant(clientOf(options), "gpt-4o");
const asked = (content: string, more: object = {}) => ({
  model: "gpt-4o",
  messages: [{ role: "user" as const, content }],
  ...more,
});
const stream =
  (content: string, inject = "none") =>
  () =>
    clientOf({ defaultHeaders: { "x-trainyard-inject": inject } }).chat.completions.create({
      ...asked(content),
      stream: true,
    });

async function all(words: AsyncIterable<string>): Promise<string[]> {
  const read: string[] = [];
  for await (const word of words) read.push(word);
  return read;
}

describe("telling", () => {
  it("streams words as they come", async () => {
    const words = await all(app().tell("Hi"));
    expect(words.join("")).toBe("Hello there.");
    expect(words.length).toBeGreaterThan(1);
  });

  it("sends its instructions along", async () => {
    await all(app().tell("Hi"));
    expect(server.requests).toHaveLength(1);
    expect(server.requests[0]).toMatchObject({
      system: "You are brief.",
      user: "Hi",
      stream: true,
    });
  });

  it("says a new thing where a test wants it", async () => {
    await server.answer({ user: "Hi" }, "Good evening.");
    expect((await all(app().tell("Hi"))).join("")).toBe("Good evening.");
  });

  it("has forgotten it in the next test", () =>
    expect(app().tell("Hi")).toStreamText("Hello there."));

  it("is told what the model does not know", () =>
    expect(stream("Unheard of")).toBreakOff("No line of --matches fits"));
});

describe("tools", () => {
  it("are offered and called", () =>
    expect(
      clientOf().chat.completions.create({ ...asked("How is the weather?"), tools: TOOLS }),
    ).toCallTool("get_weather", { city: "Rome" }));

  it("are called in a stream too", () =>
    expect(
      clientOf().chat.completions.create({ ...asked("weather"), tools: TOOLS, stream: true }),
    ).toCallTool("get_weather", { city: expect.stringMatching(/^R/) }));

  it("end the turn", () =>
    expect(clientOf().chat.completions.create({ ...asked("weather"), tools: TOOLS })).toFinishWith(
      "tool_calls",
    ));

  it("lead to an answer", async () => {
    expect(await app().ask("How is the weather?", () => "rain")).toBe("Take an umbrella.");
    expect(server.requests.map(({ turns }) => turns)).toEqual([1, 3]);
  });

  it("lead to another with another result", async () =>
    expect(await app().ask("How is the weather?", () => "sun")).toBe("Leave it at home."));

  it("do not turn for ever", async () => {
    await server.answer(
      { user: { regex: "weather" } },
      { calls: [{ name: "get_weather", arguments: { city: "Rome" } }] },
    );
    await expect(app().ask("weather", () => "fog")).rejects.toThrow("for ever");
    expect(server.requests).toHaveLength(5);
  });
});

describe("extraction", () => {
  const schema = {
    type: "object",
    properties: { name: { type: "string" }, age: { type: "integer" } },
    required: ["name", "age"],
  };

  it("reads JSON", async () =>
    expect(await app().extract("Ada, 36")).toEqual({ name: "Ada", age: 36 }));

  it("is of the schema", () => expect(stream("Extract: Ada")).toMatchJsonSchema(schema));

  it("stands what is no JSON", async () => expect(await app().extract("Bob")).toBeUndefined());
});

describe("thought and length", () => {
  it("keeps thought apart", async () => {
    await expect(stream("Think")).toThink("Well, well.");
    await expect(stream("Think")).toStreamText(/^Done/);
  });

  it("says that it was cut short", () => expect(stream("Long")).toFinishWith("length"));
});

describe("bad days", () => {
  it("tries again after a busy server", async () => {
    await server.answer({ user: "Hi" }, { error: { status: 500 } }, "At last.");
    const client = clientOf({ maxRetries: 1 });
    await expect(client.chat.completions.create(asked("Hi"))).toStreamText("At last.");
  });

  it("tells a limit by its class", async () => {
    await server.answer({}, { error: { status: 429, message: "Slow down." } });
    await expect(clientOf().chat.completions.create(asked("Hi"))).rejects.toThrow(RateLimitError);
    await expect(clientOf().chat.completions.create(asked("Hi"))).rejects.toThrow(APIError);
  });

  it("sees a stream break, and one that is no JSON", async () => {
    await expect(stream("Hi", "cut=2")).toBreakOff();
    await expect(stream("Hi", "malformed")).toBreakOff(/JSON/);
    expect(await server.metric("trainyard:injected_failures_total", 'kind="cut"')).toBeGreaterThan(
      0,
    );
  });

  it("feels a late first word and a pause", async () => {
    await expect(stream("Hi", "slow-first-token=150ms")).not.toStartWithin(140);
    await expect(stream("Hi", "stall=150ms:2")).not.toPauseAtMost(140);
    const plain = stream("Hi");
    await expect(plain).toStartWithin(3000);
    await expect(plain).toEndWithin(3000);
    await expect(plain).toKeepPace(1);
  });
});
