/** Adapters over HTTP: vLLM 0.32's answers, and what goes on while they come and go. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeAdapter, makeFolders } from "../../scripts/maintain/goldens/adapter-folders.ts";
import { startServer, type TestServer } from "../support/server.ts";

let folder = "";
let server: TestServer;
const at = (name: string): string => join(folder, name);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "adapters-"));
  makeFolders(folder);
  server = await startServer([
    ...[at("base"), "--device", "cpu", "--served-model-name", "m", "--max-num-seqs", "8"],
    ...["--enable-lora", "--max-loras", "2", "--max-cpu-loras", "3", "--max-lora-rank", "64"],
    ...["--allow-runtime-lora-updating", "--lora-modules", `r8=${at("r8")}`],
    JSON.stringify({ name: "r64", path: at("r64"), base_model_name: "m" }),
  ]);
});
afterAll(async () => {
  await server.stop(0);
  rmSync(folder, { recursive: true, force: true });
});

const complete = (model: string, prompt = "Once upon a time", more: object = {}) =>
  server.post("/v1/completions", {
    ...{ model, prompt, max_tokens: 12, temperature: 0, ignore_eos: true },
    ...more,
  });

const error = (message: string, type: string, code: number, param: string | null = null) => ({
  status: code,
  json: { error: { message, type, param, code } },
});

describe("adapters", () => {
  it("stand behind the base model in /v1/models, with their folder and parent", async () => {
    const { json } = await server.get("/v1/models");
    const cards = json.data.map((card: Record<string, unknown>) => {
      const { id, root, parent, max_model_len: longest } = card;
      return { id, root, parent, longest };
    });
    expect(cards).toEqual([
      { id: "m", root: at("base"), parent: null, longest: 512 },
      { id: "r8", root: at("r8"), parent: "m", longest: null },
      { id: "r64", root: at("r64"), parent: "m", longest: null },
    ]);
    expect(Object.keys(json.data[1])).toEqual(Object.keys(json.data[0]));
  });

  it("answer under their own names, apart from each other, on every route", async () => {
    const texts = new Set<string>();
    for (const model of ["m", "r8", "r64"]) {
      const { json } = await complete(model);
      expect(json.model).toBe(model);
      texts.add(json.choices[0].text);
      const chat = await server.post("/v1/chat/completions", {
        ...{ model, messages: [{ role: "user", content: "Hi" }], max_tokens: 8, temperature: 0 },
      });
      const response = await server.post("/v1/responses", {
        ...{ model, input: "Hi", max_output_tokens: 8, temperature: 0 },
      });
      expect([chat.json.model, response.json.model]).toEqual([model, model]);
      expect(response.json.output[0].content[0].text).toBe(chat.json.choices[0].message.content);
      texts.add(chat.json.choices[0].message.content);
      expect((await server.post("/tokenize", { model, prompt: "Once" })).status).toBe(200);
    }
    expect(texts.size).toBe(6);
  });

  it("hold a schema and search beams", async () => {
    const schema = { type: "object", properties: { a: { enum: [1, 2] } }, required: ["a"] };
    const { json } = await server.post("/v1/chat/completions", {
      ...{ model: "r8", messages: [{ role: "user", content: "Hi" }], max_tokens: 40 },
      response_format: { type: "json_schema", json_schema: { name: "x", schema } },
    });
    expect([1, 2]).toContain(JSON.parse(json.choices[0].message.content).a);
    const beams = await complete("r64", "Once", { use_beam_search: true, n: 2, max_tokens: 4 });
    expect(beams.json.choices).toHaveLength(2);
  });

  it("leave names that nobody has unknown", async () => {
    expect(await complete("nope")).toMatchObject(
      error("The model `nope` does not exist. Valid aliases: m.", "NotFoundError", 404, "model"),
    );
  });

  it("are loaded and unloaded, or refused, in vLLM's words", async () => {
    const load = (body: object) => server.post("/v1/load_lora_adapter", body);
    const unload = (body: object) => server.post("/v1/unload_lora_adapter", body);
    expect(await load({ lora_name: "r8", lora_path: at("r8") })).toMatchObject(
      error(
        "The lora adapter 'r8' has already been loaded. If you want to load the adapter in place, set 'load_inplace' to True.",
        "InvalidUserInput",
        400,
      ),
    );
    expect(await load({ lora_name: "m", lora_path: at("r8") })).toMatchObject(
      error("The lora adapter 'm' conflicts with a served base model.", "InvalidUserInput", 400),
    );
    expect(await load({ lora_name: "", lora_path: "/tmp" })).toMatchObject(
      error("Both 'lora_name' and 'lora_path' must be provided.", "InvalidUserInput", 400),
    );
    expect(await load({ lora_name: "x" })).toMatchObject(
      error(
        "1 validation error:\n  {'type': 'missing', 'loc': 'body.lora_path', 'msg': 'Field required', 'input': '<dict of 1 items>'}",
        "Bad Request",
        400,
        "body.lora_path",
      ),
    );
    expect(await load({ lora_name: "x", lora_path: at("base") })).toMatchObject(
      error("Loading lora x failed: No adapter found for <path>", "NotFoundError", 404),
    );
    expect(await load({ lora_name: "x", lora_path: "nothing/there" })).toMatchObject(
      error("Loading lora x failed: No adapter found for nothing/there", "NotFoundError", 404),
    );
    const again = await load({ lora_name: "again", lora_path: at("r8") });
    expect(again).toMatchObject({
      status: 200,
      text: "Success: LoRA adapter 'again' added successfully.",
    });
    const before = (await complete("again")).json.choices[0].text;
    expect(before).toBe((await complete("r8")).json.choices[0].text);
    const inPlace = { lora_name: "again", lora_path: at("r64"), load_inplace: true };
    expect((await load(inPlace)).status).toBe(200);
    expect((await complete("again")).json.choices[0].text).toBe(
      (await complete("r64")).json.choices[0].text,
    );
    expect(await unload({ lora_name: "again" })).toMatchObject({
      status: 200,
      text: "Success: LoRA adapter 'again' removed successfully.",
    });
    expect(await unload({ lora_name: "again" })).toMatchObject(
      error("The lora adapter 'again' cannot be found.", "NotFoundError", 404),
    );
    expect(await unload({ lora_name: "" })).toMatchObject(
      error("'lora_name' needs to be provided to unload a LoRA adapter.", "InvalidUserInput", 400),
    );
    expect((await complete("again")).status).toBe(404);
  });

  it("of other modules, ranks or shapes are refused by name", async () => {
    const load = async (name: string) =>
      (await server.post("/v1/load_lora_adapter", { lora_name: name, lora_path: at(name) })).json
        .error;
    makeAdapter(at("wide"), { rank: 128, alpha: 8, seed: 3 });
    expect(await load("wide")).toMatchObject({
      message: "LoRA rank 128 is greater than max_lora_rank 64.",
      code: 400,
    });
    makeAdapter(at("dora"), { rank: 4, alpha: 8, seed: 3 });
    const told = { r: 4, lora_alpha: 8, target_modules: ["q_proj"], bias: "all", use_dora: true };
    writeFileSync(join(at("dora"), "adapter_config.json"), JSON.stringify(told));
    expect((await load("dora")).message).toBe(
      "DoRA (use_dora) is not supported. Adapter bias is not supported.",
    );
    const other = { ...OTHER, vocab_size: 64, num_attention_heads: 4 };
    makeAdapter(at("narrow"), { rank: 4, alpha: 8, seed: 3 }, other);
    expect((await load("narrow")).message).toMatch(
      /q_proj\.lora_B.*expected shape \[256, 4\] for this base model, found \[128, 4\]/,
    );
  });

  it("come, go and make room under load, and nothing is lost", async () => {
    const names = ["a0", "a1", "a2", "a3"];
    const expected = new Map<string, string>();
    for (const [index, name] of names.entries()) {
      makeAdapter(at(name), { rank: 4 + 4 * index, alpha: 16, seed: 100 + index });
      await server.post("/v1/load_lora_adapter", { lora_name: name, lora_path: at(name) });
      expected.set(name, (await complete(name)).json.choices[0].text);
    }
    expected.set("m", (await complete("m")).json.choices[0].text);
    expect(new Set(expected.values()).size).toBe(5);
    let coming = true;
    const churn = (async () => {
      for (let turn = 0; coming; turn++) {
        const name = `come-${turn % 3}`;
        await server.post("/v1/load_lora_adapter", { lora_name: name, lora_path: at("r8") });
        const answer = complete(name);
        await server.post("/v1/unload_lora_adapter", { lora_name: name });
        const { status, json } = await answer;
        // Named before it left it is served; named after, it is unknown.
        if (status !== 404) expect(json.choices[0].finish_reason).toBe("length");
      }
    })();
    const answers = await Promise.all(
      Array.from({ length: 60 }, async (_, index) => {
        const name = [...names, "m"][index % 5] ?? "m";
        const { status, json } = await complete(name);
        return { name, status, text: json.choices?.[0]?.text };
      }),
    );
    coming = false;
    await churn;
    for (const { name, status, text } of answers) {
      expect({ name, status, text }).toEqual({ name, status: 200, text: expected.get(name) });
    }
    expect(await server.metric("vllm:num_requests_running")).toBe(0);
    for (const name of names) {
      await server.post("/v1/unload_lora_adapter", { lora_name: name });
    }
    expect((await server.get("/v1/models")).json.data).toHaveLength(3);
  });

  it("are told to routers", async () => {
    const { text } = await server.get("/metrics");
    expect(text).toMatch(
      /^vllm:lora_requests_info\{max_lora="2",running_lora_adapters="",waiting_lora_adapters=""\} \d/m,
    );
    expect(text).toContain("# TYPE vllm:lora_requests_info gauge");
  });
});

const OTHER = {
  ...{ architectures: ["LlamaForCausalLM"], model_type: "llama", hidden_size: 256 },
  ...{ intermediate_size: 512, num_hidden_layers: 4, num_key_value_heads: 4, head_dim: 32 },
  ...{ max_position_embeddings: 512, rms_norm_eps: 1e-5, hidden_act: "silu" },
};

describe("without --enable-lora", () => {
  it("names are looked at before it is said that there are no adapters", async () => {
    const plain = await startServer([
      ...["models/tiny/llama", "--device", "null", "--allow-runtime-lora-updating"],
    ]);
    try {
      const both = "Both 'lora_name' and 'lora_path' must be provided.";
      const load = { lora_name: "", lora_path: "x" };
      expect(await plain.post("/v1/load_lora_adapter", load)).toMatchObject(
        error(both, "InvalidUserInput", 400),
      );
      expect(await plain.post("/v1/unload_lora_adapter", { lora_name: "a" })).toMatchObject(
        error("The lora adapter 'a' cannot be found.", "NotFoundError", 404),
      );
    } finally {
      await plain.stop(0);
    }
  });

  it("there are no routes, and modules are refused", async () => {
    const plain = await startServer();
    try {
      expect((await plain.post("/v1/load_lora_adapter", {})).status).toBe(404);
    } finally {
      await plain.stop(0);
    }
    await expect(
      startServer(["models/tiny/llama", "--device", "null", "--lora-modules", "a=b"]),
    ).rejects.toThrow("--lora-modules needs --enable-lora.");
  });
});
