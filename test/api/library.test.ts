/** The offline API, as a program would use it. */
import { afterAll, describe, expect, it } from "vitest";
import { LLM, SamplingParams } from "../../server/library.ts";

const llm = new LLM({ model: "models/tiny/llama", device: "cpu", tensorParallelSize: 2 });
afterAll(() => llm.close());

describe("LLM", () => {
  it("shards over two ranks and generates for each prompt, in order", async () => {
    const prompts = ["Hello, my name is", "The capital of France is"];
    const outputs = await llm.generate(prompts, new SamplingParams({ temperature: 0 }));
    expect(outputs.map((output) => output.prompt)).toEqual(prompts);
    for (const output of outputs) {
      expect(output.promptTokenIds.length).toBeGreaterThan(0);
      expect(output.outputs[0]?.tokenIds.length).toBeLessThanOrEqual(16);
      expect(["length", "stop"]).toContain(output.outputs[0]?.finishReason);
    }
    const [again] = await llm.generate(prompts[0] ?? "", new SamplingParams({ temperature: 0 }));
    expect(again?.outputs[0]?.tokenIds).toEqual(outputs[0]?.outputs[0]?.tokenIds);
    expect(again?.outputs[0]).not.toHaveProperty("logprobs");
  });

  it("takes token ids, n, logprobs", async () => {
    const [output] = await llm.generate(
      [5, 6, 7],
      new SamplingParams({ n: 2, seed: 1, maxTokens: 4, logprobs: 1, ignoreEos: true }),
    );
    expect(output?.outputs).toHaveLength(2);
    expect(output?.outputs[0]?.logprobs).toHaveLength(4);
    expect(output?.promptTokenIds).toEqual([5, 6, 7]);
  });

  it("chats", async () => {
    const [output] = await llm.chat(
      [{ role: "user", content: "Hi" }],
      new SamplingParams({ maxTokens: 3 }),
    );
    expect(output?.prompt).toContain("Hi");
    expect(output?.outputs).toHaveLength(1);
  });

  it("refuses what the server refuses, with the same words", async () => {
    await expect(llm.generate("a", new SamplingParams({ temperature: 5 }))).rejects.toThrow(
      "temperature must be in [0, 2], got 5.",
    );
    await expect(llm.generate("a", new SamplingParams({ maxTokens: 10_000 }))).rejects.toThrow(
      "cannot be greater than max_model_len",
    );
    await expect(new LLM({ model: "no/such" }).ready()).rejects.toThrow("no/such");
    const synthetic = new LLM({
      model: "Qwen/Qwen3-0.6B",
      device: "trainium",
      values: "synthetic",
    });
    const scored = synthetic.generate([5, 6, 7], new SamplingParams({ logprobs: 1 }));
    await expect(scored).rejects.toThrow("`logprobs` is not supported here");
    await synthetic.close();
  });
});
