import { expect, describe as group, it } from "vitest";
import { architectureWeights, parameterCount } from "../../../models/architecture.ts";
import { ConfigReader } from "../../../models/config.ts";
import { loadModel } from "../../../models/load.ts";
import { describe, describeComputed, FAMILIES } from "../../../models/registry.ts";
import { readRotary, rotaryTable } from "../../../models/rope.ts";
import { catalogIds } from "../../../models/weights/folder.ts";
import { WeightReader } from "../../../models/weights/read.ts";
import { goldens, logitsError, tinyJson } from "../../support/golden.ts";
import { referenceLogits } from "./reference.ts";

const LLAMA = {
  architectures: ["LlamaForCausalLM"],
  model_type: "llama",
  hidden_size: 64,
  intermediate_size: 128,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  max_position_embeddings: 256,
  vocab_size: 100,
  rms_norm_eps: 1e-5,
};

group("the description computes what transformers computes", () => {
  for (const golden of goldens().filter(({ name }) => !name.startsWith("bundled")))
    for (const ranks of [1, 2])
      it(`${golden.name} on ${ranks} rank(s)`, async () => {
        const { architecture, checkpoint } = await loadModel(golden.folder);
        if (!checkpoint) throw new Error("no weights");
        const reader = new WeightReader(checkpoint);
        for (const { prompt_ids, first_logits } of golden.cases.slice(0, 2)) {
          if (!first_logits) throw new Error("no golden logits");
          const logits = referenceLogits(architecture, reader, prompt_ids, ranks);
          expect(logitsError(logits, first_logits)).toBeLessThan(1e-3);
        }
        reader.close();
      });
});

group("the catalogue has as many parameters as transformers counts", () => {
  const counts = tinyJson("parameter-counts.json") as Readonly<Record<string, number>>;
  /** Dense families must agree to the last parameter. */
  const dense = new Set(["llama", "mistral", "qwen2", "qwen3"]);
  for (const [id, count] of Object.entries(counts))
    it.skipIf(!catalogIds().includes(id))(id, async () => {
      const { architecture } = await loadModel(id);
      const ours = parameterCount(architecture);
      if (dense.has(architecture.family)) expect(ours).toBe(count);
      // transformers keeps a router's choice bias apart, and some norms and indexers are not described.
      else expect(Math.abs(ours / count - 1)).toBeLessThan(1.5e-3);
    });
});

group("families", () => {
  it("are priced as they were fitted where they are computed otherwise", () => {
    const gemma = { ...LLAMA, architectures: ["Gemma3ForCausalLM"], sliding_window: 8 };
    const norms = (of: typeof describe) =>
      of(gemma).layers[0]?.ops.filter((op) => op.op === "rms-norm").length;
    expect([norms(describe), norms(describeComputed)]).toEqual([2, 6]);
  });

  it("count the parameters of published models", () => {
    const llama8b = {
      ...LLAMA,
      hidden_size: 4096,
      intermediate_size: 14336,
      num_hidden_layers: 32,
      num_attention_heads: 32,
      num_key_value_heads: 8,
      vocab_size: 128256,
    };
    // Llama-3.1-8B: 8,030,261,248 parameters by its model card's checkpoint index.
    expect(parameterCount(describe(llama8b))).toBe(8_030_261_248);
    const qwen05b = {
      ...LLAMA,
      architectures: ["Qwen2ForCausalLM"],
      hidden_size: 896,
      intermediate_size: 4864,
      num_hidden_layers: 24,
      num_attention_heads: 14,
      vocab_size: 151936,
      tie_word_embeddings: true,
    };
    // Qwen2.5-0.5B: 494,032,768.
    expect(parameterCount(describe(qwen05b))).toBe(494_032_768);
  });

  it("stores a tied table once and shards it by vocabulary", () => {
    const tied = describe({ ...LLAMA, tie_word_embeddings: true });
    const names = architectureWeights(tied).map(({ name }) => name);
    expect(names.filter((name) => name.includes("embed") || name.includes("lm_head"))).toEqual([
      "model.embed_tokens.weight",
    ]);
    expect(tied.epilogue.at(-1)).toMatchObject({ out: "logits", weight: { shard: "vocab" } });
  });

  it("groups layers by window", () => {
    const types = ["sliding_attention", "full_attention"];
    const mixed = describe({
      ...LLAMA,
      architectures: ["Qwen2ForCausalLM"],
      use_sliding_window: true,
      sliding_window: 32,
      layer_types: types,
    });
    expect(mixed.kvGroups).toEqual([
      { kind: "window", layers: [0], kvHeads: 2, keyDim: 16, valueDim: 16, window: 32 },
      { kind: "full", layers: [1], kvHeads: 2, keyDim: 16, valueDim: 16 },
    ]);
    const upper = describe({
      ...LLAMA,
      architectures: ["Qwen3ForCausalLM"],
      use_sliding_window: true,
      sliding_window: 32,
      max_window_layers: 1,
    });
    expect(upper.kvGroups.map(({ layers, window }) => [layers, window])).toEqual([
      [[0], undefined],
      [[1], 32],
    ]);
  });

  it("reads Mistral's window: a number, null for none, 4096 when not mentioned", () => {
    const mistral = { ...LLAMA, architectures: ["MistralForCausalLM"] };
    const windowOf = (more: object) => describe({ ...mistral, ...more }).kvGroups[0]?.window;
    expect([windowOf({ sliding_window: 8 }), windowOf({ sliding_window: null })]).toEqual([
      8,
      undefined,
    ]);
    expect(windowOf({})).toBe(4096);
  });

  it("adds biases where a config asks for them", () => {
    const named = (config: object) =>
      architectureWeights(describe({ ...LLAMA, ...config }))
        .map(({ name }) => name)
        .filter((name) => name.startsWith("model.layers.0") && name.endsWith("bias"))
        .map((name) => name.split(".").at(-2));
    expect(named({ attention_bias: true, mlp_bias: true })).toEqual([
      "q_proj",
      "k_proj",
      "v_proj",
      "o_proj",
      "gate_proj",
      "up_proj",
      "down_proj",
    ]);
    expect(named({ architectures: ["Qwen2ForCausalLM"] })).toEqual(["q_proj", "k_proj", "v_proj"]);
    expect(named({})).toEqual([]);
  });

  it("have names and classes of their own", () => {
    const names = FAMILIES.map(({ name }) => name);
    const classes = FAMILIES.flatMap(({ architectures }) => architectures);
    expect(new Set(names).size).toBe(names.length);
    expect(new Set(classes).size).toBe(classes.length);
  });
});

group("config errors name the file, the key, what was expected and what was found", () => {
  const cases: readonly (readonly [string, object, RegExp])[] = [
    ["missing", { hidden_size: undefined }, /f\.json: "hidden_size" must be .* found nothing/],
    ["null", { vocab_size: null }, /"vocab_size" must be an integer ≥ 1, found null/],
    ["wrong type", { num_hidden_layers: "2" }, /"num_hidden_layers" must be .* found "2"/],
    ["not whole", { hidden_size: 64.5 }, /"hidden_size" must be an integer ≥ 1, found 64\.5/],
    ["uneven groups", { num_key_value_heads: 3 }, /"num_key_value_heads" must be a divisor of/],
    ["uneven heads", { num_attention_heads: 6 }, /"num_attention_heads" must be a divisor of/],
    ["activation", { hidden_act: "relu" }, /"hidden_act" must be one of silu, .* found "relu"/],
    [
      "rope kind",
      { rope_scaling: { rope_type: "spiral", factor: 2 } },
      /"rope_scaling\.rope_type" must be one of .* found "spiral"/,
    ],
    [
      "rope factor",
      { rope_parameters: { rope_type: "linear", rope_theta: 1e4 } },
      /"rope_parameters\.factor" must be a number, found nothing/,
    ],
    [
      "unknown class",
      { architectures: ["NoSuchLM"] },
      /unknown architecture NoSuchLM; known: Llama/,
    ],
    ["unknown type", { architectures: [], model_type: "x" }, /unknown model_type "x"; known: /],
  ];
  for (const [name, change, message] of cases)
    it(name, () => expect(() => describe({ ...LLAMA, ...change }, "f.json")).toThrow(message));

  it("an absent list of classes falls back to model_type", () => {
    expect(describe({ ...LLAMA, architectures: undefined }).family).toBe("llama");
  });
});

group("rotary tables equal those of transformers", () => {
  interface Table {
    readonly config: Record<string, unknown>;
    readonly head_dim: number;
    readonly amplitude: number;
    readonly frequencies: readonly number[];
  }
  const tables = tinyJson("rope.json") as readonly Table[];
  for (const { config, head_dim, amplitude, frequencies } of tables)
    it(JSON.stringify(config["rope_scaling"]), () => {
      const { rope_theta, rope_scaling, ...rest } = config;
      const both = { ...(rope_scaling as object), rope_theta };
      for (const form of [config, { ...rest, rope_parameters: both }]) {
        const table = rotaryTable(readRotary(new ConfigReader(form, "f.json"), head_dim));
        expect(table.amplitude).toBeCloseTo(amplitude, 6);
        expect(table.frequencies.length).toBe(frequencies.length);
        for (const [i, golden] of frequencies.entries())
          expect(Math.abs((table.frequencies[i] ?? 0) / golden - 1)).toBeLessThan(2e-5);
      }
    });

  it("rotates a part of the head", () => {
    const config = new ConfigReader({ partial_rotary_factor: 0.5, rope_theta: 1e4 }, "f.json");
    expect(readRotary(config, 64)).toEqual({ rotaryDim: 32, theta: 10_000 });
  });

  it("divides by LongRoPE's factors for the longest text served, and refuses a config without them", () => {
    const config = new ConfigReader(
      {
        max_position_embeddings: 64,
        original_max_position_embeddings: 16,
        rope_scaling: { type: "longrope", short_factor: [1, 2], long_factor: [4, 8] },
      },
      "f.json",
    );
    const rotary = readRotary(config, 4);
    expect([...rotaryTable(rotary, 16).frequencies]).toEqual([1, 0.005]);
    const { frequencies, amplitude } = rotaryTable(rotary, 17);
    expect([...frequencies]).toEqual([0.25, 0.00125]);
    expect(amplitude).toBeCloseTo(Math.sqrt(1 + Math.log(4) / Math.log(16)), 12);
    const scaling = { kind: "longrope", factor: 2, originalContext: 4096 } as const;
    expect(() => rotaryTable({ rotaryDim: 8, theta: 1e4, scaling })).toThrow(/short_factor/);
  });
});
