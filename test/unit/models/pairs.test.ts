/** Pairs of texts beside the `tokenizers` package's own, and what a folder of sentence-transformers says. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Tokenizer } from "tokenizers";
import { afterAll, expect, it } from "vitest";
import { PairTemplate } from "../../../models/tokenizer/pairs.ts";
import { readProjection } from "../../../models/weights/head.ts";
import { readPooling, readSentenceConfig } from "../../../models/weights/pooling.ts";
import { seeded } from "../../support/random-model.ts";
import { writeSafetensors } from "../../support/safetensors.ts";

const work = mkdtempSync(join(tmpdir(), "pairs-"));
afterAll(() => rmSync(work, { recursive: true, force: true }));

const VOCABULARY = ["[UNK]", "[CLS]", "[SEP]", "a", "b", "c", "d", "e", "f"];
const special = (id: string, type: number) => ({ SpecialToken: { id, type_id: type } });
const sequence = (id: string, type: number) => ({ Sequence: { id, type_id: type } });
const named = (id: string, at: number) => ({ id, ids: [at], tokens: [id] });

const PROCESSORS = {
  none: null,
  bert: { type: "BertProcessing", cls: ["[CLS]", 1], sep: ["[SEP]", 2] },
  roberta: {
    ...{ type: "RobertaProcessing", cls: ["[CLS]", 1], sep: ["[SEP]", 2] },
    ...{ trim_offsets: true, add_prefix_space: false },
  },
  template: {
    type: "Sequence",
    processors: [
      { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
      {
        type: "TemplateProcessing",
        single: [special("[CLS]", 0), sequence("A", 0)],
        pair: [sequence("A", 0), special("[SEP]", 1), special("[CLS]", 1), sequence("B", 1)],
        special_tokens: { "[CLS]": named("[CLS]", 1), "[SEP]": named("[SEP]", 2) },
      },
    ],
  },
} as const;

it.each(Object.keys(PROCESSORS) as (keyof typeof PROCESSORS)[])(
  "joins two texts as the package does: %s, whole and cut",
  async (kind) => {
    const processor = PROCESSORS[kind];
    const vocab = Object.fromEntries(VOCABULARY.map((token, id) => [token, id]));
    const model = { type: "WordLevel", vocab, unk_token: "[UNK]" };
    const file = { version: "1.0", model, pre_tokenizer: { type: "WhitespaceSplit" } };
    const parts = {
      added_tokens: [],
      normalizer: null,
      decoder: null,
      truncation: null,
      padding: null,
    };
    const native = Tokenizer.fromString(
      JSON.stringify({ ...file, ...parts, post_processor: processor }),
    );
    const template = new PairTemplate(processor);
    const random = seeded(7);
    const draw = (most: number) => Math.floor(random() * most);
    for (let round = 0; round < 120; round++) {
      const texts = [draw(9), 1 + draw(9)].map((length) =>
        Array.from({ length }, () => 3 + draw(6)),
      ) as [number[], number[]];
      const most = round % 3 === 0 ? undefined : 6 + draw(12);
      if (most === undefined) native.disableTruncation();
      else native.setTruncation(most);
      const [first, second] = texts.map((ids) => ids.map((id) => VOCABULARY[id]).join(" "));
      const wanted = await native.encode(first ?? "", second);
      const [a, b] = texts.map((ids) => Int32Array.from(ids)) as [Int32Array, Int32Array];
      const { ids, secondFrom = ids.length } = template.join(a, b, most);
      expect([...ids]).toEqual(wanted.getIds());
      expect([...ids].map((_, at) => (at < secondFrom ? 0 : 1))).toEqual(wanted.getTypeIds());
    }
  },
);

function folder(name: string, files: Readonly<Record<string, unknown>>): string {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(join(work, name, path, ".."), { recursive: true });
    writeFileSync(join(work, name, path), JSON.stringify(content));
  }
  return join(work, name);
}

it("reads modules.json: its pooling, Dense modules in their order, and lengths", () => {
  const type = (kind: string) => `sentence_transformers.models.${kind}`;
  const dense = { in_features: 3, out_features: 2, bias: true };
  const path = folder("dense", {
    "modules.json": [
      { path: "", type: type("Transformer") },
      { path: "1_Pooling", type: type("Pooling") },
      { path: "2_Dense", type: type("Dense") },
      { path: "3_Dense", type: type("Dense") },
    ],
    "1_Pooling/config.json": { pooling_mode_cls_token: false, pooling_mode_mean_tokens: true },
    "2_Dense/config.json": { ...dense, activation_function: "torch.nn.modules.activation.Tanh" },
    "3_Dense/config.json": { in_features: 2, out_features: 1, bias: false },
    "sentence_roberta_config.json": { max_seq_length: 77, do_lower_case: true },
  });
  const write = (module: string, tensors: Readonly<Record<string, readonly number[][]>>) =>
    writeSafetensors(
      join(path, module, "model.safetensors"),
      new Map(
        Object.entries(tensors).map(([name, rows]) => {
          const width = rows[0]?.length ?? 0;
          const shape = name.endsWith("bias") ? [width] : [rows.length, width];
          return [name, { dtype: "F32", shape, data: Float32Array.from(rows.flat()) }];
        }),
      ),
    );
  write("2_Dense", {
    "linear.weight": [
      [1, 2, 3],
      [0, -1, 0],
    ],
    "linear.bias": [[0.5, 0]],
  });
  write("3_Dense", { "linear.weight": [[2, 10]] });
  const told = readPooling(path);
  expect(told).toMatchObject({ kind: "mean", normalise: false });
  const head = readProjection(path, told?.projections ?? []);
  expect(head?.width).toBe(1);
  const [found = 0] = head?.apply(Float32Array.of(0.1, 0.2, -0.3)) ?? [];
  expect(found).toBeCloseTo(2 * Math.tanh(0.1 + 0.4 - 0.9 + 0.5) + 10 * Math.tanh(-0.2), 6);
  expect(readSentenceConfig(path)).toEqual({ maxTokens: 77, lowerCase: true });
  folder("dense", { "3_Dense/config.json": { ...dense, activation_function: "torch.nn.GELU" } });
  expect(() => readProjection(path, told?.projections ?? [])).toThrow("Identity or Tanh");
  folder("dense", { "2_Dense/config.json": { ...dense, out_features: 5 } });
  expect(() => readProjection(path, told?.projections ?? [])).toThrow("expected shape [5, 3]");
});

it.each([
  [{ pooling_mode_max_tokens: true }, "max_tokens"],
  [{ pooling_mode_cls_token: true, pooling_mode_mean_tokens: true }, "cls_token,mean_tokens"],
  [{ pooling_mode: "weightedmean" }, "weightedmean"],
  [{}, "expected one pooling mode"],
])("refuses another way of pooling, naming the file: %j", (config, said) => {
  const path = folder(`other-${said}`, {
    "modules.json": [{ path: "1_Pooling", type: "sentence_transformers.models.Pooling" }],
    "1_Pooling/config.json": config,
  });
  expect(() => readPooling(path)).toThrow(said);
  expect(() => readPooling(path)).toThrow("1_Pooling");
});
