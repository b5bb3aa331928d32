/** The model that ships with the project: English from both devices, through the official client. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startServer, type TestServer } from "../support/server.ts";

const FOLDER = "models/bundled";
const there = readdirSync(FOLDER).some((name) => existsSync(join(FOLDER, name, "config.json")));
const ask = { messages: [{ role: "user" as const, content: "Tell me a story." }], max_tokens: 40 };

/** Skipped where no model is bundled yet. */
describe.skipIf(!there)("the bundled model", () => {
  const texts: string[] = [];
  const scores: number[][] = [];
  for (const device of ["cpu", "trainium"]) {
    describe(`on the ${device} device`, () => {
      let server: TestServer;
      let client: OpenAI;
      let model = "";
      beforeAll(async () => {
        server = await startServer(["--device", device]);
        client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "none", maxRetries: 0 });
        model = (await client.models.list()).data[0]?.id ?? "";
      });
      afterAll(() => server.stop(0));

      it("chats in words, streamed and not", async () => {
        const request = { ...ask, model, temperature: 0 };
        const whole = await client.chat.completions.create(request);
        const text = whole.choices[0]?.message.content ?? "";
        expect(text.match(/\b[a-z]{2,}\b/g)?.length).toBeGreaterThan(10);
        let streamed = "";
        for await (const chunk of await client.chat.completions.create({
          ...request,
          stream: true,
        })) {
          streamed += chunk.choices[0]?.delta.content ?? "";
        }
        expect(streamed).toBe(text);
        texts.push(text);
      });

      it("scores a prompt", async () => {
        const prompt = "Once upon a time, there was a little dog named Spot.";
        const request = { model, prompt, echo: true, logprobs: 0, max_tokens: 1, temperature: 0 };
        const { choices } = await client.completions.create(request);
        const [first, ...rest] = choices[0]?.logprobs?.token_logprobs ?? [];
        expect(first).toBeNull();
        scores.push(rest);
      });

      it("is called by its folder's name", () => {
        expect(model).toMatch(/^trainyard-/);
      });
    });
  }

  it("says and scores the same on both devices when greedy", () => {
    expect(new Set(texts).size).toBe(1);
    const [cpu = [], trainium = []] = scores;
    expect(cpu.length).toBeGreaterThan(8);
    expect(Math.min(...cpu)).toBeGreaterThan(-15);
    expect(trainium).toEqual(cpu.map((score) => expect.closeTo(score, 4)));
  });
});
