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

  it("refuses what has other types than it is declared with, others undisturbed", async () => {
    const beside = llm.generate([5, 6], new SamplingParams({ maxTokens: 4, ignoreEos: true }));
    const options: readonly (readonly [object, string])[] = [
      [{ maxTokens: "a" }, "body.max_tokens"],
      [{ maxTokens: 2.5 }, "body.max_tokens"],
      [{ logprobs: "x" }, "`logprobs` must be an integer."],
      [{ n: 1.5 }, "body.n"],
      [{ stop: [5] }, "body.stop.0"],
      [{ seed: "x" }, "body.seed"],
      [{ seed: 2n ** 64n }, "body.seed"],
      [{ allowedTokenIds: ["a"] }, "body.allowed_token_ids.0"],
      [{ topKay: 1 }, "Unexpected keyword argument 'topKay'"],
    ];
    for (const [wrong, words] of options) {
      const asked = llm.generate("a", new SamplingParams(wrong));
      await expect(asked, JSON.stringify(words)).rejects.toThrow(words);
    }
    for (const prompts of [null, 5, [1.5], [["a"]], ["a", 5], { prompt: "a" }] as never[]) {
      await expect(llm.generate(prompts)).rejects.toThrow("A prompt must be a text or a list");
    }
    await expect(llm.generate("a", { maxTokens: 2 } as never)).rejects.toThrow(
      "sampling_params must be SamplingParams.",
    );
    await expect(llm.chat("Hi" as never)).rejects.toThrow("body.messages");
    await expect(llm.chat([{ role: "user", content: 5 }] as never)).rejects.toThrow(
      "body.messages.0",
    );
    expect((await beside)[0]?.outputs[0]?.tokenIds).toHaveLength(4);
  });

  it("reads a seed of 64 bits, and null as nothing said", async () => {
    const ask = async (options: object) => {
      const params = new SamplingParams({ maxTokens: 8, ignoreEos: true, ...options });
      return (await llm.generate([5, 6], params))[0]?.outputs[0]?.tokenIds;
    };
    const seed = 2n ** 62n + 1n;
    expect(await ask({ seed, temperature: null })).toEqual(await ask({ seed }));
    expect(await ask({ seed: 2n ** 62n })).not.toEqual(await ask({ seed }));
  });
});
