import { describe, expect, it } from "vitest";
import { Router } from "../../../device/cpu/routing.ts";
import type { RouterOp } from "../../../models/ops.ts";

const op = (more: Partial<RouterOp>): RouterOp => ({
  op: "router",
  path: "gate",
  in: "x",
  out: "routing",
  weight: { name: "gate.weight", shape: [more.experts ?? 4, 8], shard: "replicated" },
  experts: 4,
  topK: 2,
  scoring: "softmax",
  normalise: false,
  scale: 1,
  ...more,
});
const choose = (its: Partial<RouterOp>, scores: readonly number[], bias?: readonly number[]) => {
  const { experts, weights } = new Router(op(its), bias && Float32Array.from(bias)).choose(
    Float32Array.from(scores),
  );
  return [[...experts], [...weights].map((weight) => Number(weight.toFixed(4)))];
};
const logit = (p: number): number => Math.log(p / (1 - p));

describe("a token's experts", () => {
  it("by a softmax over all, as it is and normalised", () => {
    const scores = [0.1, 0.4, 0.2, 0.3].map(Math.log);
    expect(choose({}, scores)).toEqual([
      [1, 3],
      [0.4, 0.3],
    ]);
    expect(choose({ normalise: true, scale: 7 }, scores)).toEqual([
      [1, 3],
      [4, 3],
    ]);
  });

  it("by a softmax over those chosen (gpt-oss)", () => {
    const scores = [1, Math.log(3) + 5, 5, -2];
    expect(choose({ scoring: "topk-softmax" }, scores)).toEqual([
      [1, 2],
      [0.75, 0.25],
    ]);
  });

  it("by sigmoids with a bias that chooses and does not weigh (DeepSeek-V3)", () => {
    const scores = [0.9, 0.2, 0.6, 0.3].map(logit);
    const its = { scoring: "sigmoid", normalise: true, scale: 2.5 } as const;
    expect(choose(its, scores, [-1, 0, 0, 0.5])).toEqual([
      [3, 2],
      [0.8333, 1.6667],
    ]);
  });

  it("from groups: V3 by their best two, V2 by their best", () => {
    const scores = [0.9, 0.1, 0.6, 0.5, 0.3, 0.2];
    const grouped = { experts: 6, groups: 3, groupsChosen: 1 } as const;
    expect(choose({ ...grouped, scoring: "sigmoid" }, scores.map(logit))[0]).toEqual([2, 3]);
    expect(choose(grouped, scores.map(Math.log))[0]).toEqual([0, 1]);
  });

  it("are told apart where scores are equal: the first", () => {
    expect(choose({}, [1, 1, 1, 1])[0]).toEqual([0, 1]);
  });
});
