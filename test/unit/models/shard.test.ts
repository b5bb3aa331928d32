import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Weight } from "../../../models/ops.ts";
import { describe as describeModel } from "../../../models/registry.ts";
import {
  checkShards,
  kvHeadsPerRank,
  shardShape,
  shardWeight,
} from "../../../models/weights/shard.ts";

const weight = (shape: readonly number[], shard: Weight["shard"], units?: number): Weight => ({
  name: "w",
  shape,
  shard,
  ...(units !== undefined && { units }),
});

describe("a rank's part of a weight", () => {
  it("is everything on one rank, and of a replicated weight", () => {
    expect(shardWeight(weight([8, 4], "column"), 0, 1)).toBeUndefined();
    expect(shardWeight(weight([8], "replicated"), 1, 2)).toBeUndefined();
  });

  it("is rows by column, columns by row, whole heads by head", () => {
    expect(shardWeight(weight([8, 4], "column"), 1, 2)).toEqual({ axis: 0, begin: 4, end: 8 });
    expect(shardWeight(weight([8, 4], "row"), 1, 2)).toEqual({ axis: 1, begin: 2, end: 4 });
    expect(shardWeight(weight([8], "column"), 0, 2)).toEqual({ axis: 0, begin: 0, end: 4 });
    expect(shardWeight(weight([8, 4], "kv-head", 2), 1, 2)).toEqual({ axis: 0, begin: 4, end: 8 });
    expect(shardShape(weight([8, 4], "row"), 1, 2)).toEqual([8, 2]);
  });

  it("is the shared KV head where heads are fewer than ranks", () => {
    const two = weight([8, 4], "kv-head", 2);
    const begins = [0, 1, 2, 3].map((rank) => shardWeight(two, rank, 4)?.begin);
    expect(begins).toEqual([0, 0, 4, 4]);
    expect(shardShape(weight([4, 4], "kv-head", 1), 1, 2)).toEqual([4, 4]);
    expect([kvHeadsPerRank(8, 2), kvHeadsPerRank(1, 4)]).toEqual([4, 1]);
  });

  it("covers a vocabulary exactly once, whatever its size", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 300 }),
        fc.integer({ min: 2, max: 9 }),
        (rows, ranks) => {
          const table = weight([rows, 2], "vocab");
          const parts = Array.from({ length: ranks }, (_, rank) => shardWeight(table, rank, ranks));
          const covered = parts.flatMap((part) =>
            Array.from(
              { length: (part?.end ?? 0) - (part?.begin ?? 0) },
              (_, i) => (part?.begin ?? 0) + i,
            ),
          );
          expect(covered).toEqual(Array.from({ length: rows }, (_, i) => i));
        },
      ),
      { seed: 2, numRuns: 100 },
    );
  });

  it("refuses what cannot be divided", () => {
    expect(() => shardWeight(weight([12, 4], "column", 3), 0, 2)).toThrow(
      /w: 3 heads cannot be divided over 2 ranks/,
    );
    expect(() => shardWeight(weight([4, 7], "row"), 0, 2)).toThrow(/7 columns cannot be divided/);
    expect(() => shardWeight(weight([12, 4], "kv-head", 3), 0, 4)).toThrow(
      /3 KV heads can be neither divided over 4 ranks nor shared/,
    );
    expect(() => shardWeight(weight([3, 4, 4], "expert"), 0, 2)).toThrow(/3 experts cannot/);
  });

  it("refuses a model whose heads do not divide, in vLLM's words", () => {
    const qwen = describeModel({
      architectures: ["Qwen2ForCausalLM"],
      hidden_size: 896,
      intermediate_size: 4864,
      num_hidden_layers: 1,
      num_attention_heads: 14,
      num_key_value_heads: 2,
      vocab_size: 1000,
      max_position_embeddings: 8,
    });
    expect(() => checkShards(qwen, 4)).toThrow(
      "Total number of attention heads (14) must be divisible by tensor parallel size (4).",
    );
    expect(() => checkShards(qwen, 2)).not.toThrow();
  });
});
